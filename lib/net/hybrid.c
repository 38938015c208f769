#include "net/hybrid.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define ANSWER_MAX 32 /* "OK 4294967295\n" */

struct hybrid {
	struct stream *lower; /* owned until given back */
	char request[32];
	char answer[ANSWER_MAX];
	size_t got;
	dial_fn *fn;
	void *arg;
};

void hybrid_cancel(struct hybrid *h)
{
	stream_close(h->lower);
	free(h);
}

static void finish(struct hybrid *h, const struct error *err)
{
	dial_fn *fn = h->fn;
	void *arg = h->arg;
	struct stream *s = h->lower;
	if (err) {
		hybrid_cancel(h);
		fn(arg, NULL, err);
		return;
	}
	free(h);
	fn(arg, s, NULL);
}

static bool answer_ok(const char *text, size_t n)
{
	if (n < 4 || memcmp(text, "OK ", 3) != 0)
		return false;
	for (size_t i = 3; i < n; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

static void on_read(void *arg, struct block *b, const struct error *err)
{
	struct hybrid *h = arg;
	struct error bad;
	if (!b) {
		if (!err)
			error_set(&bad, ERR_REFUSED, "the guest does not listen on this port");
		finish(h, err ? err : &bad);
		return;
	}
	while (b->len && h->got < ANSWER_MAX) {
		char c = (char)b->data[0];
		block_take(b, 1);
		if (c == '\n') {
			bool ok = answer_ok(h->answer, h->got);
			stream_unread(h->lower, b);
			error_set(&bad, ERR_PROTOCOL, "no 'OK port' from the hybrid vsock");
			finish(h, ok ? NULL : &bad);
			return;
		}
		h->answer[h->got++] = c;
	}
	bool over = b->len > 0;
	block_put(b);
	if (over) {
		error_set(&bad, ERR_PROTOCOL, "no 'OK port' from the hybrid vsock");
		finish(h, &bad);
	} else {
		stream_read(h->lower, on_read, h);
	}
}

static void on_written(void *arg, const struct error *err)
{
	struct hybrid *h = arg;
	if (err)
		finish(h, err);
	else
		stream_read(h->lower, on_read, h);
}

struct hybrid *hybrid_start(struct stream *lower, uint32_t port, dial_fn *fn, void *arg)
{
	struct hybrid *h = mem_zero(sizeof *h);
	h->lower = lower;
	h->fn = fn;
	h->arg = arg;
	int n = snprintf(h->request, sizeof h->request, "CONNECT %u\n", port);
	stream_write(lower, &(struct span){h->request, (size_t)n}, 1, on_written, h);
	return h;
}
