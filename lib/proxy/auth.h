/*
 * Who may use the proxy: Proxy-Authorization, Basic scheme (RFC 7617, RFC 9110 section 11.7),
 * against hashed secrets from the configuration:
 *
 *	USER:pbkdf2-sha256:ITERATIONS:SALT:HASH      salt 8 to 64 bytes and hash 32 bytes, in hex
 *
 * for instance by
 *
 *	python3 -c 'import hashlib,os; s=os.urandom(16); n=100000; print("alice:pbkdf2-sha256:%d:%s:%s" %
 *	  (n, s.hex(), hashlib.pbkdf2_hmac("sha256", b"THE PASSWORD", s, n).hex()))'
 *
 * Hashing is slow on purpose, so it is kept off the loop, and paid once:
 *
 *	auth_begin --> AUTH_YES, AUTH_NO     known already (from a keyed digest of the credential)
 *	           `-> AUTH_WORK             auth_work in any thread, then auth_end in the loop
 *
 * A user that does not exist costs the same work as a wrong password.
 */
#ifndef PROXY_AUTH_H
#define PROXY_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text_list.h"
#include "tls/hash.h"

#define AUTH_MAX_CREDENTIAL 512 /* bytes of user:password */
#define AUTH_MAX_USER	    64
#define AUTH_MAX_SALT	    64
#define AUTH_MIN_ITERATIONS 1000
#define AUTH_MAX_ITERATIONS 10000000

struct auth;

/*
 * secrets: as above, at least one, one per user. NULL: ERR_CONFIG, which names a secret by its place alone.
 */
struct auth *auth_new(const struct text_list *secrets, struct error *err);
void auth_free(struct auth *a); /* NULL is fine */

enum auth_answer { AUTH_YES, AUTH_NO, AUTH_WORK };

/* One credential on its way: on its own, so that a thread can have it. Wiped by auth_end. */
struct auth_try {
	size_t user; /* index of the secret; of a decoy when there is no such user */
	bool known;
	unsigned iterations;
	uint8_t salt[AUTH_MAX_SALT], tag[HASH_SIZE], hash[HASH_SIZE];
	size_t salt_len, password_len;
	char password[AUTH_MAX_CREDENTIAL];
};

/*
 * field: the value of Proxy-Authorization; {NULL, 0} when there is none. AUTH_NO: ERR_AUTH. AUTH_WORK:
 * *t must get to auth_end, or be wiped.
 */
enum auth_answer auth_begin(struct auth *a, struct span field, struct auth_try *t, struct error *err);
void auth_work(struct auth_try *t);
/* Remembers the answer for auth_begin and wipes *t. */
bool auth_end(struct auth *a, struct auth_try *t, struct error *err);

#endif
