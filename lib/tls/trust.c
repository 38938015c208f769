#include "tls/trust.h"

#include <dirent.h>
#include <errno.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "tls/cert_parse.h"
#include "tls/cert_view.h"
#include "tls/tls_error.h"

struct root {
	const mbedtls_x509_crt *crt; /* borrowed from roots */
	uint8_t sha256[32];
};

struct trust {
	mbedtls_x509_crt parsed; /* owned; the head of the list may be empty */
	struct root *roots;	 /* owned; sorted by subject, each certificate once */
	size_t count;
};

static const char *const system_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
};

struct trust *trust_new(void)
{
	struct trust *t = mem_zero(sizeof *t);
	mbedtls_x509_crt_init(&t->parsed);
	return t;
}

void trust_free(struct trust *t)
{
	if (!t)
		return;
	mbedtls_x509_crt_free(&t->parsed);
	free(t->roots);
	free(t);
}

static int compare_spans(struct span a, struct span b)
{
	int d = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return d ? d : (a.n > b.n) - (a.n < b.n);
}

static int by_subject(const void *a, const void *b)
{
	const struct root *x = a, *y = b;
	int d = compare_spans(cert_subject(x->crt), cert_subject(y->crt));
	return d ? d : memcmp(x->sha256, y->sha256, sizeof x->sha256);
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(((const struct root *)a)->sha256, ((const struct root *)b)->sha256, 32);
}

static void drop_twins(struct trust *t)
{
	size_t kept = 0;
	for (size_t i = 0; i < t->count; i++)
		if (!kept || memcmp(t->roots[i].sha256, t->roots[kept - 1].sha256, 32) != 0)
			t->roots[kept++] = t->roots[i];
	t->count = kept;
}

static void index_roots(struct trust *t)
{
	size_t n = 0;
	const mbedtls_x509_crt *each =
		&t->parsed; /* mbedTLS's list: its first member is always there, maybe empty */
	do
		n += each->raw.p != NULL;
	while ((each = each->next));
	t->roots = mem_resize(t->roots, n * sizeof *t->roots);
	t->count = 0;
	for (const mbedtls_x509_crt *c = &t->parsed; c; c = c->next) {
		if (!c->raw.p)
			continue;
		struct root *r = &t->roots[t->count++];
		r->crt = c;
		CHECK(mbedtls_sha256(c->raw.p, c->raw.len, r->sha256, 0) == 0);
	}
	if (!t->count)
		return;
	qsort(t->roots, t->count, sizeof *t->roots, by_subject);
	drop_twins(t);
}

struct reading {
	const char *path;
	struct error *err; /* NULL: go on after one that cannot be read */
	size_t bad;
};

static bool on_certificate(void *arg, size_t number, int rc)
{
	struct reading *r = arg;
	if (!rc)
		return true;
	r->bad++;
	if (!r->err)
		return true;
	char why[TLS_REASON_MAX];
	return error_set(r->err, ERR_CONFIG, "%s: certificate %zu cannot be read: %s", r->path, number,
			 tls_reason(rc, why));
}

static bool read_roots(struct trust *t, struct reading *r, struct error *err)
{
	struct buf text;
	size_t found = 0;
	bool ok = cert_read_file(&text, r->path, err);
	if (ok)
		found = cert_parse_all(&t->parsed, buf_span(&text), on_certificate, r);
	buf_free(&text);
	if (!ok)
		return false;
	if (!found)
		return error_set(err, ERR_CONFIG, "%s: no certificate in it (PEM or DER)", r->path);
	if (found == r->bad && !r->err)
		return error_set(err, ERR_CONFIG, "%s: none of its %zu certificates can be read", r->path,
				 found);
	index_roots(t);
	return !(r->err && r->bad);
}

bool trust_add_file(struct trust *t, const char *path, struct error *err)
{
	struct error why = {0};
	struct reading r = {.path = path, .err = &why};
	if (read_roots(t, &r, &why))
		return true;
	if (err)
		*err = why;
	return false;
}

static bool is_certificate_file(const char *name)
{
	static const char *const endings[] = {".pem", ".crt", ".cer", ".der"};
	size_t n = strlen(name);
	for (size_t i = 0; i < countof(endings); i++)
		if (n > 4 && name[0] != '.' && strcmp(name + n - 4, endings[i]) == 0)
			return true;
	return false;
}

static int select_entry(const struct dirent *e)
{
	return is_certificate_file(e->d_name);
}

static bool add_entry(struct trust *t, const char *dir, const char *name, struct error *err)
{
	char path[4096];
	struct stat st;
	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
		return error_set(err, ERR_CONFIG, "a path in a certificate directory is too long");
	if (stat(path, &st) != 0)
		return error_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
	return !S_ISREG(st.st_mode) || trust_add_file(t, path, err);
}

bool trust_add_directory(struct trust *t, const char *path, struct error *err)
{
	struct dirent **entries;
	int n = scandir(path, &entries, select_entry, alphasort);
	if (n < 0)
		return error_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
	bool ok = n > 0 || error_set(err, ERR_CONFIG, "%s: no *.pem, *.crt, *.cer or *.der file in it", path);
	for (int i = 0; i < n; i++) {
		ok = ok && add_entry(t, path, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return ok;
}

bool trust_add_system(struct trust *t, size_t *skipped, struct error *err)
{
	for (size_t i = 0; i < countof(system_bundles); i++) {
		if (access(system_bundles[i], F_OK) != 0)
			continue;
		struct reading r = {.path = system_bundles[i]};
		bool ok = read_roots(t, &r, err);
		*skipped = r.bad;
		return ok;
	}
	return error_set(err, ERR_CONFIG,
			 "no system certificates (%s, %s): install ca-certificates or set tls.ca_file",
			 system_bundles[0], system_bundles[1]);
}

size_t trust_count(const struct trust *t)
{
	return t->count;
}

void trust_sha256(const struct trust *t, uint8_t out[32])
{
	struct root *sorted = mem_alloc(t->count * sizeof *sorted);
	if (t->count) {
		memcpy(sorted, t->roots, t->count * sizeof *sorted);
		qsort(sorted, t->count, sizeof *sorted, by_hash);
	}
	mbedtls_sha256_context sha;
	mbedtls_sha256_init(&sha);
	CHECK(mbedtls_sha256_starts(&sha, 0) == 0);
	for (size_t i = 0; i < t->count; i++)
		CHECK(mbedtls_sha256_update(&sha, sorted[i].sha256, 32) == 0);
	CHECK(mbedtls_sha256_finish(&sha, out) == 0);
	mbedtls_sha256_free(&sha);
	free(sorted);
}

bool trust_find(const struct trust *t, struct span subject, trust_fn *fn, void *arg)
{
	size_t low = 0, high = t->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (compare_spans(cert_subject(t->roots[mid].crt), subject) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < t->count && span_is(cert_subject(t->roots[low].crt), subject); low++)
		if (fn(arg, t->roots[low].crt))
			return true;
	return false;
}
