/*
 * Documents of an emulator: QEMU's nitro-enclave machine measures an image as Nitro does and answers as the
 * NSM does, but has nobody's key to sign with. It says so in the form itself, which is like a real one
 * but for
 *
 *	[ protected: bytes{ {1: -1} },  {},  payload,  signature: 64 zero bytes ]
 *	certificate: 64 zero bytes            cabundle: [64 zero bytes]
 *
 * Exactly that is taken for unsigned. All else has to be signed, and a signature that is wrong is no missing
 * one.
 */
#ifndef NSM_EMULATED_H
#define NSM_EMULATED_H

#include "nsm/attestation.h"

/* Whether it is one; then it is taken apart (envelope.signature is NULL). Anybody could have made it. */
bool emulated_parse(struct span document, struct attestation *a);

#endif
