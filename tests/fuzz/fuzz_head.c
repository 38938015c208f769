/*
 * Any bytes as a head. The first byte says whose; the rest comes whole and byte by byte. What
 * is accepted keeps what the header promises, and says the same when it is written and read
 * again: that is what the next hop will understand.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "http/hop.h"
#include "http/parse.h"
#include "http/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool parse(struct span bytes, enum head_kind kind, enum parse_asked asked, struct head *h)
{
	struct parse_limits limits = PARSE_LIMITS_MAX;
	struct error err = {.kind = ERR_NONE};
	bool ok = kind == HEAD_REQUEST ? parse_request_head(bytes, &limits, h, &err)
				       : parse_response_head(bytes, asked, &limits, h, &err);
	CHECK(ok || err.kind != ERR_NONE);
	return ok;
}

/* Bytes come whole or one by one, and the head ends at the same place. */
static bool find(struct span bytes, enum head_kind kind, struct span *head)
{
	struct parse_limits limits = PARSE_LIMITS_MAX;
	struct head_scan whole = {0}, pieces = {0};
	enum head_found found = parse_find_head(&whole, bytes, kind, &limits, NULL), step = HEAD_MORE;
	for (size_t n = 0; n <= bytes.n && n <= 4096 && step == HEAD_MORE; n++)
		step = parse_find_head(&pieces, (struct span){bytes.p, n}, kind, &limits, NULL);
	if (step == HEAD_WHOLE) /* else a part of it may have been refused earlier than the whole would be */
		CHECK(found == HEAD_WHOLE && whole.end == pieces.end && whole.start == pieces.start);
	if (found == HEAD_WHOLE)
		*head = (struct span){bytes.p + whole.start, whole.end - whole.start};
	return found == HEAD_WHOLE;
}

static void check_promises(const struct head *h)
{
	size_t lengths = head_count(h, "Content-Length"), codings = head_count(h, "Transfer-Encoding");
	CHECK(h->count <= HEAD_MAX_FIELDS - HEAD_SPARE_FIELDS);
	CHECK(lengths + codings <= 1);
	CHECK(h->framing != BODY_CHUNKED || (codings == 1 && h->minor == 1));
	CHECK(h->framing != BODY_LENGTH ||
	      (lengths == 1 && h->body_length > 0 && h->body_length <= INT64_MAX));
	CHECK(h->framing != BODY_CLOSE || (h->kind == HEAD_RESPONSE && !h->keep_alive));
	if (h->kind == HEAD_REQUEST) {
		CHECK(parse_is_token(h->method) && parse_is_target(h->target));
		CHECK(head_count(h, "Host") <= 1 && (h->minor == 0 || head_count(h, "Host") == 1));
		CHECK(h->framing != BODY_RAW && !(h->upgrade && h->framing != BODY_NONE));
	} else {
		CHECK(h->status >= 100 && h->status <= 999);
	}
	for (size_t i = 0; i < h->count; i++)
		CHECK(parse_is_token(h->fields[i].name) && parse_is_value(h->fields[i].value));
}

static void check_same(const struct head *a, const struct head *b)
{
	CHECK(span_is(a->method, b->method) && span_is(a->target, b->target));
	CHECK(a->status == b->status && span_is(a->reason, b->reason));
	CHECK(a->framing == b->framing && a->body_length == b->body_length);
	CHECK(a->upgrade == b->upgrade && a->expect_continue == b->expect_continue);
	CHECK(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		CHECK(span_is(a->fields[i].name, b->fields[i].name));
		CHECK(span_is(a->fields[i].value, b->fields[i].value));
	}
}

/* Nothing of one connection is left when it goes to the next; and our own Via is recognised. */
static void check_cleaned(struct head *h)
{
	static const char *const gone[] = {"Transfer-Encoding", "TE", "Proxy-Authorization", "X-Target-URL",
					   "Keep-Alive"};
	struct via via;
	struct error err;
	bool upgrade = h->upgrade, answer;
	size_t hosts = head_count(h, "Host"), cookies = head_count(h, "Cookie");

	via_init(&via, "host", 1);
	hop_max_forwards(h, &answer, &err);
	hop_clean(h, &via);
	for (size_t i = 0; i < countof(gone); i++)
		CHECK(head_count(h, gone[i]) == 0);
	CHECK(head_count(h, "Connection") == upgrade && head_count(h, "Upgrade") == upgrade);
	CHECK(head_count(h, "Host") == hosts && head_count(h, "Cookie") == cookies);
	CHECK(!hop_check_loop(h, &via, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	enum head_kind kind = data[0] & 1 ? HEAD_RESPONSE : HEAD_REQUEST;
	enum parse_asked asked = (enum parse_asked)((data[0] >> 1) % 3);
	struct span head, bytes = {(const char *)data + 1, size - 1};
	struct head h, again;
	struct buf out;

	if (!find(bytes, kind, &head) || !parse(head, kind, asked, &h))
		return 0;
	check_promises(&h);
	/*
	 * Longer than it came (1.0 has become 1.1, a value has one space in front) it may not fit any more.
	 */
	buf_init(&out, 2 * HEAD_MAX_BYTES);
	CHECK(write_head(&out, &h, NULL));
	if (h.minor == 1 && out.n <= HEAD_MAX_BYTES) {
		CHECK(parse(buf_span(&out), kind, asked, &again));
		check_same(&h, &again);
	}
	check_cleaned(&h);
	buf_free(&out);
	return 0;
}
