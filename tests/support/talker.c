#include "talker.h"

#include "base/check.h"

uint8_t talker_byte(unsigned pattern, uint64_t at)
{
	uint64_t x = (at + 1) * (2 * (uint64_t)pattern + 0x9e3779b97f4a7c15);
	return (uint8_t)(x >> 56);
}

static void say_more(struct talker *t);

static void on_said(void *arg, const struct error *err)
{
	struct talker *t = arg;
	if (err) {
		t->send_failed = true;
		t->send_error = *err;
		return;
	}
	say_more(t);
}

static void on_ended(void *arg, const struct error *err)
{
	struct talker *t = arg;
	t->said = true;
	if (err) {
		t->send_failed = true;
		t->send_error = *err;
	}
}

static void say_more(struct talker *t)
{
	size_t n = t->left < t->piece ? (size_t)t->left : t->piece;
	if (n == 0 && t->stays) {
		t->said = true;
		return;
	}
	if (n == 0) {
		stream_shutdown(t->s, on_ended, t);
		return;
	}
	for (size_t i = 0; i < n; i++)
		t->out[i] = talker_byte(t->says, t->sent + i);
	t->sent += n;
	t->left -= n;
	struct span v = {(const char *)t->out, n};
	stream_write(t->s, &v, 1, on_said, t);
}

static void on_heard(void *arg, struct block *b, const struct error *err)
{
	struct talker *t = arg;
	if (err) {
		t->read_failed = true;
		t->read_error = *err;
		return;
	}
	if (!b) {
		t->heard_end = true;
		return;
	}
	for (size_t i = 0; i < b->len; i++)
		t->wrong |= b->data[i] != talker_byte(t->hears, t->got + i);
	t->got += b->len;
	block_put(b);
	stream_read(t->s, on_heard, t);
}

void talker_listen(struct talker *t)
{
	stream_read(t->s, on_heard, t);
}

void talker_say(struct talker *t, uint64_t count)
{
	t->left = count;
	t->said = false;
	say_more(t);
}

void talker_start(struct talker *t, struct stream *s, unsigned says, uint64_t count, size_t piece,
		  unsigned hears)
{
	CHECK(piece > 0 && piece <= sizeof t->out);
	t->s = s;
	t->says = says;
	t->hears = hears;
	t->piece = piece;
	t->sent = t->got = 0;
	t->said = t->heard_end = t->wrong = t->send_failed = t->read_failed = t->stays = false;
	talker_listen(t);
	talker_say(t, count);
}

void talker_close(struct talker *t)
{
	stream_close(t->s);
	t->s = NULL;
}
