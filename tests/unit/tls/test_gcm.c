/*
 * AES-GCM against the plain reference beside it: every length, every way to cut a message, every lane's
 * counter wrap; then what must be refused.
 */
#include "gcm_paths.h"
#include "gcm_reference.h"

#define LONGEST 16385 /* a record of TLS 1.3 */

static unsigned char key[32], iv[64], aad[64], text[LONGEST], cipher[LONGEST], tag[16];

static void set_up(uint64_t seed)
{
	fill(key, sizeof key, seed);
	fill(iv, sizeof iv, seed + 1);
	fill(aad, sizeof aad, seed + 2);
	fill(text, sizeof text, seed + 3);
}

/* The reference's answer into `cipher` and `tag`. */
static void expect(unsigned int bits, size_t iv_size, size_t aad_size, size_t size)
{
	ref_encrypt(key, bits, iv, iv_size, aad, aad_size, text, size, cipher, tag);
}

static void check_both_ways(const struct gcm_path *path, unsigned int bits, size_t iv_size, size_t aad_size,
			    size_t size)
{
	unsigned char out[LONGEST], out_tag[16];
	mbedtls_gcm_context gcm;

	start_key(&gcm, path, key, bits);
	memset(out, 0, sizeof out);
	assert_int_equal(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, size, iv, iv_size, aad,
						   aad_size, text, out, 16, out_tag),
			 0);
	assert_memory_equal(out, cipher, size);
	assert_memory_equal(out_tag, tag, 16);
	for (size_t i = size; i < sizeof out; i++)
		assert_int_equal(out[i], 0);

	/* in place, as the record layer does it */
	assert_int_equal(mbedtls_gcm_auth_decrypt(&gcm, size, iv, iv_size, aad, aad_size, tag, 16, out, out),
			 0);
	assert_memory_equal(out, text, size);
	mbedtls_gcm_free(&gcm);
}

struct shape {
	unsigned int bits;
	size_t iv_size, aad_size, size;
};
static struct shape shape;

static void shape_holds(const struct gcm_path *path)
{
	check_both_ways(path, shape.bits, shape.iv_size, shape.aad_size, shape.size);
}

static void check_shape(unsigned int bits, size_t iv_size, size_t aad_size, size_t size)
{
	set_up(bits + 3 * size);
	shape = (struct shape){bits, iv_size, aad_size, size};
	expect(bits, iv_size, aad_size, size);
	each_path(shape_holds);
}

static void test_every_length(void **state)
{
	static const size_t more[] = {768, 1024, 1040, 4111, 16384, LONGEST};

	(void)state;
	for (size_t size = 0; size <= 700; size++)
		check_shape(128 + 64 * (unsigned int)(size % 3), 12, size % 21, size);
	for (size_t i = 0; i < countof(more); i++)
		check_shape(256, 12, 5, more[i]);
}

static void test_every_iv_and_aad_length(void **state)
{
	(void)state;
	for (size_t size = 1; size <= sizeof iv; size++)
		check_shape(128, size, 5, 33);
	for (size_t size = 0; size <= sizeof aad; size++) {
		check_shape(256, 12, size, 0);
		check_shape(256, 12, size, 17);
	}
}

/*
 * The IV of 16 bytes that gives a wanted J0 = ((IV * H) + L) * H, L being its length in bits: nobody but a
 * test can choose one, since it takes the key.
 */
static void set_iv_for(struct ref_block j0)
{
	mbedtls_aes_context aes;
	struct ref_block h, inverse, x;

	mbedtls_aes_init(&aes);
	mbedtls_aes_setkey_enc(&aes, key, 128);
	h = ref_aes(&aes, (struct ref_block){0, 0});
	mbedtls_aes_free(&aes);
	inverse = ref_inverse(h);
	x = ref_times(j0, inverse);
	x.low ^= 128;
	ref_store(iv, ref_times(x, inverse));
}

/*
 * The counter's 32 bits wrap alone, after 0 to 44 blocks: in each place of each batch of 16, 8, 4, 2 and 1.
 */
