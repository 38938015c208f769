/*
 * The enclave's egress policy: which requests may leave. It is part of what attestation
 * vouches for, so it has one canonical text, and that text's SHA-256.
 *
 * A rule, in the settings policy.allow and policy.deny:
 *
 *	HOST:PORT[/PATH] [METHOD[,METHOD]...]
 *
 *	**.example.com:443                   everything there, CONNECT too
 *	api.example.com:443/v1/ GET,POST     below /v1/, these methods
 *	*:443 CONNECT                        raw tunnels to port 443 of anywhere
 *
 * HOST:PORT as in proxy/pattern.h. PATH covers whole segments (proxy/path.h); methods are
 * written in capitals. In a policy file a rule has `allow` or `deny` in front, and the file may
 * say `mode enforce|report` and `default allow|deny` once each, which then count instead of the
 * settings; '#' begins a comment line. The canonical text is such a file.
 *
 *  - A deny rule wins over any allow rule.
 *  - What no rule matches is denied as soon as there is one allow rule; without any, `default` decides.
 *  - CONNECT is judged by host and port alone, for nothing else of what goes through the tunnel
 *    can be seen: a rule with a path never matches it, one with methods only if CONNECT is among
 *    them. So a deny rule with a path does not keep anybody from CONNECT: see policy_connect_gap.
 *  - A path that servers read in different ways is denied where a rule about paths decides.
 *  - Methods are compared exactly to allow, without regard to case to deny.
 *  - Mode report lets everything pass and says what it would have denied.
 */
#ifndef PROXY_POLICY_H
#define PROXY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text_list.h"
#include "proxy/pattern.h"
#include "tls/hash.h"

#define POLICY_MAX_RULES 4096
#define POLICY_MAX_PATH	 2048 /* of a rule */

enum policy_mode { POLICY_ENFORCE, POLICY_REPORT };
enum policy_default { POLICY_ALLOW, POLICY_DENY };

struct policy_rule {
	bool deny;
	struct pattern target;
	char *path;		  /* owned; decoded; NULL: every path */
	struct text_list methods; /* sorted; none: every method */
	char *text;		  /* owned; canonical, "deny HOST:PORT/PATH GET": the rule's name */
};

struct policy {
	enum policy_mode mode;
	enum policy_default otherwise; /* when no rule matches */
	struct policy_rule *rules;     /* owned; canonical order, no two alike */
	size_t count;
	uint8_t digest[HASH_SIZE]; /* of the canonical text */
};

struct policy_source {
	enum policy_mode mode;
	enum policy_default without_rules;
	const struct text_list *allow, *deny; /* rules */
	const char *file;		      /* "": none */
};

/* ERR_CONFIG names the rule by its place. *p needs policy_free whatever the outcome. */
bool policy_load(struct policy *p, const struct policy_source *from, struct error *err);
/* The same from a policy file's text alone; mode enforce and default deny where it says nothing. */
bool policy_load_text(struct policy *p, const char *name, struct span text, struct error *err);
void policy_free(struct policy *p);

/* The canonical text behind what is in out. */
void policy_format(const struct policy *p, struct buf *out);

/* The first deny rule that CONNECT to the same host gets round, for a warning at start; NULL: none. */
const struct policy_rule *policy_connect_gap(const struct policy *p);

/* ---- judging ---- */

struct policy_request {
	const char *host; /* canonical */
	uint16_t port;
	struct span method;
	struct span path; /* from the first slash, query or not; of no account for CONNECT */
};

struct policy_verdict {
	bool pass;			/* it may go on: not denied, or only reported */
	bool denied;			/* the policy's own answer */
	const struct policy_rule *rule; /* borrowed: the one that decided; NULL: none matched */
	struct error why;		/* ERR_DENIED when denied: text names the rule */
};

void policy_judge(const struct policy *p, const struct policy_request *r, struct policy_verdict *v);

#endif
