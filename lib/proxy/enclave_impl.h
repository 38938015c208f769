/*
 * What the files of the enclave's role share; nobody else includes it.
 *
 *	enclave.c          its life, its listeners, the end
 *	enclave_role.c     what becomes of a request, wherever it came from
 *	enclave_channel.c  connections of frames from the host
 */
#ifndef PROXY_ENCLAVE_IMPL_H
#define PROXY_ENCLAVE_IMPL_H

#include "proxy/attest.h"
#include "proxy/channel.h"
#include "proxy/enclave.h"
#include "proxy/enclave_status.h"
#include "proxy/front.h"
#include "proxy/ingress.h"
#include "proxy/policy.h"
#include "proxy/signals.h"
#include "proxy/trunk_client.h"
#include "proxy/trunk_server.h"
#include "proxy/upstream.h"

struct enclave {
	struct loop *loop;
	const struct settings *settings;
	struct policy policy;
	struct tls_conf *tls;
	struct session_cache *sessions;
	struct upstream *upstream;
	struct enclave_status *status;
	struct attest *attest;
	struct witness_key *receipts; /* NULL: none are given */
	struct via via;
	struct enclave_surroundings around;
	struct signals_out *signals;
	struct crew *crew;	 /* borrowed */
	struct figures *figures; /* ours in it */
	struct exchange_role role;
	struct channel_server_config channels;
	struct trunk_server *trunks; /* from the host */
	struct trunk_client *trunk;  /* to the tunnel; NULL: not wanted */
	struct listener *frames;     /* owned; NULL: stopped, or none */
	struct front *front;	     /* for apps inside */
	struct ingress *ingress;     /* NULL: there is none */
	bool draining;
	struct task check_drained;
	void (*drained)(void *arg);
	void *drained_arg;
};

/* Owner of the role, of fronts and of channels is the enclave. */
void enclave_role_init(struct enclave *e);
void enclave_route(void *owner, struct exchange *x);

void enclave_channels_init(struct enclave *e);

/* Something is about to go: look in a moment whether it was the last. */
void enclave_check_drained(void *owner);

#endif
