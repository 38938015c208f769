/* Frames of one who does not keep to what bundle.h draws: the bundle ends, or passes them over; nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/be.h"
#include "net/bundle_impl.h"
#include "support/bundle_pair.h"
#include "support/mem_stream.h"
#include "support/until.h"
#include "support/wire.h"

#define FRAMES 8

/* DATA brings as many bytes as it says. */
struct frame {
	uint8_t type;
	uint32_t id, length;
};

struct hostile {
	struct loop *loop;
	struct bundle_end e;
	struct wire peer;
};

static void hostile_start(struct hostile *h, enum bundle_side side, size_t piece)
{
	struct stream *carrier, *far;
	*h = (struct hostile){.loop = loop_new()};
	mem_pair(h->loop, 100000, &carrier, &far);
	bundle_end_start(&h->e, carrier, side, 2);
	wire_start(&h->peer, far, piece);
}

static void say(struct hostile *h, const struct frame *f)
{
	static const char nothing[BUNDLE_LONGEST + 1];
	uint8_t header[BUNDLE_HEADER];
	be_put_u32(header, (uint32_t)f->type << 24 | f->length);
	be_put_u32(header + 4, f->id);
	wire_say_span(&h->peer, (struct span){(const char *)header, sizeof header});
	if (f->type == BUNDLE_DATA && f->length <= BUNDLE_LONGEST)
		wire_say_span(&h->peer, (struct span){nothing, f->length});
}

static void say_all(struct hostile *h, const struct frame *f)
{
	for (size_t i = 0; i < FRAMES && (f[i].type || f[i].length); i++)
		say(h, &f[i]);
}

static void hostile_end(struct hostile *h)
{
	bundle_free(h->e.bundle);
	for (unsigned i = 0; i < h->e.count; i++)
		stream_close(h->e.came[i]);
	wire_free(&h->peer);
	loop_free(h->loop);
}

/* How often it was said so in the frames that were heard. */
static unsigned heard(const struct hostile *h, enum bundle_type type)
{
	unsigned count = 0;
	const uint8_t *p = (const uint8_t *)h->peer.heard.p;
	for (size_t at = 0, length; at + BUNDLE_HEADER <= h->peer.heard.n; at += BUNDLE_HEADER + length) {
		length = p[at] == BUNDLE_DATA ? be_u24(p + at + 1) : 0;
		count += p[at] == type;
	}
	return count;
}

/* It still answers: what was said before was understood up to its last byte. */
static void assert_alive(struct hostile *h)
{
	unsigned before = heard(h, BUNDLE_PONG);
	say(h, &(struct frame){.type = BUNDLE_PING});
	UNTIL(h->loop, h->e.gone || heard(h, BUNDLE_PONG) > before);
	assert_int_equal(h->e.gone, 0);
}

static void assert_refused(struct hostile *h)
{
	UNTIL(h->loop, h->e.gone);
	assert_int_equal(h->e.gone, 1);
	assert_true(h->e.failed);
	assert_int_equal(h->e.err.kind, ERR_PROTOCOL);
}

/* ---- who accepts ---- */

#define OPEN1                                                                                                \
	{                                                                                                    \
		BUNDLE_OPEN, 1, 0                                                                            \
	}

