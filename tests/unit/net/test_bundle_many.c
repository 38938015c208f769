/* Many strands at a time: the blocks that they need, and that there are no more than agreed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/bundle.h"
#include "support/bundle_pair.h"
#include "support/until.h"

/* ---- blocks ---- */

static void on_written(void *arg, const struct error *err)
{
	assert_null(err);
	*(bool *)arg = true;
}

struct ten {
	struct bundle_pair t;
	struct stream *here[10], *there[10];
	bool written[10];
	size_t most; /* blocks in use while somebody hears his word */
	int heard, failed;
	bool stop; /* with the first word */
};

static void on_word(void *arg, struct block *b, const struct error *err)
{
	struct ten *k = arg;
	size_t used = loop_blocks(k->t.loop)->used;
	k->most = used > k->most ? used : k->most;
	k->heard += b != NULL;
	k->failed += err != NULL;
	block_put(b);
	if (k->stop)
		bundle_free(k->t.accepts.bundle);
	if (k->stop)
		k->t.accepts.bundle = NULL;
	k->stop = false;
}

static void ten_start(struct ten *k)
{
	bundle_pair_start(&k->t, OVER_SOCKETS, 10);
	for (int i = 0; i < 10; i++)
		k->here[i] = bundle_pair_open(&k->t, &k->there[i]);
	for (int i = 0; i < 10; i++) {
		stream_read(k->there[i], on_word, k);
		stream_write(k->here[i], &SPAN("hello"), 1, on_written, &k->written[i]);
	}
}

static void ten_end(struct ten *k)
{
	for (int i = 0; i < 10; i++) {
		stream_close(k->here[i]);
		stream_close(k->there[i]);
	}
	bundle_pair_end(&k->t);
}

/* All ten words come in one read, and each is worked on before the next one is given a block. */
static void a_few_blocks_do_for_all(void **state)
{
	(void)state;
	struct ten k = {0};
	ten_start(&k);
	UNTIL(k.t.loop, k.heard == 10);
	assert_in_range(k.most, 2, 3); /* what was read, and one or two strands' */
	ten_end(&k);
}

static void an_end_between_two_words(void **state)
{
	(void)state;
	struct ten k = {.stop = true};
	ten_start(&k);
	UNTIL(k.t.loop, k.heard + k.failed == 10);
	assert_in_range(k.heard, 1, 2);
	ten_end(&k);
}

/* ---- how many ---- */

static void no_more_than_agreed(void **state)
{
	(void)state;
	struct bundle_pair t;
	struct stream *s[4], *there[4];
	bundle_pair_start(&t, 7, 4);
	for (int i = 0; i < 4; i++)
		s[i] = bundle_pair_open(&t, &there[i]);
	assert_null(bundle_open(t.dials.bundle));
	stream_close(s[2]);
	stream_close(there[2]);
	UNTIL(t.loop, (s[2] = bundle_open(t.dials.bundle)));
	assert_null(bundle_open(t.dials.bundle));
	UNTIL(t.loop, t.accepts.count == 5);
	for (int i = 0; i < 4; i++) {
		stream_close(s[i]);
		if (i != 2)
			stream_close(there[i]);
	}
	bundle_pair_end(&t);
}

/* The other side closes late: it has no more of them for that, and who opens is not blamed. */
static void churn_at_the_limit(void **state)
{
	(void)state;
	struct bundle_pair t;
	bundle_pair_start(&t, 4096, 3);
	unsigned opened = 0, closed = 0;
	for (int turn = 0; turn < 20000 && opened < 60; turn++) {
		for (struct stream *s; opened < 60 && (s = bundle_open(t.dials.bundle)); opened++)
			(turn & 1 ? stream_close : stream_abort)(s);
		loop_step(t.loop, 0);
		assert_int_equal(t.accepts.gone + t.dials.gone, 0);
		assert_true(bundle_count(t.accepts.bundle) <= 3);
		if (turn % 5 == 4 && closed < t.accepts.count) {
			stream_close(t.accepts.came[closed]);
			t.accepts.came[closed++] = NULL;
		}
	}
	assert_int_equal(opened, 60);
	bundle_pair_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_blocks_do_for_all),
		cmocka_unit_test(an_end_between_two_words),
		cmocka_unit_test(no_more_than_agreed),
		cmocka_unit_test(churn_at_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
