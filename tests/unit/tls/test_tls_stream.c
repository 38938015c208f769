/* Our client against our server over a memory stream: whole, cut, broken, resumed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/check.h"
#include "support/mem_stream.h"
#include "support/tls_pair.h"

static struct loop *loop;
static struct tls_world world;

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	tls_world_init(&world, NULL, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tls_world_free(&world);
	loop_free(loop);
	return 0;
}

static struct span bytes(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 31 + (i >> 8));
	return (struct span){p, n};
}

static void secure(struct tls_pair *p)
{
	tls_pair_settle(p);
	assert_non_null(p->client.s);
	assert_non_null(p->server.s);
}

static void exchange(size_t capacity, size_t n)
{
	struct tls_pair p;
	char *data = malloc(n);
	struct span sent = bytes(data, n);
	tls_pair_start(&p, loop, &world, capacity, NULL);
	secure(&p);
	tls_side_read(&p.client);
	tls_side_read(&p.server);
	tls_side_write(&p.client, sent);
	tls_side_write(&p.server, sent);
	tls_pair_settle(&p);
	assert_true(p.client.written && p.server.written);
	assert_true(span_is(buf_span(&p.server.got), sent));
	assert_true(span_is(buf_span(&p.client.got), sent));
	/* Both wait for more, and hold nothing meanwhile. */
	assert_int_equal(loop_blocks(loop)->used, 0);
	tls_side_shutdown(&p.client);
	tls_pair_settle(&p);
	assert_true(p.server.ended && !p.server.failed);
	assert_false(p.client.ended);
	/* One direction has ended; the other goes on. */
	tls_side_write(&p.server, SPAN("still here"));
	tls_pair_settle(&p);
	assert_int_equal(p.client.got.n, n + 10);
	tls_side_shutdown(&p.server);
	tls_pair_settle(&p);
	assert_true(p.client.ended && !p.client.failed);
	tls_pair_free(&p);
	free(data);
}

static void capacity_1(void **state)
{
	(void)state;
	exchange(1, 700);
}

static void capacity_7(void **state)
{
	(void)state;
	exchange(7, 20000);
}

static void capacity_4096(void **state)
{
	(void)state;
	exchange(4096, 300000);
}

/* The server's tickets are read when an upload is stuck: that must not seal a record twice. */
static void a_ticket_in_the_middle_of_an_upload(void **state)
{
	(void)state;
	struct tls_pair p;
	struct tls_world w;
	struct tls_options with_tickets = {0};
	static char data[300000];
	struct span sent = bytes(data, sizeof data);
	tls_world_init(&w, NULL, &with_tickets);
	tls_pair_start(&p, loop, &w, 4096, NULL);
	secure(&p);
	tls_side_write(&p.client, sent);
	tls_pair_settle(&p); /* as much as fits; nobody reads at the other end */
	tls_side_read(&p.client);
	tls_pair_settle(&p); /* the tickets */
	tls_side_read(&p.server);
	tls_pair_settle(&p);
	assert_true(p.client.written);
	assert_int_equal(p.server.got.n, sent.n);
	assert_true(span_is(buf_span(&p.server.got), sent));
	tls_pair_free(&p);
	tls_world_free(&w);
}

