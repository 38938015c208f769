/* Known chains are accepted for less; nothing else is accepted because of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "support/mint.h"
#include "support/tls_pair.h"
#include "tls/cert_parse.h"
#include "tls/verify.h"

#define IN_2026	 1782000000 /* 21 June */
#define END_2026 1798761599
#define DAY	 86400
#define TWO_NAMES                                                                                            \
	SPAN("\x82\x0b"                                                                                      \
	     "example.com"                                                                                   \
	     "\x82\x0b"                                                                                      \
	     "example.net")

struct setting {
	mbedtls_x509_crt root, sent;
	struct trust *trust;
	struct chain_cache *cache;
};

/* root > middle > leaf for example.com and example.net */
static void start(struct setting *s, const struct mint *root, const struct mint *middle,
		  const struct mint *leaf, size_t max)
{
	mbedtls_x509_crt_init(&s->root);
	mbedtls_x509_crt_init(&s->sent);
	assert_int_equal(mint_add(&s->root, root), 0);
	assert_int_equal(mint_add(&s->sent, leaf), 0);
	assert_int_equal(mint_add(&s->sent, middle), 0);
	s->trust = mint_trust(&s->root);
	s->cache = chain_cache_new(s->trust, max);
}

static void start_good(struct setting *s)
{
	struct mint root = mint_root(), middle = mint_intermediate(), leaf = mint_leaf();
	leaf.names = TWO_NAMES;
	start(s, &root, &middle, &leaf, 8);
}

static void end(struct setting *s)
{
	chain_cache_free(s->cache);
	trust_free(s->trust);
	mbedtls_x509_crt_free(&s->root);
	mbedtls_x509_crt_free(&s->sent);
}

/* Signatures that it took, -1: refused. */
static int judge(struct setting *s, const mbedtls_x509_crt *chain, const char *host, int64_t at)
{
	struct verify_request rq = {
		.chain = chain, .trust = s->trust, .host = host, .at = at, .cache = s->cache};
	struct verify_result result = {.length = 77};
	struct error err;
	if (!verify_chain(&rq, &result, &err))
		return -1;
	assert_int_equal(result.length, 3);
	assert_int_equal(result.not_after, END_2026);
	return (int)result.signatures;
}

static struct chain_cache_stats stats(struct setting *s)
{
	struct chain_cache_stats v;
	chain_cache_stats(s->cache, &v);
	return v;
}

static void known_the_second_time(void **state)
{
	(void)state;
	struct setting s;
	start_good(&s);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026), 2);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026), 0);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026 + 5), 0);
	assert_int_equal(stats(&s).hits, 2);
	assert_int_equal(stats(&s).misses, 1);
	assert_int_equal(stats(&s).count, 1);
	end(&s);
}

static void for_one_host_only(void **state)
{
	(void)state;
	struct setting s;
	start_good(&s);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026), 2);
	assert_int_equal(judge(&s, &s.sent, "example.org", IN_2026), -1); /* the leaf does not have it */
	assert_int_equal(judge(&s, &s.sent, "example.net", IN_2026),
			 2); /* it has, but that is another verdict */
	assert_int_equal(judge(&s, &s.sent, "example.net", IN_2026), 0);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026), 0);
	assert_int_equal(judge(&s, &s.sent, "192.0.2.1", IN_2026), -1);
	end(&s);
}

static void refusals_are_not_kept(void **state)
{
	(void)state;
	struct setting s;
	struct mint root = mint_root(), middle = mint_intermediate(), leaf = mint_leaf();
	leaf.issuer_key = 3; /* signed by somebody else */
	start(&s, &root, &middle, &leaf, 8);
	for (int i = 0; i < 3; i++)
		assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026), -1);
	assert_int_equal(stats(&s).count, 0);
	assert_int_equal(stats(&s).hits, 0);
	end(&s);
}

/* The good chain is known. Whatever is changed in it is judged anew. */
static void any_other_byte(void **state)
{
	(void)state;
	struct setting s;
	start_good(&s);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026), 2);
	const mbedtls_x509_crt *from[] = {&s.sent, s.sent.next};
	for (size_t which = 0; which < 2; which++)
		for (size_t back = 1; back < 80; back += 7) {
			mbedtls_x509_crt changed;
			mbedtls_x509_crt_init(&changed);
			for (size_t i = 0; i < 2; i++) {
				size_t n = from[i]->raw.len;
				uint8_t der[2048];
				assert_true(n <= sizeof der);
				memcpy(der, from[i]->raw.p, n);
				if (i == which)
					der[n - back] ^= 1; /* the signature stands at the end */
				(void)cert_parse_der(&changed, der, n);
			}
			assert_int_equal(judge(&s, &changed, "example.com", IN_2026), -1);
			mbedtls_x509_crt_free(&changed);
		}
	assert_int_equal(stats(&s).hits, 0);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026), 0);
	end(&s);
}

