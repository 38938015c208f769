/*
 * Sessions that can be resumed: a loop's bounded store of TLS 1.3 tickets.
 *
 * A ticket is kept under who the server proved to be and under what configuration: host,
 * port, identity of the trust settings. So resumption never stands for a name that was
 * not verified, and tickets of an earlier trust store are never found again. Each ticket
 * is used once (RFC 8446 appendix C.4), the newest first. It dies with its lifetime or
 * with the first certificate of the chain that vouched for it.
 */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define SESSION_MAX_BYTES 4096 /* a larger ticket is not kept */
/* A ticket a handshake goes out and one comes in: so many can start at once and all be resumed. */
#define SESSION_MAX_PER_TARGET 64

struct session_cache;

struct session_cache *session_cache_new(size_t max); /* tickets in all; the longest unused goes first */
void session_cache_free(struct session_cache *c);    /* NULL is fine */

/* Keeps a copy until `expires`, seconds since 1970. */
void session_put(struct session_cache *c, struct span key, struct span session, int64_t expires);
/* Takes the newest of that key out: how many bytes went into buf; 0: there is none. */
size_t session_take(struct session_cache *c, struct span key, int64_t now, uint8_t buf[SESSION_MAX_BYTES]);
/* The server at key refused: drops all of its tickets. */
void session_forget(struct session_cache *c, struct span key);
size_t session_count(const struct session_cache *c);

#endif
