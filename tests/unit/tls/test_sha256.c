/*
 * SHA-256 and SHA-224: FIPS 180-4's examples, vectors of NIST's validation program (CAVP,
 * shabytetestvectors), and every length and every cut against mbedTLS's own code, which the linker still has
 * under __real_*. Each on every path this CPU has, or, where mbedTLS has its own alone (NP_ACCEL=OFF, ARM),
 * on that.
 */
#include <mbedtls/md.h>
#include <mbedtls/sha256.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"

#ifdef NP_SHA256
#include "tls/sha256_path.h"

int __real_mbedtls_sha256_update(mbedtls_sha256_context *ctx, const unsigned char *input, size_t ilen);
int __real_mbedtls_sha256_finish(mbedtls_sha256_context *ctx, unsigned char *output);

static void each_path(void (*test)(const struct sha256_path *path))
{
	for (size_t i = 0; i < countof(sha256_paths); i++) {
		if (sha256_paths[i]->usable())
			test(sha256_paths[i]);
	}
}
#else
struct sha256_path;

static void sha256_update_on(mbedtls_sha256_context *ctx, const struct sha256_path *path,
			     const unsigned char *input, size_t size)
{
	(void)path;
	assert_int_equal(mbedtls_sha256_update(ctx, input, size), 0);
}

static void sha256_finish_on(mbedtls_sha256_context *ctx, const struct sha256_path *path,
			     unsigned char *output)
{
	(void)path;
	assert_int_equal(mbedtls_sha256_finish(ctx, output), 0);
}

static void each_path(void (*test)(const struct sha256_path *path))
{
	test(NULL);
}
#endif

#define LONGEST 300

static size_t digest_size(int is224)
{
	return is224 ? 28 : 32;
}

static void start(mbedtls_sha256_context *ctx, int is224)
{
	mbedtls_sha256_init(ctx);
	assert_int_equal(mbedtls_sha256_starts(ctx, is224), 0);
}

static void hash(const struct sha256_path *path, int is224, const unsigned char *in, size_t size,
		 unsigned char out[32])
{
	mbedtls_sha256_context ctx;

	start(&ctx, is224);
	sha256_update_on(&ctx, path, in, size);
	sha256_finish_on(&ctx, path, out);
}

static size_t from_hex(const char *hex, unsigned char *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &out[i]), 1);
	return n;
}

static void assert_digest(const unsigned char *digest, const char *hex)
{
	unsigned char wanted[32];
	size_t n = from_hex(hex, wanted);

	assert_memory_equal(digest, wanted, n);
}

/* Bytes that look random and are the same in every run. */
static void fill(unsigned char *p, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		p[i] = (unsigned char)(seed >> 56);
	}
}

