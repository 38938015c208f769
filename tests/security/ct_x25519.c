/*
 * Does X25519 tell its secrets by its timing, as deps.sh has it compiled? The scalar is marked as undefined
 * memory, so that Memcheck reports each branch and each address that depends on it. Run by ct.sh.
 *
 *	ct_x25519		a public key and an agreement
 *	ct_x25519 --leak	branch on a byte of the scalar: Memcheck must report that
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

/* See x25519_everest.c. */
void Hacl_Curve25519_crypto_scalarmult(uint8_t *result, uint8_t *secret, uint8_t *point);

int main(int argc, char **argv)
{
	uint8_t secret[32], point[32] = {9}, result[32];

	for (size_t i = 0; i < sizeof secret; i++)
		secret[i] = (uint8_t)(7 * i + 3);
	VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof secret);
	if (argc > 1 && strcmp(argv[1], "--leak") == 0) {
		if (secret[5] & 1)
			puts("odd");
		return 0;
	}
	Hacl_Curve25519_crypto_scalarmult(result, secret, point);
	VALGRIND_MAKE_MEM_DEFINED(result, sizeof result); /* a public key is public */
	Hacl_Curve25519_crypto_scalarmult(point, secret, result);
	return 0;
}
