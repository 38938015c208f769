#include "tls/cert_parse.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END	  "-----END CERTIFICATE-----"

bool cert_read_file(struct buf *b, const char *path, struct error *err)
{
	buf_init(b, CERT_FILE_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		int code = errno;
		return error_set(err, ERR_CONFIG, "%s: %s", path, strerror(code));
	}
	char part[16384];
	ssize_t n;
	while ((n = read(fd, part, sizeof part)) > 0 && buf_add(b, part, (size_t)n))
		;
	int code = n < 0 ? errno : 0;
	close(fd);
	if (code)
		return error_set(err, ERR_CONFIG, "%s: %s", path, strerror(code));
	if (buf_full(b))
		return error_set(err, ERR_CONFIG, "%s: larger than %u MiB", path, CERT_FILE_MAX >> 20);
	return true;
}

/* Only asked about extensions that mbedTLS does not know; 0 lets a critical one through. */
static int on_extension(void *arg, mbedtls_x509_crt const *crt, mbedtls_x509_buf const *oid, int critical,
			const unsigned char *p, const unsigned char *end)
{
	(void)arg, (void)crt, (void)critical, (void)p, (void)end;
	struct span id = {(const char *)oid->p, oid->len};
	return span_is(id, SPAN("\x55\x1d\x1e")) ? 0 : MBEDTLS_ERR_X509_INVALID_EXTENSIONS;
}

int cert_parse_der(mbedtls_x509_crt *chain, const unsigned char *der, size_t n)
{
	return mbedtls_x509_crt_parse_der_with_ext_cb(chain, der, n, 1, on_extension, NULL);
}

/* The linker's name for what mbedTLS calls mbedtls_x509_crt_parse_der. */
int __wrap_mbedtls_x509_crt_parse_der(mbedtls_x509_crt *chain, const unsigned char *der, size_t n);

int __wrap_mbedtls_x509_crt_parse_der(mbedtls_x509_crt *chain, const unsigned char *der, size_t n)
{
	return cert_parse_der(chain, der, n);
}

/* mbedTLS wants text with a 0 behind it. */
static int parse_pem(mbedtls_x509_crt *chain, struct span block)
{
	char *text = mem_text_n(block.p, block.n);
	mbedtls_pem_context pem;
	mbedtls_pem_init(&pem);
	size_t used, n;
	int rc = mbedtls_pem_read_buffer(&pem, PEM_BEGIN, PEM_END, (const unsigned char *)text, NULL, 0,
					 &used);
	if (!rc) {
		const unsigned char *der = mbedtls_pem_get_buffer(&pem, &n);
		rc = cert_parse_der(chain, der, n);
	}
	mbedtls_pem_free(&pem);
	free(text);
	return rc;
}

static const char *find(struct span s, const char *what)
{
	return s.n ? memmem(s.p, s.n, what, strlen(what)) : NULL;
}

size_t cert_parse_all(mbedtls_x509_crt *chain, struct span text, cert_parse_fn *fn, void *arg)
{
	size_t count = 0;
	const char *begin = find(text, PEM_BEGIN);
	if (!begin && text.n && text.p[0] == 0x30) {
		fn(arg, ++count, cert_parse_der(chain, (const unsigned char *)text.p, text.n));
		return count;
	}
	while (begin) {
		text = span_from(text, (size_t)(begin - text.p));
		const char *end = find(text, PEM_END);
		size_t n = end ? (size_t)(end - text.p) + strlen(PEM_END) : text.n;
		if (!fn(arg, ++count, parse_pem(chain, (struct span){text.p, n})))
			break;
		text = span_from(text, n);
		begin = find(text, PEM_BEGIN);
	}
	return count;
}