static void test_counter_wraps(void **state)
{
	(void)state;
	for (uint32_t blocks = 0; blocks <= 44; blocks++) {
		set_up(blocks);
		set_iv_for((struct ref_block){UINT64_C(0xffffffffffffffff),
					      UINT64_C(0xffffffff00000000) | ~blocks});
		shape = (struct shape){128, 16, 5, 701};
		expect(128, 16, 5, 701);
		each_path(shape_holds);
	}
}

/* AAD and text given in pieces; whatever the pieces, the bytes are the same. */
static void crypt_in_pieces(const struct gcm_path *path, int mode, size_t aad_cut, const size_t *cuts,
			    size_t count)
{
	const unsigned char *from = mode == MBEDTLS_GCM_ENCRYPT ? text : cipher;
	const unsigned char *to = mode == MBEDTLS_GCM_ENCRYPT ? cipher : text;
	unsigned char out[LONGEST], out_tag[16];
	mbedtls_gcm_context gcm;
	size_t done = 0, written;

	start_key(&gcm, path, key, shape.bits);
	assert_int_equal(mbedtls_gcm_starts(&gcm, mode, iv, shape.iv_size), 0);
	assert_int_equal(mbedtls_gcm_update_ad(&gcm, aad, aad_cut), 0);
	assert_int_equal(mbedtls_gcm_update_ad(&gcm, aad + aad_cut, shape.aad_size - aad_cut), 0);
	for (size_t i = 0; i < count; done = cuts[i++]) {
		assert_int_equal(mbedtls_gcm_update(&gcm, from + done, cuts[i] - done, out + done,
						    cuts[i] - done, &written),
				 0);
		assert_int_equal(written, cuts[i] - done);
	}
	assert_int_equal(done, shape.size);
	assert_int_equal(mbedtls_gcm_finish(&gcm, NULL, 0, &written, out_tag, 16), 0);
	assert_int_equal(written, 0);
	assert_memory_equal(out, to, shape.size);
	assert_memory_equal(out_tag, tag, 16);
	mbedtls_gcm_free(&gcm);
}

static void pieces_hold(const struct gcm_path *path)
{
	static const size_t widths[] = {1, 2, 7, 15, 16, 17, 31, 33, 127, 129, 255, 257};
	size_t cuts[600];

	for (size_t cut = 0; cut <= shape.size; cut++) {
		crypt_in_pieces(path, MBEDTLS_GCM_ENCRYPT, cut % (shape.aad_size + 1),
				(size_t[]){cut, shape.size}, 2);
		crypt_in_pieces(path, MBEDTLS_GCM_DECRYPT, cut % (shape.aad_size + 1),
				(size_t[]){cut, shape.size}, 2);
	}
	for (size_t i = 0; i < countof(widths); i++) {
		size_t count = 0;

		for (size_t at = widths[i]; at < shape.size; at += widths[i])
			cuts[count++] = at;
		cuts[count++] = shape.size;
		crypt_in_pieces(path, MBEDTLS_GCM_ENCRYPT, i, cuts, count);
		crypt_in_pieces(path, MBEDTLS_GCM_DECRYPT, i, cuts, count);
	}
}

static void test_every_cut(void **state)
{
	(void)state;
	set_up(7);
	shape = (struct shape){256, 12, 37, 600};
	expect(256, 12, 37, 600);
	each_path(pieces_hold);
}

/* The output may lie below the input by any distance, or on it, but not above it within reach. */
static void overlaps_hold(const struct gcm_path *path)
{
	unsigned char buffer[701 + 64], out_tag[16];
	mbedtls_gcm_context gcm;

	start_key(&gcm, path, key, 128);
	for (size_t distance = 0; distance <= 64; distance++) {
		memcpy(buffer + distance, text, shape.size);
		assert_int_equal(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, shape.size, iv, 12, aad,
							   5, buffer + distance, buffer, 16, out_tag),
				 0);
		assert_memory_equal(buffer, cipher, shape.size);
		assert_memory_equal(out_tag, tag, 16);
		memmove(buffer + distance, buffer, shape.size);
		assert_int_equal(mbedtls_gcm_auth_decrypt(&gcm, shape.size, iv, 12, aad, 5, tag, 16,
							  buffer + distance, buffer),
				 0);
		assert_memory_equal(buffer, text, shape.size);
	}
	for (size_t distance = 1; distance <= 64; distance++)
		assert_int_equal(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, shape.size, iv, 12, aad,
							   5, buffer, buffer + distance, 16, out_tag),
				 MBEDTLS_ERR_GCM_BAD_INPUT);
	mbedtls_gcm_free(&gcm);
}

