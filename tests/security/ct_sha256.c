/*
 * Does SHA-256 tell its secrets by its timing? HMAC and HKDF feed it keys. The message is marked as undefined
 * memory, so that Memcheck reports each branch and each address that depends on it. Run by ct.sh.
 *
 *	ct_sha256 PATH		the named path; exit 2 if this machine (as Valgrind shows it) lacks it
 *	ct_sha256 --leak	branch on a byte of the message: Memcheck must report that
 */
#include "tls/sha256_path.h"

#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

static unsigned char text[1000], digest[32];

static int run(const struct sha256_path *path)
{
	static const size_t cuts[] = {0, 7, 503, 1000};

	if (!path->usable())
		return 2;
	for (int is224 = 0; is224 < 2; is224++) {
		mbedtls_sha256_context ctx;

		VALGRIND_MAKE_MEM_UNDEFINED(text, sizeof text);
		mbedtls_sha256_init(&ctx);
		if (mbedtls_sha256_starts(&ctx, is224) != 0)
			return 1;
		for (int i = 0; i < 3; i++)
			sha256_update_on(&ctx, path, text + cuts[i], cuts[i + 1] - cuts[i]);
		sha256_finish_on(&ctx, path, digest);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : "";

	if (strcmp(wanted, "--leak") == 0) {
		VALGRIND_MAKE_MEM_UNDEFINED(text, sizeof text);
		return text[0] == 1 ? puts("one") : 0;
	}
	for (size_t i = 0; i < sizeof sha256_paths / sizeof *sha256_paths; i++)
		if (strcmp(sha256_paths[i]->name, wanted) == 0)
			return run(sha256_paths[i]);
	return 1;
}
