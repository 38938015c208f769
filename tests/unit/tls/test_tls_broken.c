/* Our client against our server over a memory stream that breaks, or that is left in the middle of the handshake. */
#include "support/mem_stream.h"
#include "unit/tls/one_world.h"

/* What may come of a connection that breaks: an error, and never a clean end. */
static void judge_broken(struct tls_pair *p)
{
	tls_pair_settle(p);
	if (p->client.s)
		tls_side_read(&p->client);
	if (p->server.s) {
		tls_side_write(&p->server, SPAN("an answer of which nothing must be lost or made up"));
		tls_pair_settle(p);
		if (!p->server.failed && p->server.written)
			tls_side_shutdown(&p->server);
	}
	tls_pair_settle(p);
	assert_true(p->client.failed);
	assert_false(p->client.ended);
	assert_int_not_equal(p->client.err.kind, ERR_NONE);
}

static uint64_t whole_length(void)
{
	struct tls_pair p;
	tls_pair_start(&p, loop, &world, 4096, NULL);
	secure(&p);
	tls_side_write(&p.server, SPAN("an answer of which nothing must be lost or made up"));
	tls_pair_settle(&p);
	uint64_t n = mem_sent(p.lower_server);
	tls_pair_free(&p);
	return n;
}

static void broken_at(uint64_t n, void (*breakage)(struct stream *, uint64_t))
{
	struct tls_pair p;
	tls_pair_start(&p, loop, &world, 4096, NULL);
	breakage(p.lower_server, n);
	judge_broken(&p);
	if (p.client.err.kind != ERR_TLS && p.client.err.kind != ERR_TRUNCATED &&
	    p.client.err.kind != ERR_RESET)
		fail_msg("byte %d: %s", (int)n, p.client.err.text);
	tls_pair_free(&p);
}

/* A handshake each: every 17th byte, and more of the last ones, where the answer is. */
static void cut_and_failed_anywhere(void **state)
{
	(void)state;
	uint64_t all = whole_length();
	for (uint64_t n = 0; n < all; n += n + 60 < all ? 17 : 3) {
		broken_at(n, mem_cut);
		broken_at(n + 3, mem_fail);
	}
}

static void cut_behind_data_is_truncated(void **state)
{
	(void)state;
	struct tls_pair p;
	tls_pair_start(&p, loop, &world, 4096, NULL);
	secure(&p);
	tls_side_write(&p.server, SPAN("whole record"));
	tls_pair_settle(&p);
	stream_close(p.server.s); /* without close_notify */
	p.server.s = NULL;
	tls_side_read(&p.client);
	tls_pair_settle(&p);
	assert_int_equal(p.client.got.n, 12);
	assert_int_equal(p.client.err.kind, ERR_TRUNCATED);
	assert_false(p.client.ended);
	tls_pair_free(&p);
}

static void cancelled_at_every_step(void **state)
{
	(void)state;
	for (int steps = 0; steps < 40; steps++) {
		struct tls_pair p;
		tls_pair_start(&p, loop, &world, 400, NULL);
		for (int i = 0; i < steps && loop_step(loop, 0); i++)
			;
		tls_pair_free(&p); /* CHECKs that no block is left */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_and_failed_anywhere),
		cmocka_unit_test(cut_behind_data_is_truncated),
		cmocka_unit_test(cancelled_at_every_step),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