static void test_overlaps(void **state)
{
	(void)state;
	set_up(8);
	shape = (struct shape){128, 12, 5, 700};
	expect(128, 12, 5, 700);
	each_path(overlaps_hold);
}

static int decrypt(mbedtls_gcm_context *gcm, unsigned char out[64])
{
	memset(out, 0x5a, 64);
	return mbedtls_gcm_auth_decrypt(gcm, 64, iv, 12, aad, 5, tag, 16, cipher, out);
}

/* One bit wrong anywhere: refused, and no plaintext left behind. */
static void forgeries_fail(const struct gcm_path *path)
{
	const struct {
		unsigned char *at;
		size_t size;
	} parts[] = {{tag, 16}, {cipher, 64}, {aad, 5}, {iv, 12}};
	const unsigned char wiped[64] = {0};
	unsigned char out[64];
	mbedtls_gcm_context gcm;

	start_key(&gcm, path, key, 128);
	assert_int_equal(decrypt(&gcm, out), 0);
	assert_memory_equal(out, text, 64);
	for (size_t part = 0; part < countof(parts); part++) {
		for (size_t bit = 0; bit < 8 * parts[part].size; bit++) {
			parts[part].at[bit / 8] ^= (unsigned char)(1 << bit % 8);
			assert_int_equal(decrypt(&gcm, out), MBEDTLS_ERR_GCM_AUTH_FAILED);
			assert_memory_equal(out, wiped, 64);
			parts[part].at[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
	}
	mbedtls_gcm_free(&gcm);
}

static void test_forgeries(void **state)
{
	(void)state;
	set_up(9);
	expect(128, 12, 5, 64);
	each_path(forgeries_fail);
}

/* A tag may be cut to 4 bytes and no further, and is compared in the length given. */
static void tag_lengths_hold(const struct gcm_path *path)
{
	unsigned char out[64], out_tag[17];
	mbedtls_gcm_context gcm;

	start_key(&gcm, path, key, 128);
	for (size_t size = 0; size <= 17; size++) {
		int wanted = size >= 4 && size <= 16 ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT;

		assert_int_equal(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, 64, iv, 12, aad, 5,
							   text, out, size, out_tag),
				 wanted);
		assert_int_equal(mbedtls_gcm_auth_decrypt(&gcm, 64, iv, 12, aad, 5, tag, size, cipher, out),
				 wanted);
		if (wanted == 0)
			assert_memory_equal(out_tag, tag, size);
	}
	mbedtls_gcm_free(&gcm);
}

static void test_tag_lengths(void **state)
{
	(void)state;
	set_up(10);
	expect(128, 12, 5, 64);
	each_path(tag_lengths_hold);
}

static void test_bad_arguments(void **state)
{
	mbedtls_gcm_context gcm;
	unsigned char out[16];
	size_t written;

	(void)state;
	mbedtls_gcm_init(&gcm);
	assert_int_not_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_CAMELLIA, key, 128), 0);
	assert_int_not_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 64), 0);
	assert_int_not_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 136), 0);
	assert_int_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 128), 0);
	assert_int_equal(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, iv, 0), MBEDTLS_ERR_GCM_BAD_INPUT);

	assert_int_equal(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, iv, 12), 0);
	assert_int_equal(mbedtls_gcm_update(&gcm, text, 16, out, 15, &written),
			 MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL);
	/* 2^36 - 32 bytes: after them the first counter would come again */
	assert_int_equal(
		mbedtls_gcm_update(&gcm, text, (size_t)0xfffffffe1, out, (size_t)0xfffffffe1, &written),
		MBEDTLS_ERR_GCM_BAD_INPUT);
	assert_int_equal(mbedtls_gcm_update_ad(&gcm, aad, (size_t)1 << 61), MBEDTLS_ERR_GCM_BAD_INPUT);
	assert_int_equal(mbedtls_gcm_finish(&gcm, NULL, 0, &written, out, 3), MBEDTLS_ERR_GCM_BAD_INPUT);
	assert_int_equal(mbedtls_gcm_finish(&gcm, NULL, 0, &written, out, 17), MBEDTLS_ERR_GCM_BAD_INPUT);
	assert_int_equal(mbedtls_gcm_finish(&gcm, NULL, 0, &written, out, 16), 0);
	mbedtls_gcm_free(&gcm);
	mbedtls_gcm_free(NULL);
}

