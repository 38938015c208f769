/* Our client's handshake with our server: whom it believes, what is resumed, and what comes before it. */
#include <time.h>

#include "base/check.h"
#include "support/mem_stream.h"
#include "unit/tls/one_world.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_names),
		cmocka_unit_test(right_address),
		cmocka_unit_test(unknown_root),
		cmocka_unit_test(expired),
		cmocka_unit_test(verification_can_be_switched_off),
		cmocka_unit_test(sessions_are_resumed),
		cmocka_unit_test(a_stale_ticket_does_no_harm),
		cmocka_unit_test(a_preface_comes_first),
		cmocka_unit_test(a_refused_preface_ends_it),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
