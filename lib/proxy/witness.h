/*
 * Receipts for exchanges (nsm/receipt.h): the enclave's key for them, and who watches one exchange.
 *
 *	X-Nitroproxy-Want-Receipt: 1      in a request; what else may stand there is taken for nothing
 *
 *	Trailer: X-Nitroproxy-Receipt     in the response's head, which then has chunks and no Content-Length
 *	X-Nitroproxy-Receipt: :BASE64:    in its trailers (RFC 9110 section 6.5), a byte sequence of RFC 9651;
 *	                                  in the head itself if there is no body to wait for
 *
 * A witness hashes both bodies as they go by, in the loop, and at the response's end signs in a thread, for
 * P-384 takes half a millisecond.
 *
 * There is no receipt, but no error either: with the setting off, for a response that breaks off, for our own
 * answers (refusals, /health), for CONNECT and behind a 101, and for a head that has no room left. HTTP/1.0
 * has no place for trailers: such a client gets the receipts of empty bodies alone.
 *
 * The key lives as long as this; the claims name it.
 */
#ifndef PROXY_WITNESS_H
#define PROXY_WITNESS_H

#include "http/leg.h"
#include "http/target.h"
#include "tls/hash.h"
#include "tls/tls_stream.h"

#define WITNESS_WANT_FIELD "X-Nitroproxy-Want-Receipt"
#define WITNESS_FIELD	   "X-Nitroproxy-Receipt"

struct witness_key;
struct witness;

struct witness_key *witness_key_new(struct error *err);
void witness_key_free(struct witness_key *k); /* NULL is fine */
void witness_key_sha256(const struct witness_key *k, uint8_t out[HASH_SIZE]);
uint64_t witness_key_signed(const struct witness_key *k); /* receipts that were made */

/* Does the request ask? Takes the field out, which is no service's business. */
bool witness_asked(struct head *request);

/*
 * For the exchange of request with t; NULL: there can be no receipt for it. k outlives the loop's work on it.
 */
struct witness *witness_new(struct loop *l, struct witness_key *k, const struct head *request,
			    const struct target *t);
void witness_free(struct witness *w); /* NULL is fine */

/* To be filled in with the connection that answers, before its response; protocol NULL: it has no TLS. */
struct tls_info *witness_peer(struct witness *w);

void witness_request(struct witness *w, struct span body);
void witness_response(struct witness *w, struct span body);

/* The final head on its way to the client: makes room for the receipt. */
void witness_head(struct witness *w, struct head *h);

/*
 * Whether the receipt is due with this part of the response: it brings the end, or the final head of one
 * without a body. Once true, it is not asked again.
 */
bool witness_due(struct witness *w, const struct part *part);

/*
 * Signs, and puts the receipt into the part, which is borrowed until the one call. request_sent: whole, with
 * what was given to witness_request. No call after witness_free.
 */
void witness_sign(struct witness *w, struct part *part, bool request_sent, void (*fn)(void *arg), void *arg);

#endif
