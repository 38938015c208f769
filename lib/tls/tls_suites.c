#include "tls/tls_suites.h"

#include <mbedtls/ssl_ciphersuites.h>
#include <string.h>

#include "base/check.h"

/* The default order: AES-128-GCM costs least, ChaCha20 is the slowest here (see gcm.c). */
#define SUITES(X)                                                                                            \
	X("TLS_AES_128_GCM_SHA256", MBEDTLS_TLS1_3_AES_128_GCM_SHA256, TLS_1_3)                              \
	X("TLS_AES_256_GCM_SHA384", MBEDTLS_TLS1_3_AES_256_GCM_SHA384, TLS_1_3)                              \
	X("TLS_CHACHA20_POLY1305_SHA256", MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, TLS_1_3)                  \
	X("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,        \
	  TLS_1_2)                                                                                           \
	X("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_1_2)   \
	X("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,        \
	  TLS_1_2)                                                                                           \
	X("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_1_2)   \
	X("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",                                                   \
	  MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_1_2)                                    \
	X("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",                                                     \
	  MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS_1_2)

static const struct suite {
	const char *name;
	int id;
	enum tls_version version;
} known[] = {
#define X(name, id, version) {name, id, version},
	SUITES(X)
#undef X
};

const char *tls_cipher_suite_names(void)
{
#define X(name, id, version) " " name
	return &(SUITES(X))[1];
#undef X
}

/* mbedTLS writes TLS1-3-AES-128-GCM-SHA256 for TLS_AES_128_GCM_SHA256. */
static const char *skip_prefix(const char *name)
{
	if (strncmp(name, "TLS1-3-", 7) == 0)
		return name + 7;
	return strncmp(name, "TLS-", 4) == 0 || strncmp(name, "TLS_", 4) == 0 ? name + 4 : name;
}

static bool same_name(const char *a, const char *b)
{
	for (a = skip_prefix(a), b = skip_prefix(b); *a && *b; a++, b++)
		if (*a != *b && !(*a == '-' && *b == '_'))
			return false;
	return *a == *b;
}

static const struct suite *find(const char *name)
{
	for (size_t i = 0; i < countof(known); i++)
		if (same_name(name, known[i].name))
			return &known[i];
	return NULL;
}

static bool has(const int *suites, int id)
{
	for (; *suites; suites++)
		if (*suites == id)
			return true;
	return false;
}

static void add(int *suites, size_t *n, const struct suite *s, enum tls_version min_version)
{
	if ((s->version == TLS_1_2 && min_version == TLS_1_3) || has(suites, s->id))
		return;
	CHECK(*n < TLS_MAX_SUITES);
	suites[(*n)++] = s->id;
}

bool tls_suites_read(int suites[TLS_MAX_SUITES + 1], const char *const *names, enum tls_version min_version,
		     struct error *err)
{
	size_t n = 0;
	memset(suites, 0, (TLS_MAX_SUITES + 1) * sizeof *suites);
	for (size_t i = 0; !names && i < countof(known); i++)
		add(suites, &n, &known[i], min_version);
	for (; names && *names; names++) {
		const struct suite *s = find(*names);
		if (!s)
			return error_set(err, ERR_CONFIG, "tls.cipher_suites: %.60s is not known", *names);
		add(suites, &n, s, min_version);
	}
	return n > 0 || error_set(err, ERR_CONFIG, "tls.cipher_suites: no suite for tls.min_version in it");
}
