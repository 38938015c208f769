/*
 * Which targets a rule speaks of: HOST:PORT, the same in the tunnel's allow-list and in
 * the enclave's policy.
 *
 *	api.example.com:443     this name
 *	*.example.com:443       one label in front: a.example.com, not a.b.example.com nor example.com
 *	**.example.com:443      one label or more in front; not example.com itself
 *	10.0.0.1:5432           this address
 *	[2001:db8::1]:443       likewise
 *	*:443                   every name and address
 *	api.example.com:*       every port
 *
 * Names are brought to their canonical form (net/hostname.h) before they are kept, and are
 * compared with canonical names only, so a rule and a target cannot differ in spelling.
 */
#ifndef PROXY_PATTERN_H
#define PROXY_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/hostname.h"

enum pattern_host {
	PATTERN_EXACT,
	PATTERN_ONE_LABEL, /* *.name */
	PATTERN_LABELS,	   /* **.name */
	PATTERN_ANY
};

struct pattern {
	enum pattern_host host;
	char name[HOSTNAME_MAX]; /* canonical; "" for PATTERN_ANY */
	uint16_t port;		 /* 0: every port */
};

/* ERR_CONFIG: what is wrong and what it should look like, without the text itself. */
bool pattern_parse(struct span text, struct pattern *p, struct error *err);
/* host: canonical. */
bool pattern_match(const struct pattern *p, const char *host, uint16_t port);
/* The canonical text; pattern_parse reads it back as the same pattern. */
void pattern_format(const struct pattern *p, struct buf *out);

/* The longest canonical text: "**." and a name, or brackets and an address; a colon and a port. */
#define PATTERN_TEXT_MAX (HOSTNAME_MAX + 10)

#endif
