/*
 * The vectors of the GCM specification (McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B,
 * test cases 1 to 18) on every path.
 */
#include "gcm_paths.h"

// clang-format off
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define KEY "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define TEXT \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c9595680953" \
	"2fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
#define AAD "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define IV_12 "cafebabefacedbaddecaf888"
#define IV_60 \
	"9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539" \
	"fcf0e2429a6b525416aedbf5a0de6a57a637b39b"

/* Each takes the first bytes of the strings above. */
static const struct vector {
	unsigned int bits;
	const char *key, *iv;
	size_t iv_size, aad_size;
	const char *text;
	size_t size;
	const char *cipher, *tag;
} vectors[] = {
	/* 1 */ {128, ZEROS, ZEROS, 12, 0, ZEROS, 0,
		"",
		"58e2fccefa7e3061367f1d57a4e7455a"},
	/* 2 */ {128, ZEROS, ZEROS, 12, 0, ZEROS, 16,
		"0388dace60b6a392f328c2b971b2fe78",
		"ab6e47d42cec13bdf53a67b21257bddf"},
	/* 3 */ {128, KEY, IV_12, 12, 0, TEXT, 64,
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c"
		"7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
		"4d5c2af327cd64a62cf35abd2ba6fab4"},
	/* 4 */ {128, KEY, IV_12, 12, 20, TEXT, 60,
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c"
		"7d8f6a5aac84aa051ba30b396a0aac973d58e091",
		"5bc94fbc3221a5db94fae95ae7121a47"},
	/* 5 */ {128, KEY, IV_12, 8, 20, TEXT, 60,
		"61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b2"
		"2b097544d4896b424989b5e1ebac0f07c23f4598",
		"3612d2e79e3b0785561be14aaca2fccb"},
	/* 6 */ {128, KEY, IV_60, 60, 20, TEXT, 60,
		"8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90"
		"ccdcb281d48c7c6fd62875d2aca417034c34aee5",
		"619cc5aefffe0bfa462af43c1699d050"},
	/* 7 */ {192, ZEROS, ZEROS, 12, 0, ZEROS, 0,
		"",
		"cd33b28ac773f74ba00ed1f312572435"},
	/* 8 */ {192, ZEROS, ZEROS, 12, 0, ZEROS, 16,
		"98e7247c07f0fe411c267e4384b0f600",
		"2ff58d80033927ab8ef4d4587514f0fb"},
	/* 9 */ {192, KEY, IV_12, 12, 0, TEXT, 64,
		"3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525"
		"ac619d18c84a3f4718e2448b2fe324d9ccda2710acade256",
		"9924a7c8587336bfb118024db8674a14"},
	/* 10 */ {192, KEY, IV_12, 12, 20, TEXT, 60,
		"3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525"
		"ac619d18c84a3f4718e2448b2fe324d9ccda2710",
		"2519498e80f1478f37ba55bd6d27618c"},
	/* 11 */ {192, KEY, IV_12, 8, 20, TEXT, 60,
		"0f10f599ae14a154ed24b36e25324db8c566632ef2bbb34f8347280fc4507057fddc29df9a471f75"
		"c66541d4d4dad1c9e93a19a58e8b473fa0f062f7",
		"65dcc57fcf623a24094fcca40d3533f8"},
	/* 12 */ {192, KEY, IV_60, 60, 20, TEXT, 60,
		"d27e88681ce3243c4830165a8fdcf9ff1de9a1d8e6b447ef6ef7b79828666e4581e79012af34ddd9"
		"e2f037589b292db3e67c036745fa22e7e9b7373b",
		"dcf566ff291c25bbb8568fc3d376a6d9"},
	/* 13 */ {256, ZEROS, ZEROS, 12, 0, ZEROS, 0,
		"",
		"530f8afbc74536b9a963b4f1c4cb738b"},
	/* 14 */ {256, ZEROS, ZEROS, 12, 0, ZEROS, 16,
		"cea7403d4d606b6e074ec5d3baf39d18",
		"d0d1c8a799996bf0265b98b5d48ab919"},
	/* 15 */ {256, KEY, IV_12, 12, 0, TEXT, 64,
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3d"
		"a7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
		"b094dac5d93471bdec1a502270e3cc6c"},
	/* 16 */ {256, KEY, IV_12, 12, 20, TEXT, 60,
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3d"
		"a7b08b1056828838c5f61e6393ba7a0abcc9f662",
		"76fc6ece0f4e1768cddf8853bb2d551b"},
	/* 17 */ {256, KEY, IV_12, 8, 20, TEXT, 60,
		"c3762df1ca787d32ae47c13bf19844cbaf1ae14d0b976afac52ff7d79bba9de0feb582d33934a4f0"
		"954cc2363bc73f7862ac430e64abe499f47c9b1f",
		"3a337dbf46a792c45e454913fe2ea8f2"},
	/* 18 */ {256, KEY, IV_60, 60, 20, TEXT, 60,
		"5a8def2f0c9e53f1f75d7853659e2a20eeb2b22aafde6419a058ab4f6f746bf40fc0c3b780f24445"
		"2da3ebf1c5d82cdea2418997200ef82e44ae7e3f",
		"a44a8266ee1c8eb0c8b5d4cf5ae9f19a"},
};
// clang-format on

static size_t unhex(unsigned char *out, const char *hex, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (unsigned char)byte;
	}
	return size;
}

static void vectors_hold(const struct gcm_path *path)
{
	for (size_t i = 0; i < countof(vectors); i++) {
		const struct vector *v = &vectors[i];
		unsigned char key[32], iv[60], aad[20], text[64], cipher[64], tag[16], out[64], out_tag[16];
		mbedtls_gcm_context gcm;

		assert_int_equal(strlen(v->cipher), 2 * v->size);
		unhex(key, v->key, v->bits / 8);
		unhex(iv, v->iv, v->iv_size);
		unhex(aad, AAD, v->aad_size);
		unhex(text, v->text, v->size);
		unhex(cipher, v->cipher, v->size);
		unhex(tag, v->tag, 16);

		start_key(&gcm, path, key, v->bits);
		assert_int_equal(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, v->size, iv, v->iv_size,
							   aad, v->aad_size, text, out, 16, out_tag),
				 0);
		assert_memory_equal(out, cipher, v->size);
		assert_memory_equal(out_tag, tag, 16);
		assert_int_equal(mbedtls_gcm_auth_decrypt(&gcm, v->size, iv, v->iv_size, aad, v->aad_size,
							  tag, 16, cipher, out),
				 0);
		assert_memory_equal(out, text, v->size);
		mbedtls_gcm_free(&gcm);
	}
}

static void test_vectors(void **state)
{
	(void)state;
#ifdef MBEDTLS_GCM_ALT
	for (size_t i = 0; i < countof(gcm_paths); i++)
		print_message("%s: %s\n", gcm_paths[i]->name,
			      gcm_paths[i]->usable() ? "tested" : "not on this CPU");
#endif
	each_path(vectors_hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
