/*
 * SHA-256 and SHA-224, on every path and from one path to the other, cut into pieces as the input says,
 * against libcrypto's.
 *
 *	byte 0	bit 0: SHA-224
 *	byte 1	how many of the following bytes are sizes of pieces; they are used in turn, 0 for an empty one
 *	then	the sizes, and the message: all that is left
 */
#include "base/check.h"
#include "tls/sha256_path.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

#define HEAD 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct message {
	int is224;
	const uint8_t *pieces;
	size_t piece_count;
	const uint8_t *text;
	size_t size;
};

static struct message parse(const uint8_t *data, size_t size)
{
	size_t left = size - HEAD;
	struct message m = {
		.is224 = data[0] & 1,
		.pieces = data + HEAD,
		.piece_count = data[1] < left ? data[1] : left,
	};

	m.text = m.pieces + m.piece_count;
	m.size = left - m.piece_count;
	return m;
}

/* Path p alone; with p == countof(sha256_paths) each piece takes the next. */
static const struct sha256_path *path_of(size_t p, size_t piece)
{
	return sha256_paths[p < countof(sha256_paths) ? p : piece % countof(sha256_paths)];
}

static void in_pieces(const struct message *m, size_t p, unsigned char digest[32])
{
	mbedtls_sha256_context ctx;
	size_t done = 0;

	mbedtls_sha256_init(&ctx);
	CHECK(mbedtls_sha256_starts(&ctx, m->is224) == 0);
	for (size_t i = 0; i < m->piece_count; i++) {
		size_t left = m->size - done, n = m->pieces[i] < left ? m->pieces[i] : left;

		sha256_update_on(&ctx, path_of(p, i), m->text + done, n);
		done += n;
	}
	sha256_update_on(&ctx, path_of(p, m->piece_count), m->text + done, m->size - done);
	sha256_finish_on(&ctx, path_of(p, m->piece_count + 1), digest);
}

static bool usable(size_t p)
{
	bool all = true;

	for (size_t i = 0; i < countof(sha256_paths); i++)
		if (p == i || p == countof(sha256_paths))
			all = all && sha256_paths[i]->usable();
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char wanted[32], digest[32];
	unsigned int digest_size;

	if (size < HEAD)
		return 0;

	struct message m = parse(data, size);

	CHECK(EVP_Digest(m.text, m.size, wanted, &digest_size, m.is224 ? EVP_sha224() : EVP_sha256(), NULL) ==
	      1);
	for (size_t p = 0; p <= countof(sha256_paths); p++) {
		if (!usable(p))
			continue;
		in_pieces(&m, p, digest);
		CHECK(memcmp(digest, wanted, digest_size) == 0);
	}
	CHECK(mbedtls_sha256(m.text, m.size, digest, m.is224) == 0);
	CHECK(memcmp(digest, wanted, digest_size) == 0);
	return 0;
}
