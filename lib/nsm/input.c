#include "nsm/input.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/base64.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

static bool read_all(int fd, const char *path, struct buf *out, struct error *err)
{
	char piece[4096];
	for (;;) {
		ssize_t n = read(fd, piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "cannot read %s", path);
		if (n == 0)
			return true;
		if (!buf_add(out, piece, (size_t)n))
			return error_set(err, ERR_LIMIT, "%s has more than the %zu bytes allowed", path,
					 out->cap);
	}
}

bool input_read(const char *path, struct buf *out, struct error *err)
{
	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, "standard input", out, err);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "cannot open %s", path);
	bool good = read_all(fd, path, out, err);
	close(fd);
	return good;
}

/* CBOR of a document begins with 84 or d2, which no ASCII text does. */
void input_document(struct buf *document)
{
	if (!document->n || (uint8_t)document->p[0] >= 0x80)
		return;
	uint8_t *out = mem_alloc(document->n);
	size_t n;
	if (mbedtls_base64_decode(out, document->n, &n, (const uint8_t *)document->p, document->n) == 0) {
		buf_clear(document);
		buf_add(document, out, n);
	}
	free(out);
}

bool input_root(struct span file, uint8_t root[SHA256_SIZE], struct error *err)
{
	mbedtls_x509_crt crt;
	mbedtls_x509_crt_init(&crt);
	char *text = mem_text_n(file.p, file.n); /* the parser knows PEM by a 0 at the end */
	bool pem = strstr(text, "-----BEGIN ") != NULL;
	bool good = mbedtls_x509_crt_parse(&crt, (const uint8_t *)text, file.n + pem) == 0 && !crt.next;
	if (good)
		digest_sha256((struct span){(const char *)crt.raw.p, crt.raw.len}, root);
	mbedtls_x509_crt_free(&crt);
	free(text);
	return good || error_set(err, ERR_CONFIG, "the root is not one certificate in PEM or DER");
}
