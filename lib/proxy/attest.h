/*
 * Evidence for whoever asks: documents made by the Nitro Security Module, and the claims they vouch for.
 *
 *	exchange --> query --> rate limit --> QUEUE --> one job at a time in a thread --> document --> reply
 *
 * The NSM's driver answers one caller at a time and may block for two minutes, so there is one job, and
 * who has waited ATTEST_PATIENCE_MS is refused. A document over a nonce is always made anew; the one without
 * is made once, at start: it shows early that the NSM works, and its facts stand in /health and the log.
 */
#ifndef PROXY_ATTEST_H
#define PROXY_ATTEST_H

#include "proxy/exchange.h"
#include "proxy/policy.h"
#include "proxy/ratelimit.h"
#include "proxy/settings.h"

#define ATTEST_PATIENCE_MS 15000
#define ATTEST_WAITING_MAX 64

struct attest;

/*
 * Everything is borrowed for the call, but rate (of all who ask together) for as long as it lives. NULL: err
 * says why there can be no evidence, though some is asked for.
 */
struct attest *attest_new(struct loop *l, const struct settings *s, const struct policy *policy,
			  const struct tls_conf *tls, struct ratelimit *rate, struct error *err);
void attest_free(struct attest *a); /* NULL is fine */

/*
 * The key that ends TLS in the enclave from now on: SHA-256 of its SubjectPublicKeyInfo. What comes in over
 * a connection of an older key is answered for that key.
 */
void attest_set_key(struct attest *a, const uint8_t key[HASH_SIZE]);

/*
 * The key that signs receipts, likewise, once and for all. ERR_CONFIG: nothing here can vouch for it.
 */
bool attest_set_receipt_key(struct attest *a, const uint8_t key[HASH_SIZE], struct error *err);

/* Answers a request that is LOCAL_ATTESTATION. key: that ended the TLS it came through; NULL: the one in
 * force. */
void attest_reply(struct attest *a, struct exchange *x, const uint8_t *key);
void attest_done(struct attest *a, const struct exchange *x); /* from role.on_done */

/* "attestation":{"nsm":"device","module":"i-..","debug":false} for /health. */
void attest_status(const struct attest *a, struct buf *json);

#endif
