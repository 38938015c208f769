#include "proxy/ingress_key.h"

#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/config.h"
#include "base/mem.h"
#include "tls/cert.h"

#define DAY	86400
#define PEM_MAX 65536

struct pem {
	struct buf chain, key;
};

static bool make(struct pem *pem, const struct settings *s, struct error *err)
{
	/* Twice the rotation: should a new key not come about, this one goes on for a while. */
	uint64_t seconds = (2 * s->ingress.rotate + s->ingress.overlap) / 1000;
	const char *hosts[CERT_HOSTS_MAX + 1] = {NULL};
	CHECK(s->ingress.names.count <= CERT_HOSTS_MAX);
	memcpy(hosts, s->ingress.names.items, s->ingress.names.count * sizeof *hosts);
	/* A day more, for the clocks of clients that are behind or ahead. */
	return cert_issue_self(hosts, (int64_t)time(NULL), (unsigned)(seconds / DAY) + 2, &pem->chain,
			       &pem->key, err);
}

static bool read_file(const char *path, struct buf *out, struct error *err)
{
	size_t n;
	char *text = config_slurp(path, &n, err);
	bool good = text && (buf_add(out, text, n) || error_set(err, ERR_CONFIG, "%s is too long", path));
	if (text)
		mem_wipe(text, n);
	free(text);
	return good;
}

static bool get(struct pem *pem, const struct settings *s, struct error *err)
{
	if (!s->ingress.certificate[0])
		return make(pem, s, err);
	return (read_file(s->ingress.certificate, &pem->chain, err) &&
		read_file(s->ingress.key, &pem->key, err)) ||
	       error_wrap(err, "ingress");
}

static struct tls_conf *configure(const struct pem *pem, const struct settings *s, struct error *err)
{
	const char *ca_files[SETTINGS_CLIENT_CA_MAX + 1] = {NULL};
	CHECK(s->ingress.client_ca.count <= SETTINGS_CLIENT_CA_MAX);
	for (size_t i = 0; i < s->ingress.client_ca.count; i++)
		ca_files[i] = s->ingress.client_ca.items[i];
	struct tls_conf *tls = tls_conf_new(&(struct tls_options){.role = TLS_SERVER,
								  .min_version = TLS_1_3,
								  .chain_pem = buf_span(&pem->chain),
								  .key_pem = buf_span(&pem->key),
								  .ca_files = ca_files,
								  .no_tickets = true},
					    err);
	if (!tls)
		error_wrap(err, "ingress");
	return tls;
}

bool ingress_key_make(struct ingress_key *k, const struct settings *s, struct error *err)
{
	struct pem pem;
	buf_init(&pem.chain, PEM_MAX);
	buf_init(&pem.key, PEM_MAX);
	k->tls = get(&pem, s, err) ? configure(&pem, s, err) : NULL;
	if (k->tls) {
		tls_conf_key_sha256(k->tls, k->sha256);
		hash_sha256(&(struct span){pem.chain.p, pem.chain.n}, 1, k->chain);
	}
	if (pem.key.p)
		mem_wipe(pem.key.p, pem.key.n);
	buf_free(&pem.chain);
	buf_free(&pem.key);
	return k->tls != NULL;
}
