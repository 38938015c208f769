#include "wire.h"

#include <string.h>

#include "base/check.h"

static void say_more(struct wire *w);

static void on_written(void *arg, const struct error *err)
{
	struct wire *w = arg;
	if (err) {
		w->lost = true;
		buf_clear(&w->said);
		return;
	}
	say_more(w);
}

static void on_ended(void *arg, const struct error *err)
{
	struct wire *w = arg;
	w->lost |= err != NULL;
	w->ended = true;
}

static void say_more(struct wire *w)
{
	if (!w->s || w->lost || w->ended || stream_writing(w->s))
		return;
	size_t n = w->said.n < w->piece ? w->said.n : w->piece;
	if (n) {
		struct span v = {w->out, n};
		memcpy(w->out, w->said.p, n);
		buf_drop(&w->said, n);
		stream_write(w->s, &v, 1, on_written, w);
	} else if (w->ends) {
		stream_shutdown(w->s, on_ended, w);
	}
}

static void on_heard(void *arg, struct block *b, const struct error *err)
{
	struct wire *w = arg;
	if (!b) {
		w->heard_end = true;
		if (err)
			w->err = *err;
		return;
	}
	CHECK(buf_add(&w->heard, b->data, b->len));
	block_put(b);
	if (!w->deaf)
		stream_read(w->s, on_heard, w);
}

void wire_start(struct wire *w, struct stream *s, size_t piece)
{
	*w = (struct wire){.s = s, .piece = piece < sizeof w->out ? piece : sizeof w->out};
	buf_init(&w->said, WIRE_TEXT_MAX);
	buf_init(&w->heard, WIRE_TEXT_MAX);
	stream_read(s, on_heard, w);
}

void wire_say_span(struct wire *w, struct span bytes)
{
	CHECK(!w->ends && buf_add_span(&w->said, bytes));
	say_more(w);
}

void wire_say(struct wire *w, const char *text)
{
	wire_say_span(w, span_of(text));
}

void wire_end(struct wire *w)
{
	w->ends = true;
	say_more(w);
}

void wire_close(struct wire *w)
{
	stream_close(w->s);
	w->s = NULL;
}

void wire_free(struct wire *w)
{
	wire_close(w);
	buf_free(&w->said);
	buf_free(&w->heard);
}

size_t wire_count(const struct wire *w, const char *text)
{
	size_t count = 0;
	struct span rest = buf_span(&w->heard), want = span_of(text);
	for (const char *hit; rest.n && (hit = memmem(rest.p, rest.n, want.p, want.n)); count++)
		rest = span_from(rest, (size_t)(hit - rest.p) + want.n);
	return count;
}

bool wire_heard(const struct wire *w, const char *text)
{
	return wire_count(w, text) > 0;
}

void wire_forget(struct wire *w)
{
	buf_clear(&w->heard);
}

void wire_deafen(struct wire *w)
{
	w->deaf = true;
	if (w->s)
		stream_read_cancel(w->s);
}

void wire_listen(struct wire *w)
{
	w->deaf = false;
	stream_read(w->s, on_heard, w);
}
