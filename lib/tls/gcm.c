/*
 * AES-GCM (NIST SP 800-38D) behind mbedTLS's own interface, mbedtls/gcm.h.
 *
 * Why at all: mbedTLS 3.6 encrypts and hashes one block after the other, so each
 * waits for the last. A TLS proxy is little else than AES-GCM, and running many
 * blocks side by side makes records 10 to 25 times cheaper. Measured 2026-11-22 on
 * a shared AMD EPYC (VAES, no AVX-512), gcc 12 -O3, AES-128, IV and tag for each
 * call, GB/s of CPU time, best of 3 (the machine was busy: +-15 %):
 *
 *                                       64 B    1 KiB   16 KiB
 *     mbedTLS 3.6.7, its own            0.18     0.24     0.24
 *     portable                          0.04     0.06     0.06
 *     aesni                             0.55     2.7      3.4
 *     vaes                              0.54     3.9      6.1
 *     openssl speed -evp (3.0)                   1.2      2.8
 *
 * An Intel server measured 14 at 16 KiB with vaes512's instructions. Setting a
 * key takes 0.2 us with all powers, as mbedTLS's own does.
 *
 * Why in the tree, not a library: Intel's ipsec-mb is the good one, some 10 %
 * faster than this, but adds 13 MB of assembly for every CPU there ever was to
 * an enclave image whose worth is that it can be read; Debian 12 has its release
 * of 2022; libcrypto would put a second TLS stack under a product that says
 * mbedTLS. What is needed is a few screens of intrinsics, in:
 *
 *   gcm.c           the message: order of calls, limits, padding, tags
 *   gcm_portable.c  blocks in plain C, for machines with none of the below
 *   gcm_x86.c       blocks with AES-NI and PCLMULQDQ; gcm_clmul.h: the field
 *   gcm_vaes*.c     blocks with VAES and VPCLMULQDQ, two widths of gcm_wide.h
 *
 * The key schedule stays with mbedTLS. Not compiled where the machine is no x86-64
 * (mbedTLS uses ARM's instructions itself) or with NP_ACCEL=OFF.
 *
 * No branch and no address depends on keys or plaintext, except inside mbedTLS's
 * table-driven AES on a CPU without AES-NI (tests/security/ct.sh checks the two
 * paths Valgrind can run). vaes512 can also be tested without such a CPU: the
 * unit tests pass as /init under Bochs' corei7_icelake_u.
 */
#include "gcm_path.h"

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#if SIZE_MAX != UINT64_MAX
#error "lengths below are counted in 64 bits"
#endif

/* SP 800-38D, 5.2.1.1: bits in 64-bit counts; text of 2^32 - 2 counter values */
#define AAD_MAX	 ((UINT64_C(1) << 61) - 1)
#define IV_MAX	 ((UINT64_C(1) << 61) - 1)
#define TEXT_MAX ((UINT64_C(1) << 36) - 32)
#define TAG_MIN	 4

const struct gcm_path *const gcm_paths[4] = {
	&gcm_path_vaes512,
	&gcm_path_vaes,
	&gcm_path_aesni,
	&gcm_path_portable,
};

/* Written once, before main() and so before any thread. */
static const struct gcm_path *best_path;

