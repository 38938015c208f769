/*
 * The way from the ingress to the application inside the enclave: a reverse proxy over loopback.
 *
 *	client --TLS--> ingress --HTTP/1.1--> 127.0.0.1:PORT
 *
 * Requests go as they came, Host included, but for what belongs to a connection (http/hop.h); Via and
 * `X-Forwarded-Proto: https` are added, and X-Nitroproxy-Client-Key where ingress.forward_client says so;
 * what a client says under that name never arrives. Bodies stream both ways, WebSocket and other upgrades go
 * through. A connection to the application carries one exchange: over loopback a new one costs less than
 * keeping track.
 */
#ifndef PROXY_INGRESS_APP_H
#define PROXY_INGRESS_APP_H

#include "http/hop.h"
#include "proxy/exchange.h"
#include "proxy/settings.h"

struct ingress_app;

struct ingress_app_config {
	const struct settings *settings; /* borrowed */
	const struct via *via;		 /* borrowed */
	/* An exchange is over, see exchange_role.on_done. */
	void (*on_done)(void *owner, struct exchange *x);
	void *owner;
};

struct ingress_app *ingress_app_new(struct loop *l, const struct ingress_app_config *config,
				    struct error *err);
void ingress_app_free(struct ingress_app *a); /* what still runs is cut; NULL is fine */
struct exchange_role *ingress_app_role(struct ingress_app *a);
bool ingress_app_busy(const struct ingress_app *a);
/* Sends a request of that role there. client_key: SHA-256 of the client's SubjectPublicKeyInfo, to be told;
 * or NULL. */
void ingress_app_forward(struct ingress_app *a, struct exchange *x, const uint8_t *client_key);

#endif