static const struct frame refused[][FRAMES] = {
	{{77, 0, 0}},
	{{0, 0, 1}},
	{{255, 0, 0xffffff}},
	{OPEN1, {77, 1, 0}},
	{OPEN1, {BUNDLE_PING, 1, 0}},
	{OPEN1, {BUNDLE_PONG, 1, 0}},
	{OPEN1, {BUNDLE_LEAVE, 1, 0}},
	{{BUNDLE_OPEN, 0, 0}},
	{{BUNDLE_END, 0, 0}},
	{{BUNDLE_CLOSE, 0, 0}},
	{{BUNDLE_RESET, 0, 0}},
	{{BUNDLE_MOVED, 0, 0}},
	{{BUNDLE_CREDIT, 0, 5}},
	{{BUNDLE_DATA, 0, 5}},
	{{BUNDLE_OPEN, 1, 1}}, /* lengths */
	{{BUNDLE_PING, 0, 1}},
	{{BUNDLE_LEAVE, 0, 0xffffff}},
	{OPEN1, {BUNDLE_END, 1, 1}},
	{OPEN1, {BUNDLE_MOVED, 1, 65536}},
	{OPEN1, {BUNDLE_DATA, 1, 0}},
	{OPEN1, {BUNDLE_DATA, 1, 65536}},
	{OPEN1, {BUNDLE_DATA, 1, 0xffffff}},
	{{BUNDLE_DATA, 1, 1}}, /* never opened */
	{{BUNDLE_END, 1, 0}},
	{{BUNDLE_CREDIT, 1, 1}},
	{OPEN1, {BUNDLE_CLOSE, 2, 0}},
	{OPEN1, {BUNDLE_RESET, 0x7fffffff, 0}},
	{OPEN1, OPEN1}, /* out of turn */
	{{BUNDLE_OPEN, 2, 0}, OPEN1},
	{OPEN1, {BUNDLE_CLOSE, 1, 0}, OPEN1},
	{OPEN1, {BUNDLE_OPEN, 0x90000000, 0}},
	{OPEN1, {BUNDLE_OPEN, 2, 0}, {BUNDLE_OPEN, 3, 0}},			 /* too many */
	{OPEN1, {BUNDLE_CLOSE, 1, 0}, {BUNDLE_OPEN, 2, 0}, {BUNDLE_OPEN, 3, 0}}, /* 1 is not closed here */
	{OPEN1, {BUNDLE_DATA, 1, 32769}},					 /* the window */
	{OPEN1, {BUNDLE_DATA, 1, 65535}},
	{OPEN1, {BUNDLE_DATA, 1, 32768}, {BUNDLE_DATA, 1, 1}},
	{OPEN1, {BUNDLE_END, 1, 0}, {BUNDLE_DATA, 1, 1}}, /* behind the end */
	{OPEN1, {BUNDLE_CLOSE, 1, 0}, {BUNDLE_DATA, 1, 1}},
	{OPEN1, {BUNDLE_RESET, 1, 0}, {BUNDLE_DATA, 1, 1}},
	{OPEN1, {BUNDLE_MOVED, 1, 0}, {BUNDLE_DATA, 1, 1}},
	{OPEN1, {BUNDLE_END, 1, 0}, {BUNDLE_MOVED, 1, 0}},
	{OPEN1, {BUNDLE_MOVED, 1, 0}, {BUNDLE_MOVED, 1, 0}},
	{OPEN1, {BUNDLE_END, 1, 0}, {BUNDLE_END, 1, 0}},
	{OPEN1, {BUNDLE_CLOSE, 1, 0}, {BUNDLE_CLOSE, 1, 0}},
	{OPEN1, {BUNDLE_CLOSE, 1, 0}, {BUNDLE_END, 1, 0}},
	{OPEN1, {BUNDLE_RESET, 1, 0}, {BUNDLE_CLOSE, 1, 0}},
	{OPEN1, {BUNDLE_CREDIT, 1, 0}}, /* wider than it was */
	{OPEN1, {BUNDLE_CREDIT, 1, 1}},
	{OPEN1, {BUNDLE_CREDIT, 1, 0xffffff}},
	{OPEN1, {BUNDLE_MOVE, 1, 0}}, /* his to say, not the dialler's */
};

static const struct frame understood[][FRAMES] = {
	{{BUNDLE_PONG, 0, 0}, {BUNDLE_PONG, 0, 0}},
	{OPEN1, {BUNDLE_OPEN, 2, 0}},
	{{BUNDLE_OPEN, 100, 0}, {BUNDLE_OPEN, 2000000000, 0}},
	{OPEN1, {BUNDLE_DATA, 1, 32768}, {BUNDLE_END, 1, 0}, {BUNDLE_CLOSE, 1, 0}},
	{OPEN1, {BUNDLE_DATA, 1, 1}, {BUNDLE_MOVED, 1, 0}, {BUNDLE_END, 1, 0}, {BUNDLE_RESET, 1, 0}},
	{OPEN1, {BUNDLE_MOVED, 1, 0}, {BUNDLE_CLOSE, 1, 0}},
};

static void what_who_accepts_refuses(void **state)
{
	(void)state;
	for (size_t n = 0; n < countof(refused) * 2; n++) {
		struct hostile h;
		hostile_start(&h, BUNDLE_ACCEPTS, n & 1 ? 1 : 4096);
		say_all(&h, refused[n / 2]);
		assert_refused(&h);
		hostile_end(&h);
	}
}

static void what_who_accepts_understands(void **state)
{
	(void)state;
	for (size_t n = 0; n < countof(understood) * 2; n++) {
		struct hostile h;
		hostile_start(&h, BUNDLE_ACCEPTS, n & 1 ? 1 : 4096);
		say_all(&h, understood[n / 2]);
		assert_alive(&h);
		hostile_end(&h);
	}
}

/* Said before our CLOSE had arrived, whatever it is: to nobody. */
static void frames_of_closed_strands_are_passed_over(void **state)
{
	static const struct frame late[FRAMES] = {{BUNDLE_DATA, 1, 32768},   {BUNDLE_DATA, 1, 65535},
						  {BUNDLE_CREDIT, 1, 99999}, {BUNDLE_MOVED, 1, 0},
						  {BUNDLE_END, 1, 0},	     {BUNDLE_END, 1, 0},
						  {BUNDLE_RESET, 1, 0},	     {BUNDLE_CLOSE, 1, 0}};
	(void)state;
	for (int n = 0; n < 4; n++) {
		struct hostile h;
		struct stream *s;
		hostile_start(&h, n & 1 ? BUNDLE_ACCEPTS : BUNDLE_DIALS, n & 2 ? 3 : 4096);
		if (n & 1) {
			say(&h, &(struct frame)OPEN1);
			UNTIL(h.loop, h.e.count);
			s = h.e.came[0];
			h.e.count = 0;
		} else {
			s = bundle_open(h.e.bundle);
		}
		(n & 2 ? stream_close : stream_abort)(s);
		say_all(&h, late);
		assert_alive(&h);
		assert_int_equal(bundle_count(h.e.bundle), 0);
		hostile_end(&h);
	}
}

