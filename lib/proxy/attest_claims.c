#include "proxy/attest_claims.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

#define PIECE 65536

static bool hash_executable(uint8_t out[SHA256_SIZE], struct error *err)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "the executable cannot be read for its digest");
	struct hash_stream *h = hash_stream_start();
	char *piece = mem_alloc(PIECE);
	ssize_t n;
	while ((n = read(fd, piece, PIECE)) > 0)
		hash_stream_add(h, (struct span){piece, (size_t)n});
	int code = errno;
	hash_stream_end(h, out);
	free(piece);
	close(fd);
	return n == 0 || error_errno(err, code, "the executable cannot be read for its digest");
}

/*
 * As `nitroproxy enclave --print-config=json` shows it, so that whoever has the settings gets the same bytes.
 */
static void hash_settings(const struct settings *s, uint8_t out[SHA256_SIZE])
{
	char *text = NULL;
	size_t n = 0;
	FILE *memory = open_memstream(&text, &n);
	CHECK(memory);
	opts_print(&s->opts, memory, OPTS_JSON);
	CHECK(fclose(memory) == 0);
	digest_sha256((struct span){text, n}, out);
	free(text);
}

bool attest_claims(struct claims *c, const struct settings *s, const struct policy *policy,
		   const struct tls_conf *tls, struct error *err)
{
	*c = (struct claims){.version = NP_VERSION};
	c->has[CLAIM_BINARY] = c->has[CLAIM_POLICY] = c->has[CLAIM_CONFIG] = true;
	memcpy(c->sha256[CLAIM_POLICY], policy->digest, SHA256_SIZE);
	hash_settings(s, c->sha256[CLAIM_CONFIG]);
	c->has[CLAIM_TRUST_STORE] = tls_conf_verifies(tls);
	tls_conf_trust_sha256(tls, c->sha256[CLAIM_TRUST_STORE]);
	return hash_executable(c->sha256[CLAIM_BINARY], err);
}