#ifdef MBEDTLS_GCM_ALT
/* Where mbedTLS's own code trusts its caller, ours refuses: a key stream used twice gives both texts away. */
static void test_calls_out_of_order(void **state)
{
	mbedtls_gcm_context gcm;
	unsigned char out[16];
	size_t written;

	(void)state;
	mbedtls_gcm_init(&gcm);
	assert_int_equal(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, iv, 12), MBEDTLS_ERR_GCM_BAD_INPUT);
	assert_int_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 128), 0);
	assert_int_equal(mbedtls_gcm_update(&gcm, text, 16, out, 16, &written), MBEDTLS_ERR_GCM_BAD_INPUT);
	assert_int_equal(mbedtls_gcm_starts(&gcm, 2, iv, 12), MBEDTLS_ERR_GCM_BAD_INPUT);
	assert_int_equal(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, iv, 12), 0);
	assert_int_equal(mbedtls_gcm_update(&gcm, text, 16, out, 16, &written), 0);
	assert_int_equal(mbedtls_gcm_update_ad(&gcm, aad, 1), MBEDTLS_ERR_GCM_BAD_INPUT);
	assert_int_equal(mbedtls_gcm_finish(&gcm, NULL, 0, &written, out, 16), 0);
	assert_int_equal(mbedtls_gcm_finish(&gcm, NULL, 0, &written, out, 16), MBEDTLS_ERR_GCM_BAD_INPUT);
	assert_int_equal(mbedtls_gcm_update(&gcm, text, 16, out, 16, &written), MBEDTLS_ERR_GCM_BAD_INPUT);

	/* a failed setkey leaves no key; lengths are counted over all calls */
	assert_int_equal(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, iv, 12), 0);
	gcm.text_size = UINT64_C(0xfffffffe0) - 16;
	assert_int_equal(mbedtls_gcm_update(&gcm, text, 17, out, 17, &written), MBEDTLS_ERR_GCM_BAD_INPUT);
	assert_int_equal(mbedtls_gcm_update(&gcm, text, 16, out, 16, &written), 0);
	assert_int_not_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 1), 0);
	assert_int_equal(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, iv, 12), MBEDTLS_ERR_GCM_BAD_INPUT);
	mbedtls_gcm_free(&gcm);
}

/* After finish nothing of the message is left, after free nothing at all. */
static void wipes(const struct gcm_path *path)
{
	static const unsigned char zero[sizeof(mbedtls_gcm_context)];
	mbedtls_gcm_context gcm;
	unsigned char out[17], out_tag[16];
	size_t written;

	start_key(&gcm, path, key, 256);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(mbedtls_gcm_starts(&gcm, MBEDTLS_GCM_ENCRYPT, iv, 12), 0);
		assert_int_equal(mbedtls_gcm_update(&gcm, text, 17, out, 17, &written), 0);
		if (i == 0) {
			assert_int_equal(mbedtls_gcm_finish(&gcm, NULL, 0, &written, out_tag, 16), 0);
			assert_memory_equal(gcm.mask, zero, 16);
			assert_memory_equal(gcm.hash, zero, 16);
			assert_memory_equal(gcm.partial, zero, 16);
			assert_memory_equal(gcm.stream, zero, 16);
		}
	}
	mbedtls_gcm_free(&gcm);
	assert_memory_equal(&gcm, zero, sizeof gcm);
}

static void test_wipes(void **state)
{
	(void)state;
	set_up(11);
	each_path(wipes);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),	   cmocka_unit_test(test_every_iv_and_aad_length),
		cmocka_unit_test(test_counter_wraps),	   cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_overlaps),	   cmocka_unit_test(test_forgeries),
		cmocka_unit_test(test_tag_lengths),	   cmocka_unit_test(test_bad_arguments),
#ifdef MBEDTLS_GCM_ALT
		cmocka_unit_test(test_calls_out_of_order), cmocka_unit_test(test_wipes),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