static void copy(mbedtls_x509_crt *to, const mbedtls_x509_crt *a, const mbedtls_x509_crt *b,
		 const mbedtls_x509_crt *c)
{
	const mbedtls_x509_crt *all[] = {a, b, c};
	mbedtls_x509_crt_init(to);
	for (size_t i = 0; i < countof(all); i++)
		if (all[i])
			assert_int_equal(cert_parse_der(to, all[i]->raw.p, all[i]->raw.len), 0);
}

static void order_and_number_count(void **state)
{
	(void)state;
	struct setting s;
	start_good(&s);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026), 2);
	mbedtls_x509_crt more, other, alone;
	const mbedtls_x509_crt *leaf = &s.sent, *middle = s.sent.next;
	copy(&more, leaf, middle, &s.root);
	copy(&other, leaf, &s.root, middle);
	copy(&alone, leaf, NULL, NULL);
	assert_int_equal(judge(&s, &more, "example.com", IN_2026), 2);
	assert_int_equal(judge(&s, &other, "example.com", IN_2026), 2);
	assert_int_equal(judge(&s, &alone, "example.com", IN_2026), -1); /* nobody knows its issuer */
	assert_int_equal(judge(&s, &more, "example.com", IN_2026), 0);
	assert_int_equal(judge(&s, &other, "example.com", IN_2026), 0);
	assert_int_equal(stats(&s).count, 3);
	mbedtls_x509_crt_free(&more);
	mbedtls_x509_crt_free(&other);
	mbedtls_x509_crt_free(&alone);
	end(&s);
}

static void for_a_day(void **state)
{
	(void)state;
	struct setting s;
	start_good(&s);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026), 2);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026 + DAY), 0); /* does not start it again */
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026 + DAY + 1), 2);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026 + DAY + 2), 0);
	assert_int_equal(judge(&s, &s.sent, "example.com", IN_2026 + DAY), 2); /* the clock was set back */
	assert_int_equal(stats(&s).count, 1);
	end(&s);
}

static void no_longer_than_the_path(void **state)
{
	(void)state;
	/* of three certificates each expires first once: an hour after it was accepted */
	for (int first = 0; first < 3; first++) {
		struct setting s;
		struct mint root = mint_root(), leaf = mint_leaf(), middle = mint_intermediate();
		struct mint *all[] = {&leaf, &middle, &root};
		all[first]->to = "20260601000000";
		const int64_t ends = 1780272000; /* that is */
		start(&s, &root, &middle, &leaf, 8);
		struct verify_request rq = {.chain = &s.sent,
					    .trust = s.trust,
					    .host = "example.com",
					    .at = ends - 3600,
					    .cache = s.cache};
		struct verify_result result;
		struct error err;
		assert_true(verify_chain(&rq, &result, &err));
		assert_int_equal(result.not_after, ends);
		rq.at = ends;
		assert_true(verify_chain(&rq, &result, &err));
		assert_int_equal(result.signatures, 0);
		rq.at = ends + 1;
		assert_false(verify_chain(&rq, &result, &err));
		assert_non_null(strstr(err.text, "expired"));
		end(&s);
	}
}

/* ---- keys ---- */

static void key_of(const struct chain_cache *c, const char *host, struct span one, struct span two,
		   uint8_t key[32])
{
	mbedtls_x509_crt a = {0}, b = {0};
	a.raw.p = (unsigned char *)(uintptr_t)one.p;
	a.raw.len = one.n;
	b.raw.p = (unsigned char *)(uintptr_t)two.p;
	b.raw.len = two.n;
	a.next = two.p ? &b : NULL;
	chain_cache_key(c, &a, host, key);
}

