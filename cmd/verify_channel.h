/*
 * A connection to ask an enclave over: plain TCP, or TLS whose certificate is not judged by anybody's
 * signature. What vouches for its key is the attestation document that then comes over this same connection.
 */
#ifndef CMD_VERIFY_CHANNEL_H
#define CMD_VERIFY_CHANNEL_H

#include "base/loop.h"
#include "http/target.h"
#include "net/stream.h"
#include "nsm/digest.h"
#include "tls/tls_conf.h"

/* http://HOST[:PORT] or https://HOST[:PORT]; *to needs target_free. */
bool verify_channel_url(const char *url, struct target *to, struct error *err);
/*
 * TLS 1.3 that takes any certificate, and never resumes. Its own is shown to who asks: PEM files, NULL: none.
 */
struct tls_conf *verify_channel_tls(const char *certificate_file, const char *key_file, struct error *err);

struct verify_channel;

/* s is the callee's. key: SHA-256 of the public key that signed the TLS handshake; NULL: there is no TLS. */
typedef void verify_channel_fn(void *arg, struct stream *s, const uint8_t *key, const struct error *err);

/* to and tls are borrowed, tls for as long as the stream lives. One callback; none after the cancel. */
struct verify_channel *verify_channel_start(struct loop *l, const struct target *to,
					    const struct tls_conf *tls, verify_channel_fn *fn, void *arg);
void verify_channel_cancel(struct verify_channel *c);

#endif
