/* Evidence from an enclave that is there to be asked, for a verdict now. */
#ifndef CMD_VERIFY_URL_H
#define CMD_VERIFY_URL_H

#include "verify_ask.h"
#include "verify_channel.h"

/* All of one answer; zeroed, then verify_evidence_init. */
struct verify_answer {
	struct verify_evidence evidence;
	bool secure;
	uint8_t key[SHA256_SIZE]; /* if secure: that signed the TLS handshake */
};

/* Runs a loop of its own until the answer has come; tls is borrowed. */
bool verify_url(const struct target *to, const struct tls_conf *tls, struct span nonce,
		struct verify_answer *answer, struct error *err);

#endif
