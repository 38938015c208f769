/*
 * Does AES-GCM tell its secrets by its timing? Keys and plaintext are marked as undefined memory, so that
 * Memcheck reports each branch and each address that depends on them. Run by ct.sh.
 *
 *	ct_gcm PATH	the named path; exit 2 if this machine (as Valgrind shows it) lacks it
 *	ct_gcm --leak	branch on a key byte: Memcheck must report that
 */
#include "tls/gcm_path.h"

#include <mbedtls/constant_time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

static unsigned char key[32], iv[12] = {1}, aad[20] = {2}, text[1000], cipher[1000], tag[16], again[16];

static void must(int failed)
{
	if (failed)
		abort();
}

/* All batch sizes, a partial block at both ends, both ways of the cipher. */
static void crypt(mbedtls_gcm_context *gcm, int mode, const unsigned char *in, unsigned char *out,
		  unsigned char *out_tag)
{
	static const size_t cuts[] = {0, 7, 503, 1000};
	size_t written;

	must(mbedtls_gcm_starts(gcm, mode, iv, sizeof iv));
	must(mbedtls_gcm_update_ad(gcm, aad, sizeof aad));
	for (int i = 0; i < 3; i++)
		must(mbedtls_gcm_update(gcm, in + cuts[i], cuts[i + 1] - cuts[i], out + cuts[i],
					cuts[i + 1] - cuts[i], &written));
	must(mbedtls_gcm_finish(gcm, NULL, 0, &written, out_tag, 16));
}

static int run(const struct gcm_path *path)
{
	if (!path->usable())
		return 2;
	for (unsigned int bits = 128; bits <= 256; bits += 64) {
		mbedtls_gcm_context gcm;
		int differ;

		VALGRIND_MAKE_MEM_UNDEFINED(key, sizeof key);
		VALGRIND_MAKE_MEM_UNDEFINED(text, sizeof text);
		mbedtls_gcm_init(&gcm);
		must(gcm_setkey_on(&gcm, path, key, bits));
		crypt(&gcm, MBEDTLS_GCM_ENCRYPT, text, cipher, tag);
		crypt(&gcm, MBEDTLS_GCM_DECRYPT, cipher, cipher, again);

		/* whether the tag is right is no secret, how far it is right would be */
		differ = mbedtls_ct_memcmp(tag, again, 16);
		VALGRIND_MAKE_MEM_DEFINED(&differ, sizeof differ);
		must(differ);
		mbedtls_gcm_free(&gcm);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : "";

	if (strcmp(wanted, "--leak") == 0) {
		VALGRIND_MAKE_MEM_UNDEFINED(key, sizeof key);
		return key[0] == 1 ? puts("one") : 0;
	}
	for (size_t i = 0; i < sizeof gcm_paths / sizeof *gcm_paths; i++)
		if (strcmp(gcm_paths[i]->name, wanted) == 0)
			return run(gcm_paths[i]);
	return 1;
}
