/*
 * SHA-256 and SHA-224 (FIPS 180-4) behind mbedTLS's own interface, mbedtls/sha256.h.
 *
 * Why at all: mbedTLS 3.6 knows ARM's instructions for it but not x86's. The enclave
 * hashes its own executable before it is ready, receipts hash every body. Measured
 * 2026-11-22 on a shared AMD EPYC, gcc 12 -O3, a whole message for each call, MB/s of
 * CPU time, best of 5 (the machine was busy: +-15 %):
 *
 *                                       64 B    1 KiB   16 KiB
 *     mbedTLS 3.6.7, its own              89      159      183
 *     portable                           106      233      251
 *     shani                              330     1156     1368
 *     openssl speed -evp (3.0)                            1342
 *
 * mbedTLS could take our code for a block in place of its own (SHA256_PROCESS_ALT), but
 * then it has none if ours is missing: the library would fit only the tree it was built
 * for, for the sake of a state that is mbedTLS's own anyhow. So the linker is asked:
 *
 *     -Wl,--wrap=mbedtls_sha256_update -Wl,--wrap=mbedtls_sha256_finish -Wl,--wrap=mbedtls_sha256
 *
 * sends the calls of all other objects here (md.c and PSA's are all there are in mbedTLS);
 * init, starts, clone and free stay as they are. Not compiled where the machine is no
 * x86-64 or with NP_ACCEL=OFF.
 *
 *   sha256.c           the message: pieces, padding, length
 *   sha256_portable.c  blocks in plain C
 *   sha256_x86.c       blocks with the SHA extensions
 *
 * No branch and no address depends on the message (tests/security/ct.sh checks the
 * portable path; Valgrind lacks the instructions of the other).
 */
#include "sha256_path.h"

#include <mbedtls/platform_util.h>
#include <string.h>

#if defined(MBEDTLS_SHA256_ALT) || !defined(MBEDTLS_SHA256_C) || !defined(MBEDTLS_SHA224_C)
#error "mbedTLS's own state of SHA-256 is needed: configure with -DNP_ACCEL=OFF"
#endif

int __wrap_mbedtls_sha256_update(mbedtls_sha256_context *ctx, const unsigned char *input, size_t ilen);
int __wrap_mbedtls_sha256_finish(mbedtls_sha256_context *ctx, unsigned char *output);
int __wrap_mbedtls_sha256(const unsigned char *input, size_t ilen, unsigned char *output, int is224);

const struct sha256_path *const sha256_paths[2] = {
	&sha256_path_shani,
	&sha256_path_portable,
};

/* Written once, before main() and so before any thread. */
static const struct sha256_path *best_path;

__attribute__((constructor)) static void choose_path(void)
{
	best_path = sha256_path_shani.usable() ? &sha256_path_shani : &sha256_path_portable;
}

/* Bytes of the message so far; mbedTLS holds them in two halves, the lower first. */
static uint64_t total(const mbedtls_sha256_context *ctx)
{
	return (uint64_t)ctx->MBEDTLS_PRIVATE(total)[1] << 32 | ctx->MBEDTLS_PRIVATE(total)[0];
}

static void put_u32(unsigned char *out, uint32_t value)
{
	for (int i = 3; i >= 0; i--, value >>= 8)
		out[i] = (unsigned char)value;
}

/*
 *   held from before |  whole blocks, where they are    | rest
 *   ----fill-------->|<-------------------------------->|----> into the buffer
 */
void sha256_update_on(mbedtls_sha256_context *ctx, const struct sha256_path *path, const unsigned char *input,
		      size_t size)
{
	uint32_t *state = ctx->MBEDTLS_PRIVATE(state);
	unsigned char *buffer = ctx->MBEDTLS_PRIVATE(buffer);
	uint64_t before = total(ctx), after = before + size;
	size_t held = before % SHA256_BLOCK, fill = SHA256_BLOCK - held;

	if (size == 0)
		return;
	ctx->MBEDTLS_PRIVATE(total)[0] = (uint32_t)after;
	ctx->MBEDTLS_PRIVATE(total)[1] = (uint32_t)(after >> 32);
	if (held) {
		if (size < fill) {
			memcpy(buffer + held, input, size);
			return;
		}
		memcpy(buffer + held, input, fill);
		path->compress(state, buffer, 1);
		input += fill;
		size -= fill;
	}
	if (size >= SHA256_BLOCK)
		path->compress(state, input, size / SHA256_BLOCK);
	memcpy(buffer, input + size - size % SHA256_BLOCK, size % SHA256_BLOCK);
}

/* 5.1.1: a bit of 1, zeros, and the length in bits as the last 8 bytes of a block. */
void sha256_finish_on(mbedtls_sha256_context *ctx, const struct sha256_path *path, unsigned char *output)
{
	uint32_t *state = ctx->MBEDTLS_PRIVATE(state);
	uint64_t bytes = total(ctx);
	size_t held = bytes % SHA256_BLOCK;
	unsigned char last[2 * SHA256_BLOCK] = {0};
	size_t size = held < SHA256_BLOCK - 8 ? SHA256_BLOCK : 2 * SHA256_BLOCK;

	memcpy(last, ctx->MBEDTLS_PRIVATE(buffer), held);
	last[held] = 0x80;
	put_u32(last + size - 8, (uint32_t)(bytes >> 29));
	put_u32(last + size - 4, (uint32_t)(bytes << 3));
	path->compress(state, last, size / SHA256_BLOCK);
	for (int i = 0; i < (ctx->MBEDTLS_PRIVATE(is224) ? 7 : 8); i++)
		put_u32(output + 4 * i, state[i]);
	mbedtls_platform_zeroize(last, sizeof last);
	mbedtls_sha256_free(ctx);
}

int __wrap_mbedtls_sha256_update(mbedtls_sha256_context *ctx, const unsigned char *input, size_t ilen)
{
	sha256_update_on(ctx, best_path, input, ilen);
	return 0;
}

int __wrap_mbedtls_sha256_finish(mbedtls_sha256_context *ctx, unsigned char *output)
{
	sha256_finish_on(ctx, best_path, output);
	return 0;
}

int __wrap_mbedtls_sha256(const unsigned char *input, size_t ilen, unsigned char *output, int is224)
{
	mbedtls_sha256_context ctx;
	int failed;

	mbedtls_sha256_init(&ctx);
	failed = mbedtls_sha256_starts(&ctx, is224);
	if (failed)
		return failed;
	sha256_update_on(&ctx, best_path, input, ilen);
	sha256_finish_on(&ctx, best_path, output);
	return 0;
}