/* Whenever it is asked for: in the middle of records, with tickets unread, between two requests. */
static void rest_at_any_time(void **state)
{
	(void)state;
	struct tls_pair p;
	struct tls_world w;
	struct tls_options with_tickets = {0};
	static char data[60000];
	struct span sent = bytes(data, sizeof data);
	tls_world_init(&w, NULL, &with_tickets);
	tls_pair_start(&p, loop, &w, 100, NULL);
	secure(&p);
	tls_rest(p.client.s);
	for (unsigned round = 1; round <= 2; round++) {
		tls_side_write(&p.client, sent);
		tls_side_write(&p.server, sent);
		if (round == 1) {
			tls_side_read(&p.client);
			tls_side_read(&p.server);
		}
		while (loop_step(loop, 0)) {
			tls_rest(p.client.s);
			tls_rest(p.server.s);
		}
		assert_int_equal(p.client.got.n, round * sent.n);
		assert_int_equal(p.server.got.n, round * sent.n);
		assert_true(p.client.written && p.server.written);
		tls_rest(p.client.s);
		tls_rest(p.server.s);
		p.client.written = p.server.written = false;
	}
	assert_true(span_is(span_from(buf_span(&p.client.got), sent.n), sent));
	assert_true(span_is(span_from(buf_span(&p.server.got), sent.n), sent));
	tls_side_shutdown(&p.client);
	tls_pair_settle(&p);
	assert_true(p.server.ended && !p.server.failed);
	tls_rest(p.client.s);
	tls_pair_free(&p);
	tls_world_free(&w);
}

static void records_are_delivered_together(void **state)
{
	(void)state;
	struct tls_pair p;
	static char data[200000];
	struct span sent = bytes(data, sizeof data);
	tls_pair_start(&p, loop, &world, 1u << 20, NULL);
	secure(&p);
	tls_side_write(&p.server, sent);
	tls_pair_settle(&p);
	tls_side_read(&p.client);
	tls_pair_settle(&p);
	assert_true(span_is(buf_span(&p.client.got), sent));
	/* 13 records or more; not one delivery each. */
	assert_in_range(p.client.reads, 4, 8);
	tls_pair_free(&p);
}

/* A read that was taken back loses nothing, also when bytes came meanwhile. */
static void a_read_is_taken_back(void **state)
{
	(void)state;
	struct tls_pair p;
	tls_pair_start(&p, loop, &world, 4096, NULL);
	secure(&p);
	tls_side_read(&p.client);
	tls_pair_settle(&p);
	stream_read_cancel(p.client.s);
	tls_side_write(&p.server, SPAN("meanwhile"));
	tls_pair_settle(&p);
	assert_int_equal(p.client.got.n, 0);
	tls_side_read(&p.client);
	tls_pair_settle(&p);
	assert_true(span_is(buf_span(&p.client.got), SPAN("meanwhile")));
	tls_pair_free(&p);
}

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

static void refused(const char *host, struct tls_conf *conf, enum error_kind kind, const char *reason)
{
	struct tls_pair p;
	struct tls_start extra = {.host = host, .conf = conf};
	tls_pair_start(&p, loop, &world, 4096, &extra);
	tls_pair_settle(&p);
	assert_null(p.client.s);
	assert_int_equal(p.client.err.kind, kind);
	assert_int_equal(p.client.err.hop, HOP_SERVICE);
	if (!strstr(p.client.err.text, reason))
		fail_msg("%s", p.client.err.text);
	/* The server is told, and its handshake never completes. */
	assert_null(p.server.s);
	assert_int_equal(p.server.err.kind, ERR_TLS_ALERT);
	tls_pair_free(&p);
}

static void wrong_names(void **state)
{
	(void)state;
	refused("other.test", NULL, ERR_TLS_CERTIFICATE, "not valid for this host name");
	refused("a.service.test", NULL, ERR_TLS_CERTIFICATE, "not valid for this host name");
	refused("127.0.0.2", NULL, ERR_TLS_CERTIFICATE, "not valid for this IP address");
}

static void right_address(void **state)
{
	(void)state;
	struct tls_pair p;
	struct tls_start extra = {.host = "127.0.0.1"};
	tls_pair_start(&p, loop, &world, 4096, &extra);
	secure(&p);
	struct tls_info info;
	tls_info(p.client.s, &info);
	assert_string_equal(info.protocol, "TLSv1.3");
	assert_string_equal(info.cipher, "TLS1-3-AES-128-GCM-SHA256");
	assert_string_equal(info.subject, "CN=" PAIR_HOST);
	assert_true(info.has_certificate && !info.resumed);
	tls_pair_free(&p);
}

