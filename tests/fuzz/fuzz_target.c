/*
 * Any three lines as method and request target, Host, and X-Target-URL (the last two may be
 * missing). A target that is accepted is in canonical form, and asked for again in absolute form
 * it is the same: no two readers of it can go to different places.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "http/parse.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct head *h, const struct target *t)
{
	char authority[TARGET_AUTHORITY_MAX];
	struct target again;
	struct error err;
	struct head same;
	struct buf url;

	target_authority(t, authority);
	buf_init(&url, 1 << 21);
	buf_printf(&url, "%s%s",
		   t->kind == TARGET_TUNNEL ? ""
		   : t->https		    ? "https://"
					    : "http://",
		   authority);
	if (!span_is(t->path, SPAN("*")))
		buf_add_span(&url, t->path);
	CHECK(!buf_full(&url));
	head_init_request(&same, h->method, buf_span(&url));
	head_add(&same, SPAN("Host"), span_of(authority));
	CHECK(target_of(&same, 1 << 20, &again, &err));
	CHECK(again.kind == t->kind && again.https == t->https && again.port == t->port &&
	      again.type == t->type);
	CHECK(strcmp(again.host, t->host) == 0 && span_is(again.path, t->path));
	target_free(&again);
	buf_free(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size}, line, host, url, method;
	struct head h;
	struct target t;
	struct error err = {.kind = ERR_NONE};

	if (!span_cut(&rest, '\n', &line) || !span_cut(&line, ' ', &method))
		return 0;
	/* What the parser lets through is all there ever is. */
	if (!parse_is_token(method) || !line.p || !parse_is_target(line))
		return 0;
	head_init_request(&h, method, line);
	if (span_cut(&rest, '\n', &host) && host.n && parse_is_value(host))
		head_add(&h, SPAN("Host"), host);
	if (span_cut(&rest, '\n', &url) && parse_is_value(url))
		head_add(&h, SPAN("X-Target-URL"), span_trim(url));
	if (!target_of(&h, 8192, &t, &err)) {
		CHECK(err.kind == ERR_BAD_REQUEST || err.kind == ERR_ADDRESS_DENIED ||
		      err.kind == ERR_URL_SIZE);
	} else if (t.kind == TARGET_SELF) {
		CHECK(span_is(t.path, h.target) && !t.host[0] && !head_count(&h, "X-Target-URL"));
	} else {
		CHECK(t.port > 0 && t.host[0] && strlen(t.host) < HOSTNAME_MAX);
		CHECK(t.kind == TARGET_TUNNEL ? t.path.n == 0 : parse_is_target(t.path));
		check_again(&h, &t);
	}
	target_free(&t);
	return 0;
}