__attribute__((constructor)) static void choose_path(void)
{
	const struct gcm_path *const *path = gcm_paths;

	while (!(*path)->usable())
		path++;
	best_path = *path;
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void put_u64(unsigned char out[8], uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		out[i] = (unsigned char)value;
}

/* The block that ends every hash: both lengths in bits. */
static void put_lengths(unsigned char out[16], uint64_t first_bytes, uint64_t second_bytes)
{
	put_u64(out, first_bytes * 8);
	put_u64(out + 8, second_bytes * 8);
}

static void next_counter(unsigned char counter[16])
{
	/* only the last 32 bits count, and they wrap */
	for (int i = 15; i >= 12 && ++counter[i] == 0; i--)
		;
}

/* What `partial` holds of a block of `size % 16` bytes, padded with zeros and hashed. */
static void absorb_partial(mbedtls_gcm_context *gcm, uint64_t size)
{
	size_t held = size % 16;

	if (held == 0)
		return;
	memset(gcm->partial + held, 0, 16 - held);
	gcm->path->absorb(gcm, gcm->partial, 1);
}

static void end_message(mbedtls_gcm_context *gcm)
{
	gcm->open = false;
	mbedtls_platform_zeroize(gcm->mask, sizeof gcm->mask);
	mbedtls_platform_zeroize(gcm->hash, sizeof gcm->hash);
	mbedtls_platform_zeroize(gcm->partial, sizeof gcm->partial);
	mbedtls_platform_zeroize(gcm->stream, sizeof gcm->stream);
}

void mbedtls_gcm_init(mbedtls_gcm_context *gcm)
{
	memset(gcm, 0, sizeof *gcm);
	mbedtls_aes_init(&gcm->aes);
}

void mbedtls_gcm_free(mbedtls_gcm_context *gcm)
{
	if (gcm == NULL)
		return;
	mbedtls_aes_free(&gcm->aes);
	mbedtls_platform_zeroize(gcm, sizeof *gcm);
}

int gcm_setkey_on(mbedtls_gcm_context *gcm, const struct gcm_path *path, const unsigned char *key,
		  unsigned int bits)
{
	gcm->path = NULL;
	end_message(gcm);

	int failed = mbedtls_aes_setkey_enc(&gcm->aes, key, bits);
	if (failed)
		return failed;

	gcm->path = path;
	path->derive_powers(gcm);
	return 0;
}

int mbedtls_gcm_setkey(mbedtls_gcm_context *gcm, mbedtls_cipher_id_t cipher, const unsigned char *key,
		       unsigned int keybits)
{
	if (cipher != MBEDTLS_CIPHER_ID_AES)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	return gcm_setkey_on(gcm, best_path, key, keybits);
}

/* J0, the first counter block: IV || 1 for IVs of 12 bytes, else the hash of the IV and its length. */
static void first_counter(mbedtls_gcm_context *gcm, const unsigned char *iv, size_t iv_len)
{
	unsigned char last[32] = {0};
	size_t held = iv_len % 16;

	if (iv_len == 12) {
		memcpy(gcm->counter, iv, 12);
		memcpy(gcm->counter + 12, (const unsigned char[]){0, 0, 0, 1}, 4);
		return;
	}
	memset(gcm->hash, 0, sizeof gcm->hash);
	gcm->path->absorb(gcm, iv, iv_len / 16);
	memcpy(last, iv + iv_len - held, held);
	put_lengths(last + 16, 0, iv_len);
	if (held)
		gcm->path->absorb(gcm, last, 2);
	else
		gcm->path->absorb(gcm, last + 16, 1);
	memcpy(gcm->counter, gcm->hash, 16);
}

int mbedtls_gcm_starts(mbedtls_gcm_context *gcm, int mode, const unsigned char *iv, size_t iv_len)
{
	if (gcm->path == NULL || (mode != MBEDTLS_GCM_ENCRYPT && mode != MBEDTLS_GCM_DECRYPT))
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (iv_len == 0 || iv_len > IV_MAX)
		return MBEDTLS_ERR_GCM_BAD_INPUT;

	first_counter(gcm, iv, iv_len);
	gcm->path->encrypt_block(gcm, gcm->counter, gcm->mask);
	memset(gcm->hash, 0, sizeof gcm->hash);
	gcm->encrypt = mode == MBEDTLS_GCM_ENCRYPT;
	gcm->aad_size = 0;
	gcm->text_size = 0;
	gcm->open = true;
	return 0;
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context *gcm, const unsigned char *add, size_t add_len)
{
	size_t held = gcm->aad_size % 16;

	if (!gcm->open || add_len > AAD_MAX - gcm->aad_size)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (add_len == 0)
		return 0;
	if (gcm->text_size != 0)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	gcm->aad_size += add_len;

	if (held) {
		size_t fill = min_size(16 - held, add_len);

		memcpy(gcm->partial + held, add, fill);
		if (held + fill < 16)
			return 0;
		gcm->path->absorb(gcm, gcm->partial, 1);
		add += fill;
		add_len -= fill;
	}
	gcm->path->absorb(gcm, add, add_len / 16);
	memcpy(gcm->partial, add + add_len - add_len % 16, add_len % 16);
	return 0;
}

/* Bytes of one block, from `held` on; the caller has put its key stream into `stream`. */
static void crypt_bytes(mbedtls_gcm_context *gcm, size_t held, const unsigned char *in, unsigned char *out,
			size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = in[i];

		out[i] = byte ^ gcm->stream[held + i];
		gcm->partial[held + i] = gcm->encrypt ? out[i] : byte;
	}
}