/* Closed here in the middle of a payload. */
static void a_strand_closed_within_a_frame(void **state)
{
	(void)state;
	struct hostile h;
	hostile_start(&h, BUNDLE_ACCEPTS, 10);
	say(&h, &(struct frame)OPEN1);
	say(&h, &(struct frame){BUNDLE_DATA, 1, 30000});
	UNTIL(h.loop, h.peer.said.n < 20000);
	stream_close(h.e.came[0]);
	h.e.count = 0;
	assert_alive(&h);
	hostile_end(&h);
}

/* ---- who dials ---- */

static void what_who_dials_refuses(void **state)
{
	static const struct frame cases[][FRAMES] = {
		{OPEN1},
		{{BUNDLE_OPEN, 2, 0}},
		{{BUNDLE_DATA, 2, 1}},
		{{BUNDLE_END, 2, 0}},
		{{BUNDLE_MOVE, 2, 0}},
		{{BUNDLE_MOVE, 0, 0}},
		{{BUNDLE_CREDIT, 1, 1}},
		{{BUNDLE_DATA, 1, 32769}},
		{{BUNDLE_END, 1, 0}, {BUNDLE_END, 1, 0}},
		{{BUNDLE_CLOSE, 1, 0}, {BUNDLE_DATA, 1, 1}},
		{{BUNDLE_MOVED, 1, 0}, {BUNDLE_DATA, 1, 1}},
	};
	(void)state;
	for (size_t n = 0; n < countof(cases) * 2; n++) {
		struct hostile h;
		hostile_start(&h, BUNDLE_DIALS, n & 1 ? 1 : 4096);
		struct stream *s = bundle_open(h.e.bundle);
		say_all(&h, cases[n / 2]);
		assert_refused(&h);
		stream_close(s);
		hostile_end(&h);
	}
}

/* Asked as often as one likes, a lane is asked for once. */
static void asking_again_and_again(void **state)
{
	(void)state;
	struct hostile h;
	hostile_start(&h, BUNDLE_DIALS, 4096);
	struct stream *s = bundle_open(h.e.bundle);
	for (int i = 0; i < 100; i++)
		say(&h, &(struct frame){BUNDLE_MOVE, 1, 0});
	assert_alive(&h);
	assert_int_equal(h.e.asked, 1);
	stream_close(s);
	hostile_end(&h);
}

/* ---- floods ---- */

/* He asks without end and reads no answer: they are not kept. */
static void pings_that_nobody_reads(void **state)
{
	(void)state;
	struct hostile h;
	hostile_start(&h, BUNDLE_ACCEPTS, 4096);
	wire_deafen(&h.peer);
	for (int i = 0; i < 60000; i++)
		say(&h, &(struct frame){.type = BUNDLE_PING});
	UNTIL(h.loop, !h.peer.said.n);
	assert_true(loop_blocks(h.loop)->used <= 3);
	wire_listen(&h.peer);
	assert_alive(&h);
	hostile_end(&h);
}

/* He opens and breaks off without end, and reads nothing of that: those we could not tell yet count. */
static void opened_and_broken_off_without_end(void **state)
{
	(void)state;
	for (int reads = 0; reads < 2; reads++) {
		struct hostile h;
		hostile_start(&h, BUNDLE_ACCEPTS, 4096);
		h.e.refuses = true;
		if (!reads)
			wire_deafen(&h.peer);
		for (uint32_t id = 1; id < 60000; id++) {
			say(&h, &(struct frame){BUNDLE_OPEN, id, 0});
			say(&h, &(struct frame){BUNDLE_RESET, id, 0});
		}
		UNTIL(h.loop, h.e.gone || !h.peer.said.n);
		assert_true(loop_blocks(h.loop)->used <= 3);
		if (!h.e.gone)
			assert_true(bundle_count(h.e.bundle) <= 2);
		assert_int_equal(h.e.gone, !reads);
		hostile_end(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_who_accepts_refuses),
		cmocka_unit_test(what_who_accepts_understands),
		cmocka_unit_test(frames_of_closed_strands_are_passed_over),
		cmocka_unit_test(a_strand_closed_within_a_frame),
		cmocka_unit_test(what_who_dials_refuses),
		cmocka_unit_test(asking_again_and_again),
		cmocka_unit_test(pings_that_nobody_reads),
		cmocka_unit_test(opened_and_broken_off_without_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
