#include "proxy/ingress_key.h"

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "tls/cert.h"

#define DAY 86400

struct tls_conf *ingress_key_new(const struct text_list *names, uint64_t seconds, uint8_t sha256[HASH_SIZE],
				 struct error *err)
{
	struct buf chain, key;
	struct tls_conf *conf = NULL;
	const char **hosts = mem_zero((names->count + 1) * sizeof *hosts);
	memcpy(hosts, names->items, names->count * sizeof *hosts);
	buf_init(&chain, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	/* A day more, for the clocks of clients that are behind or ahead. */
	if (cert_issue_self(hosts, (int64_t)time(NULL), (unsigned)(seconds / DAY) + 2, &chain, &key, err))
		conf = tls_conf_new(&(struct tls_options){.role = TLS_SERVER,
							  .min_version = TLS_1_3,
							  .chain_pem = buf_span(&chain),
							  .key_pem = buf_span(&key),
							  .no_tickets = true},
				    err);
	if (conf)
		tls_conf_key_sha256(conf, sha256);
	if (key.p)
		mem_wipe(key.p, key.n);
	buf_free(&chain);
	buf_free(&key);
	free(hosts);
	return conf;
}