/*
 *   held from before |  whole blocks: the path's work   | rest
 *   ----fill-------->|<-------------------------------->|----> into partial,
 *   with old stream  |                                  |      with a new stream
 */
int mbedtls_gcm_update(mbedtls_gcm_context *gcm, const unsigned char *input, size_t input_length,
		       unsigned char *output, size_t output_size, size_t *output_length)
{
	size_t held = gcm->text_size % 16;

	if (output_size < input_length)
		return MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL;
	if (!gcm->open || input_length > TEXT_MAX - gcm->text_size)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	*output_length = input_length;
	if (input_length == 0)
		return 0;
	if ((uintptr_t)output > (uintptr_t)input && (uintptr_t)output - (uintptr_t)input < input_length)
		return MBEDTLS_ERR_GCM_BAD_INPUT;

	if (gcm->text_size == 0)
		absorb_partial(gcm, gcm->aad_size);
	gcm->text_size += input_length;

	if (held) {
		size_t fill = min_size(16 - held, input_length);

		crypt_bytes(gcm, held, input, output, fill);
		if (held + fill < 16)
			return 0;
		gcm->path->absorb(gcm, gcm->partial, 1);
		input += fill;
		output += fill;
		input_length -= fill;
	}

	size_t rest = input_length % 16;
	size_t whole = input_length - rest;

	if (whole)
		gcm->path->crypt(gcm, input, output, whole / 16);
	if (rest) {
		next_counter(gcm->counter);
		gcm->path->encrypt_block(gcm, gcm->counter, gcm->stream);
		crypt_bytes(gcm, 0, input + whole, output + whole, rest);
	}
	return 0;
}

int mbedtls_gcm_finish(mbedtls_gcm_context *gcm, unsigned char *output, size_t output_size,
		       size_t *output_length, unsigned char *tag, size_t tag_len)
{
	unsigned char lengths[16];

	(void)output; /* update has given everything already */
	(void)output_size;
	*output_length = 0;
	if (!gcm->open || tag_len < TAG_MIN || tag_len > 16)
		return MBEDTLS_ERR_GCM_BAD_INPUT;

	absorb_partial(gcm, gcm->text_size ? gcm->text_size : gcm->aad_size);
	put_lengths(lengths, gcm->aad_size, gcm->text_size);
	gcm->path->absorb(gcm, lengths, 1);
	for (size_t i = 0; i < tag_len; i++)
		tag[i] = gcm->hash[i] ^ gcm->mask[i];
	end_message(gcm);
	return 0;
}

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *gcm, int mode, size_t length, const unsigned char *iv,
			      size_t iv_len, const unsigned char *add, size_t add_len,
			      const unsigned char *input, unsigned char *output, size_t tag_len,
			      unsigned char *tag)
{
	size_t written;
	int failed;

	/* before any plaintext is written, not after */
	if (tag_len < TAG_MIN || tag_len > 16)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	failed = mbedtls_gcm_starts(gcm, mode, iv, iv_len);
	if (!failed)
		failed = mbedtls_gcm_update_ad(gcm, add, add_len);
	if (!failed)
		failed = mbedtls_gcm_update(gcm, input, length, output, length, &written);
	if (!failed)
		failed = mbedtls_gcm_finish(gcm, NULL, 0, &written, tag, tag_len);
	return failed;
}

int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *gcm, size_t length, const unsigned char *iv, size_t iv_len,
			     const unsigned char *add, size_t add_len, const unsigned char *tag,
			     size_t tag_len, const unsigned char *input, unsigned char *output)
{
	unsigned char expected[16];
	int failed;

	failed = mbedtls_gcm_crypt_and_tag(gcm, MBEDTLS_GCM_DECRYPT, length, iv, iv_len, add, add_len, input,
					   output, tag_len, expected);
	if (failed)
		return failed;
	if (mbedtls_ct_memcmp(tag, expected, tag_len) != 0) {
		failed = MBEDTLS_ERR_GCM_AUTH_FAILED;
		if (length)
			mbedtls_platform_zeroize(output, length);
	}
	mbedtls_platform_zeroize(expected, sizeof expected);
	return failed;
}