static void unknown_root(void **state)
{
	(void)state;
	struct tls_world other;
	tls_world_init(&other, NULL, NULL);
	refused(PAIR_HOST, other.client, ERR_TLS_CERTIFICATE, "path to a trusted root");
	tls_world_free(&other);
}

static void expired(void **state)
{
	(void)state;
#ifdef NP_ENCLAVE_BUILD
	skip(); /* there the time is the clock's */
#endif
	struct tls_world later;
	struct tls_options o = {.at = time(NULL) + 8 * 86400};
	const char *files[] = {world.ca_path, NULL};
	o.ca_files = files;
	tls_world_init(&later, &o, NULL);
	refused(PAIR_HOST, later.client, ERR_TLS_CERTIFICATE, "expired on");
	tls_world_free(&later);
}

static void verification_can_be_switched_off(void **state)
{
	(void)state;
	struct tls_world open;
	struct tls_options o = {.no_verify = true};
	tls_world_init(&open, &o, NULL);
	struct tls_pair p;
	struct tls_start extra = {.host = "other.test", .conf = open.client};
	tls_pair_start(&p, loop, &world, 4096, &extra);
	secure(&p);
	tls_pair_free(&p);
	tls_world_free(&open);
}

/* A connection to host; says whether it was resumed. Tickets that come are taken in. */
static bool resumed(struct tls_world *w, const char *host, struct session_cache *sessions)
{
	struct tls_pair p;
	struct tls_start extra = {.host = host, .sessions = sessions};
	tls_pair_start(&p, loop, w, 4096, &extra);
	secure(&p);
	tls_side_read(&p.client);
	tls_pair_settle(&p);
	assert_false(p.client.failed);
	struct tls_info info;
	tls_info(p.client.s, &info);
	assert_int_equal(info.resumed, !info.has_certificate);
	/* Whose certificate it was is not forgotten. */
	static uint8_t leaf[sizeof info.leaf_sha256];
	if (info.has_certificate)
		memcpy(leaf, info.leaf_sha256, sizeof leaf);
	assert_memory_equal(info.leaf_sha256, leaf, sizeof leaf);
	tls_pair_free(&p);
	return info.resumed;
}

static void sessions_are_resumed(void **state)
{
	(void)state;
	struct tls_world w;
	struct tls_options with_tickets = {0};
	tls_world_init(&w, NULL, &with_tickets);
	struct session_cache *sessions = session_cache_new(10);
	assert_false(resumed(&w, PAIR_HOST, sessions));
	assert_int_equal(session_count(sessions), 1);
	/* Another name has to be proved afresh, though the server is the same. */
	assert_false(resumed(&w, "127.0.0.1", sessions));
	assert_true(resumed(&w, PAIR_HOST, sessions));
	assert_true(resumed(&w, "127.0.0.1", sessions));
	/* Another trust store: nothing is found. */
	struct tls_world other;
	tls_world_init(&other, NULL, &with_tickets);
	assert_false(resumed(&other, PAIR_HOST, sessions));
	tls_world_free(&other);
	session_cache_free(sessions);
	tls_world_free(&w);
}

/* A server that has lost its ticket keys: the handshake falls back to a full one. */
static void a_stale_ticket_does_no_harm(void **state)
{
	(void)state;
	struct tls_world w;
	struct tls_options with_tickets = {0};
	tls_world_init(&w, NULL, &with_tickets);
	struct session_cache *sessions = session_cache_new(10);
	assert_false(resumed(&w, PAIR_HOST, sessions));
	struct tls_conf *old = w.server;
	struct tls_options s = {
		.role = TLS_SERVER, .chain_pem = buf_span(&w.chain), .key_pem = buf_span(&w.key)};
	struct error err;
	w.server = tls_conf_new(&s, &err);
	assert_non_null(w.server);
	assert_false(resumed(&w, PAIR_HOST, sessions));
	assert_true(resumed(&w, PAIR_HOST, sessions));
	tls_conf_free(old);
	session_cache_free(sessions);
	tls_world_free(&w);
}

