/*
 * Any bytes as what a hybrid vsock answers to CONNECT. The first byte says in what pieces they come and
 * whether an end follows. Taken only for "OK port\n", and then not a byte behind it is lost.
 */
#include <stdlib.h>

#include "net/hybrid.h"
#include "support/mem_stream.h"
#include "support/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct caller {
	bool called;
	struct wire own; /* what comes behind the handshake */
};

static void on_made(void *arg, struct stream *s, const struct error *err)
{
	struct caller *c = arg;
	CHECK(!c->called && !s == !!err);
	c->called = true;
	if (s)
		wire_start(&c->own, s, 100);
}

/* By another way than the code's: the length of the line that is a good answer, 0 when there is none. */
static size_t good_answer(struct span says)
{
	const char *lf = says.n ? memchr(says.p, '\n', says.n) : NULL;
	size_t n = lf ? (size_t)(lf - says.p) : 0;
	if (n < 4 || n > 31 || memcmp(says.p, "OK ", 3) != 0)
		return 0;
	char digits[40] = {0};
	memcpy(digits, says.p + 3, n - 3);
	return strspn(digits, "0123456789") == n - 3 ? n + 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t capacities[] = {1, 3, 64, 4096};
	if (size < 1 || size > 4096)
		return 0;
	struct loop *l = loop_new();
	struct stream *near, *far;
	struct caller c = {0};
	struct wire guest = {0};
	struct span says = {(const char *)data + 1, size - 1};
	mem_pair(l, capacities[data[0] & 3], &near, &far);
	wire_start(&guest, far, 1 + (data[0] >> 3));
	wire_say_span(&guest, says);
	if (data[0] & 4)
		wire_end(&guest);
	struct hybrid *h = hybrid_start(near, 5000, on_made, &c);
	while (loop_step(l, 0))
		;
	size_t answer = good_answer(says);
	if (answer) {
		CHECK(c.called && c.own.s && wire_heard(&guest, "CONNECT 5000\n"));
		CHECK(span_is(buf_span(&c.own.heard), span_from(says, answer)));
	} else {
		CHECK(!c.own.s && (c.called || !(data[0] & 4)));
	}
	if (!c.called)
		hybrid_cancel(h);
	if (c.own.s)
		wire_free(&c.own);
	wire_free(&guest);
	while (loop_step(l, 0))
		;
	loop_free(l);
	return 0;
}
