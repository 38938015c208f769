/*
 * Certificates that are trusted for their key: made by themselves, known by the key's digest, which is the
 * digest of whoever can sign with it and of nobody else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "support/tls_pair.h"
#include "tls/tls_conf_impl.h"

struct server {
	struct buf chain, key;
	struct tls_conf *conf;
};

static void server_init(struct server *s, const char *const *hosts)
{
	struct error err;
	buf_init(&s->chain, CERT_PEM_MAX);
	buf_init(&s->key, CERT_PEM_MAX);
	if (!cert_issue_self(hosts, time(NULL), 2, &s->chain, &s->key, &err))
		fail_msg("%s", err.text);
	s->conf = tls_conf_new(&(struct tls_options){.role = TLS_SERVER,
						     .chain_pem = buf_span(&s->chain),
						     .key_pem = buf_span(&s->key),
						     .no_tickets = true},
			       &err);
	if (!s->conf)
		fail_msg("%s", err.text);
}

static void server_free(struct server *s)
{
	tls_conf_free(s->conf);
	buf_free(&s->chain);
	buf_free(&s->key);
}

static const char *const hosts[] = {"enclave.internal", "127.0.0.1", NULL};

/* A client that believes any certificate, and what it makes of this server. */
struct meeting {
	struct loop *loop;
	struct tls_world world;
	struct tls_conf *own; /* of the world: to be put back */
	struct tls_pair pair;
};

static void meet(struct meeting *m, const struct server *s)
{
	m->loop = loop_new();
	tls_world_init(&m->world, &(struct tls_options){.no_verify = true}, NULL);
	m->own = m->world.server;
	m->world.server = s->conf;
	tls_pair_start(&m->pair, m->loop, &m->world, 65536, NULL);
	tls_pair_settle(&m->pair);
}

static void part(struct meeting *m)
{
	tls_pair_free(&m->pair);
	m->world.server = m->own;
	tls_world_free(&m->world);
	loop_free(m->loop);
}

static void test_client_sees_the_key(void **state)
{
	struct server s, other;
	struct meeting m;
	struct tls_info info;
	uint8_t key[32], others[32];
	(void)state;
	server_init(&s, hosts);
	server_init(&other, hosts);
	tls_conf_key_sha256(s.conf, key);
	tls_conf_key_sha256(other.conf, others);
	assert_memory_not_equal(key, others, sizeof key);
	meet(&m, &s);
	assert_non_null(m.pair.client.s);
	tls_info(m.pair.client.s, &info);
	assert_true(info.has_certificate);
	assert_memory_equal(info.key_sha256, key, sizeof key);
	assert_memory_not_equal(info.leaf_sha256, key, sizeof key);
	part(&m);
	server_free(&other);
	server_free(&s);
}

/* That of another, instead of its own. */
static void show_certificate(struct tls_conf *conf, struct server *of)
{
	mbedtls_x509_crt *shown = &conf->chain;
	mbedtls_x509_crt_free(shown);
	mbedtls_x509_crt_init(shown);
	const char *pem = buf_text(&of->chain);
	assert_int_equal(mbedtls_x509_crt_parse(shown, (const unsigned char *)pem, strlen(pem) + 1), 0);
}

/* Somebody shows the enclave's certificate, but can only sign with a key of his own. */
static void test_certificate_without_its_key(void **state)
{
	struct server enclave, thief;
	struct meeting m;
	(void)state;
	server_init(&enclave, hosts);
	server_init(&thief, hosts);
	show_certificate(thief.conf, &enclave);
	meet(&m, &thief);
	assert_true(m.pair.client.failed); /* its own verdict, not the thief's alert */
	assert_int_equal(m.pair.client.err.kind, ERR_TLS);
	assert_null(m.pair.client.s);
	part(&m);
	server_free(&thief);
	server_free(&enclave);
}

/*
 * The other way round: a server that asks who comes. With its own key this client comes as far as the
 * judgement of its certificate, which is a server's; with another key not even that far.
 */
static void test_client_without_its_key(void **state)
{
	(void)state;
	struct server client, thief;
	server_init(&client, hosts);
	server_init(&thief, hosts);
	for (int steals = 0; steals < 2; steals++) {
		struct error err;
		struct meeting m = {.loop = loop_new()};
		tls_world_init(&m.world, &(struct tls_options){.no_verify = true}, NULL);
		tls_conf_free(m.world.server);
		tls_conf_free(m.world.client);
		const char *ca_files[] = {m.world.ca_path, NULL};
		m.own = m.world.server =
			tls_conf_new(&(struct tls_options){.role = TLS_SERVER,
							   .chain_pem = buf_span(&m.world.chain),
							   .key_pem = buf_span(&m.world.key),
							   .ca_files = ca_files,
							   .no_tickets = true},
				     &err);
		const struct server *own = steals ? &thief : &client;
		m.world.client = tls_conf_new(&(struct tls_options){.no_verify = true,
								    .chain_pem = buf_span(&own->chain),
								    .key_pem = buf_span(&own->key)},
					      &err);
		assert_true(m.world.server && m.world.client);
		show_certificate(m.world.client, &client);
		tls_pair_start(&m.pair, m.loop, &m.world, 65536, NULL);
		tls_pair_settle(&m.pair);
		if (!steals) { /* it believes the handshake over, and is told why not when it reads */
			assert_false(m.pair.server.failed);
			tls_side_write(&m.pair.client, SPAN("GET / HTTP/1.1"));
			tls_side_read(&m.pair.client);
			tls_pair_settle(&m.pair);
			assert_string_equal(m.pair.client.err.text,
					    "the service refused with alert unsupported_certificate (43)");
			stream_close(m.pair.client.s);
			m.pair.client.s = NULL;
			tls_pair_settle(&m.pair);
		}
		assert_true(m.pair.server.failed);
		assert_int_equal(m.pair.server.err.kind, steals ? ERR_TLS : ERR_TLS_CERTIFICATE);
		if (!steals)
			assert_string_equal(
				m.pair.server.err.text,
				"client certificate: its extended key usage does not name clientAuth");
		part(&m);
	}
	server_free(&thief);
	server_free(&client);
}

static void test_names(void **state)
{
	static const char *const no_name[] = {"a b", NULL};
	struct buf chain, key;
	struct error err;
	(void)state;
	buf_init(&chain, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	assert_false(cert_issue_self(no_name, time(NULL), 2, &chain, &key, &err));
	assert_int_equal(chain.n + key.n, 0);
	buf_free(&chain);
	buf_free(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_sees_the_key),
		cmocka_unit_test(test_certificate_without_its_key),
		cmocka_unit_test(test_client_without_its_key),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