/* ---- the preface ---- */

static const char hello[] = "HELLO";

static enum tls_preface take_hello(void *arg, struct block *b, struct error *err)
{
	size_t *seen = arg;
	if (!b) {
		error_set(err, ERR_IO, "no hello");
		return PREFACE_FAILED;
	}
	while (b->len && *seen < 5) {
		if (b->data[0] != (uint8_t)hello[*seen]) {
			error_set(err, ERR_REFUSED, "another hello");
			return PREFACE_FAILED;
		}
		block_take(b, 1);
		++*seen;
	}
	return *seen == 5 ? PREFACE_DONE : PREFACE_MORE;
}

struct preface_case {
	struct tls_side client, server;
	struct stream *lower;
};

static void on_client(void *arg, struct stream *s, const struct error *err)
{
	struct tls_side *side = arg;
	side->starting = NULL;
	side->s = s;
	if (err)
		side->err = *err;
}

static void on_hello_written(void *arg, const struct error *err)
{
	struct preface_case *c = arg;
	assert_null(err);
	struct tls_start s = {.conf = world.server, .lower = c->lower};
	c->server.starting = tls_start(&s, on_client, &c->server);
}

static struct preface_case preface(size_t capacity, const char *text)
{
	static size_t seen;
	static struct span out;
	struct preface_case c = {0};
	struct stream *a;
	mem_pair(loop, capacity, &a, &c.lower);
	seen = 0;
	out = span_of(text);
	struct tls_start s = {.conf = world.client,
			      .lower = a,
			      .host = PAIR_HOST,
			      .preface = take_hello,
			      .preface_arg = &seen};
	c.client.starting = tls_start(&s, on_client, &c.client);
	stream_write(c.lower, &out, 1, on_hello_written, &c);
	while (loop_step(loop, 0))
		;
	return c;
}

static void end_preface(struct preface_case *c)
{
	stream_close(c->client.s);
	if (c->server.starting)
		tls_cancel(c->server.starting);
	stream_close(c->server.s);
	assert_int_equal(loop_blocks(loop)->used, 0);
}

static void a_preface_comes_first(void **state)
{
	(void)state;
	static const size_t capacities[] = {1, 7, 4096};
	for (size_t i = 0; i < countof(capacities); i++) {
		struct preface_case c = preface(capacities[i], hello);
		assert_non_null(c.client.s);
		assert_non_null(c.server.s);
		end_preface(&c);
	}
}

static void a_refused_preface_ends_it(void **state)
{
	(void)state;
	struct preface_case c = preface(4096, "HELP!");
	assert_null(c.client.s);
	assert_int_equal(c.client.err.kind, ERR_REFUSED);
	end_preface(&c);
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
		cmocka_unit_test(capacity_1),
		cmocka_unit_test(capacity_7),
		cmocka_unit_test(capacity_4096),
		cmocka_unit_test(a_ticket_in_the_middle_of_an_upload),
		cmocka_unit_test(rest_at_any_time),
		cmocka_unit_test(records_are_delivered_together),
		cmocka_unit_test(a_read_is_taken_back),
		cmocka_unit_test(cut_and_failed_anywhere),
		cmocka_unit_test(cut_behind_data_is_truncated),
		cmocka_unit_test(wrong_names),
		cmocka_unit_test(right_address),
		cmocka_unit_test(unknown_root),
		cmocka_unit_test(expired),
		cmocka_unit_test(verification_can_be_switched_off),
		cmocka_unit_test(sessions_are_resumed),
		cmocka_unit_test(a_stale_ticket_does_no_harm),
		cmocka_unit_test(a_preface_comes_first),
		cmocka_unit_test(a_refused_preface_ends_it),
		cmocka_unit_test(cancelled_at_every_step),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