static void keys_differ(void **state)
{
	(void)state;
	struct setting s, t;
	struct mint root = mint_root(), middle = mint_intermediate(), leaf = mint_leaf();
	start(&s, &root, &middle, &leaf, 8);
	root.serial = SPAN("\x02"); /* another trust store */
	start(&t, &root, &middle, &leaf, 8);
	const struct span none = {NULL, 0};
	const struct {
		const struct chain_cache *cache;
		const char *host;
		struct span one, two;
	} cases[] = {
		{s.cache, "host", SPAN("certificate"), none},
		{t.cache, "host", SPAN("certificate"), none},
		{s.cache, "hostc", SPAN("ertificate"), none},
		{s.cache, "hos", SPAN("tcertificate"), none},
		{s.cache, "host", SPAN("cert"), SPAN("ificate")},
		{s.cache, "host", SPAN("certi"), SPAN("ficate")},
		{s.cache, "host", SPAN("ificate"), SPAN("cert")},
		{s.cache, "host", SPAN("certificate"), SPAN("")},
		{s.cache, "host", SPAN("cert\0\0\0\0\0\0\0\x07ificate"), none}, /* a length that is text */
		{s.cache, "", SPAN("certificate"), none},
		{s.cache, "HOST", SPAN("certificate"), none},
	};
	uint8_t keys[countof(cases)][32];
	for (size_t i = 0; i < countof(cases); i++) {
		key_of(cases[i].cache, cases[i].host, cases[i].one, cases[i].two, keys[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(keys[i], keys[j], 32);
	}
	uint8_t again[32];
	key_of(s.cache, "host", SPAN("certificate"), none, again);
	assert_memory_equal(again, keys[0], 32);
	assert_true(chain_cache_is_for(s.cache, s.trust));
	assert_false(chain_cache_is_for(s.cache, t.trust));
	end(&s);
	end(&t);
}

static void longest_unused_goes(void **state)
{
	(void)state;
	struct setting s;
	struct mint root = mint_root(), middle = mint_intermediate(), leaf = mint_leaf();
	start(&s, &root, &middle, &leaf, 3);
	struct chain_verdict v = {.length = 3, .not_after = END_2026}, got;
	uint8_t key[5][32];
	for (int i = 0; i < 5; i++)
		memset(key[i], i, 32);
	for (int i = 0; i < 3; i++)
		chain_cache_put(s.cache, key[i], 1000, &v);
	assert_true(chain_cache_find(s.cache, key[0], 1000, &got)); /* 1 has rested longest now */
	chain_cache_put(s.cache, key[3], 1000, &v);
	assert_false(chain_cache_find(s.cache, key[1], 1000, &got));
	assert_true(chain_cache_find(s.cache, key[0], 1000, &got));
	chain_cache_put(s.cache, key[3], 1001, &v); /* twice the same: one */
	assert_int_equal(stats(&s).count, 3);
	assert_true(chain_cache_find(s.cache, key[2], 1000, &got));
	assert_false(chain_cache_find(s.cache, key[4], 1000, &got));
	assert_int_equal(got.length, 3);
	assert_int_equal(got.not_after, END_2026);
	end(&s);
}

/* ---- in a handshake ---- */

static struct chain_cache_stats after_handshakes(const struct tls_options *client, int count)
{
	struct tls_world w;
	struct loop *loop = loop_new();
	tls_world_init(&w, client, NULL);
	for (int i = 0; i < count; i++) {
		struct tls_pair p;
		tls_pair_start(&p, loop, &w, 4096, NULL);
		tls_pair_settle(&p);
		assert_non_null(p.client.s);
		tls_pair_free(&p);
	}
	struct chain_cache_stats v;
	tls_conf_chain_stats(w.client, &v);
	tls_world_free(&w);
	loop_free(loop);
	return v;
}

static void handshakes_use_it(void **state)
{
	(void)state;
	struct chain_cache_stats v = after_handshakes(NULL, 3);
	assert_int_equal(v.hits, 2);
	assert_int_equal(v.misses, 1);
	assert_int_equal(v.count, 1);
}

static void not_when_time_is_set_or_nothing_verified(void **state)
{
	(void)state;
	struct chain_cache_stats v = after_handshakes(&(struct tls_options){.no_verify = true}, 2);
	assert_int_equal(v.hits + v.misses + v.count, 0);
#ifndef NP_ENCLAVE_BUILD
	v = after_handshakes(&(struct tls_options){.at = time(NULL)}, 2);
	assert_int_equal(v.hits + v.misses + v.count, 0);
#endif
}

static int forget(void **state)
{
	(void)state;
	mint_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_the_second_time),
		cmocka_unit_test(for_one_host_only),
		cmocka_unit_test(refusals_are_not_kept),
		cmocka_unit_test(any_other_byte),
		cmocka_unit_test(order_and_number_count),
		cmocka_unit_test(for_a_day),
		cmocka_unit_test(no_longer_than_the_path),
		cmocka_unit_test(keys_differ),
		cmocka_unit_test(longest_unused_goes),
		cmocka_unit_test(handshakes_use_it),
		cmocka_unit_test(not_when_time_is_set_or_nothing_verified),
	};
	return cmocka_run_group_tests(tests, NULL, forget);
}