// clang-format off
static const struct vector {
	int is224;
	const char *message, *digest;
} vectors[] = {
	/* FIPS 180-4's examples: "abc", "abcdbcde .. nopq" */
	{0, "616263",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{1, "616263",
		"23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
	{0, "6162636462636465636465666465666765666768666768696768696a68696a6b696a6b6c6a6b6c6d"
	    "6b6c6d6e6c6d6e6f6d6e6f706e6f7071",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{1, "6162636462636465636465666465666765666768666768696768696a68696a6b696a6b6c6a6b6c6d"
	    "6b6c6d6e6c6d6e6f6d6e6f706e6f7071",
		"75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525"},
	/* SHA256ShortMsg.rsp, Len = 0, 8, 16, 24, 448, 504, 512 */
	{0, "",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{0, "d3",
		"28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"},
	{0, "11af",
		"5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"},
	{0, "b4190e",
		"dff2e73091f6c05e528896c4c831b9448653dc2ff043528f6769437bc7b975c2"},
	{0, "2d52447d1244d2ebc28650e7b05654bad35b3a68eedc7f8515306b496d75f3e73385dd1b00262502"
	    "4b81a02f2fd6dffb6e6d561cb7d0bd7a",
		"cfb88d6faf2de3a69d36195acec2e255e2af2b7d933997f348e09f6ce5758360"},
	{0, "e2f76e97606a872e317439f1a03fcd92e632e5bd4e7cbc4e97f1afc19a16fde92d77cbe546416b51"
	    "640cddb92af996534dfd81edb17c4424cf1ac4d75aceeb",
		"18041bd4665083001fba8c5411d2d748e8abbfdcdfd9218cb02b68a78e7d4c23"},
	{0, "5a86b737eaea8ee976a0a24da63e7ed7eefad18a101c1211e2b3650c5187c2a8a650547208251f6d"
	    "4237e661c7bf4c77f335390394c37fa1a9f9be836ac28509",
		"42e61e174fbb3897d6dd6cef3dd2802fe67b331953b06114a65c772859dfc1aa"},
	/* SHA256LongMsg.rsp, Len = 1304 */
	{0, "451101250ec6f26652249d59dc974b7361d571a8101cdfd36aba3b5854d3ae086b5fdd4597721b66"
	    "e3c0dc5d8c606d9657d0e323283a5217d1f53f2f284f57b85c8a61ac8924711f895c5ed90ef17745"
	    "ed2d728abd22a5f7a13479a462d71b56c19a74a40b655c58edfe0a188ad2cf46cbf30524f65d423c"
	    "837dd1ff2bf462ac4198007345bb44dbb7b1c861298cdf61982a833afc728fae1eda2f87aa2c9480"
	    "858bec",
		"3c593aa539fdcdae516cdf2f15000f6634185c88f505b39775fb9ab137a10aa2"},
	/* SHA224ShortMsg.rsp, Len = 0 */
	{1, "",
		"d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"},
};
// clang-format on

static void vectors_hold(const struct sha256_path *path)
{
	for (size_t i = 0; i < countof(vectors); i++) {
		unsigned char message[200], digest[32];
		size_t n = from_hex(vectors[i].message, message);

		hash(path, vectors[i].is224, message, n, digest);
		assert_digest(digest, vectors[i].digest);
	}
}

static void test_vectors(void **state)
{
	(void)state;
	each_path(vectors_hold);
}

/* A million times "a", in pieces that fit no block. */
static void million_holds(const struct sha256_path *path)
{
	unsigned char piece[1000], digest[32];
	mbedtls_sha256_context ctx;

	memset(piece, 'a', sizeof piece);
	start(&ctx, 0);
	for (int i = 0; i < 1000; i++)
		sha256_update_on(&ctx, path, piece, sizeof piece);
	sha256_finish_on(&ctx, path, digest);
	assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_million(void **state)
{
	(void)state;
	each_path(million_holds);
}

/* SHAVS 6.4: each digest is that of the last three, one after the other; 1000 of them from each seed. */
static void monte_carlo(const struct sha256_path *path, int is224, unsigned char seed[32])
{
	size_t n = digest_size(is224);
	unsigned char last[3 * 32], next[32];

	for (size_t i = 0; i < 3; i++)
		memcpy(last + i * n, seed, n);
	for (int i = 0; i < 1000; i++) {
		hash(path, is224, last, 3 * n, next);
		memmove(last, last + n, 2 * n);
		memcpy(last + 2 * n, next, n);
	}
	memcpy(seed, next, n);
}

/* SHA256Monte.rsp and SHA224Monte.rsp: COUNT = 0 and, for the former, 99. */
static void monte_carlo_holds(const struct sha256_path *path)
{
	unsigned char seed[32];

	from_hex("6d1e72ad03ddeb5de891e572e2396f8da015d899ef0e79503152d6010a3fe691", seed);
	monte_carlo(path, 0, seed);
	assert_digest(seed, "e93c330ae5447738c8aa85d71a6c80f2a58381d05872d26bdd39f1fcd4f2b788");
	for (int count = 1; count < 100; count++)
		monte_carlo(path, 0, seed);
	assert_digest(seed, "6a912ba4188391a78e6f13d88ed2d14e13afce9db6f7dcbf4a48c24f3db02778");

	from_hex("ed2b70d575d9d0b4196ae84a03eed940057ea89cdd729b95b7d4e6a5", seed);
	monte_carlo(path, 1, seed);
	assert_digest(seed, "cd94d7da13c030208b2d0d78fcfe9ea22fa8906df66aa9a1f42afa70");
}

static void test_monte_carlo(void **state)
{
	(void)state;
	each_path(monte_carlo_holds);
}

/* The digest of all digests of 0 to 300 bytes, as libcrypto has it. */
static void lengths_hold(const struct sha256_path *path)
{
	static const char *const wanted[] = {
		"0b16493ce146ba320af29c9474318bdf019652d6d0010bb18591551cdfae4c53",
		"13644b892c21c654ddb86737a331092f35e22e4e8fa88f4a256d2cb5",
	};

	for (int is224 = 0; is224 < 2; is224++) {
		static unsigned char all[(LONGEST + 1) * 32];
		unsigned char text[LONGEST], digest[32];
		size_t n = digest_size(is224);

		for (size_t size = 0; size <= LONGEST; size++) {
			fill(text, size, size);
			memset(digest, 0x5a, sizeof digest);
			hash(path, is224, text, size, digest);
			memcpy(all + size * n, digest, n);
			for (size_t i = n; i < sizeof digest; i++)
				assert_int_equal(digest[i], 0x5a);
		}
		hash(path, is224, all, (LONGEST + 1) * n, digest);
		assert_digest(digest, wanted[is224]);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	each_path(lengths_hold);
}

/* What the rest of mbedTLS calls, in all its forms. */
static void test_entries(void **state)
{
	unsigned char digest[32];
	const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
	static const unsigned char key[4] = "Jefe", text[28] = "what do ya want for nothing?";

	(void)state;
	for (size_t i = 0; i < countof(vectors); i++) {
		unsigned char message[200];
		size_t n = from_hex(vectors[i].message, message);

		assert_int_equal(mbedtls_sha256(message, n, digest, vectors[i].is224), 0);
		assert_digest(digest, vectors[i].digest);
	}
	assert_int_equal(mbedtls_sha256(text, 1, digest, 2), MBEDTLS_ERR_SHA256_BAD_INPUT_DATA);
	assert_int_equal(mbedtls_md(sha256, text, sizeof text, digest), 0);
	assert_digest(digest, "b381e7fec653fc3ab9b178272366b8ac87fed8d31cb25ed1d0e1f3318644c89c");
	/* RFC 4231, test case 2 */
	assert_int_equal(mbedtls_md_hmac(sha256, key, sizeof key, text, sizeof text, digest), 0);
	assert_digest(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

#ifdef NP_SHA256
static unsigned char text[LONGEST];

/* All states on the way and at the end are mbedTLS's own, whichever way the message is cut. */
static void cuts_hold(const struct sha256_path *path)
{
	for (size_t first = 0; first <= LONGEST; first++) {
		for (size_t second = first; second <= LONGEST; second += 1 + second % 13) {
			const size_t cuts[] = {0, first, second, LONGEST};
			unsigned char digest[32], wanted[32];
			mbedtls_sha256_context ours, theirs;

			start(&ours, 0);
			start(&theirs, 0);
			for (size_t i = 1; i < countof(cuts); i++) {
				sha256_update_on(&ours, path, text + cuts[i - 1], cuts[i] - cuts[i - 1]);
				__real_mbedtls_sha256_update(&theirs, text + cuts[i - 1],
							     cuts[i] - cuts[i - 1]);
				assert_memory_equal(ours.MBEDTLS_PRIVATE(state),
						    theirs.MBEDTLS_PRIVATE(state), 32);
			}
			sha256_finish_on(&ours, path, digest);
			__real_mbedtls_sha256_finish(&theirs, wanted);
			assert_memory_equal(digest, wanted, 32);
		}
	}
}

static void test_cuts(void **state)
{
	(void)state;
	fill(text, sizeof text, 3);
	each_path(cuts_hold);
}

/* The count goes over 2^29 bytes (32 bits of bits), 2^32 and 2^35 bytes: as if so much had come before. */
static void counts_hold(const struct sha256_path *path)
{
	for (int power = 28; power < 61; power++) {
		uint64_t before = (UINT64_C(1) << power) - SHA256_BLOCK;
		unsigned char digest[32], wanted[32];
		mbedtls_sha256_context ours, theirs;

		start(&ours, 0);
		ours.MBEDTLS_PRIVATE(total)[0] = (uint32_t)before;
		ours.MBEDTLS_PRIVATE(total)[1] = (uint32_t)(before >> 32);
		mbedtls_sha256_init(&theirs);
		mbedtls_sha256_clone(&theirs, &ours);
		for (int i = 0; i < 2; i++) {
			sha256_update_on(&ours, path, text, 100);
			__real_mbedtls_sha256_update(&theirs, text, 100);
		}
		sha256_finish_on(&ours, path, digest);
		__real_mbedtls_sha256_finish(&theirs, wanted);
		assert_memory_equal(digest, wanted, 32);
	}
}

static void test_counts(void **state)
{
	(void)state;
	fill(text, sizeof text, 4);
	each_path(counts_hold);
}

/* After finish nothing of the message is left. */
static void wipes(const struct sha256_path *path)
{
	static const unsigned char zero[sizeof(mbedtls_sha256_context)];
	unsigned char digest[32];
	mbedtls_sha256_context ctx;

	start(&ctx, 0);
	sha256_update_on(&ctx, path, text, 33);
	sha256_finish_on(&ctx, path, digest);
	assert_memory_equal(&ctx, zero, sizeof ctx);
}

static void test_wipes(void **state)
{
	(void)state;
	each_path(wipes);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),	    cmocka_unit_test(test_million),
		cmocka_unit_test(test_monte_carlo), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_entries),
#ifdef NP_SHA256
		cmocka_unit_test(test_cuts),	    cmocka_unit_test(test_counts),
		cmocka_unit_test(test_wipes),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
