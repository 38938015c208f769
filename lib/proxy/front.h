/*
 * The HTTP listener of the host, and the one for apps inside the enclave: both take
 * requests in the same forms by the same rules. A front accepts connections, lets in whom
 * the access lists and limits allow, finds the target of each request, and hands the
 * exchange to its role.
 */
#ifndef PROXY_FRONT_H
#define PROXY_FRONT_H

#include "http/hop.h"
#include "net/listener.h"
#include "proxy/crew.h"
#include "proxy/exchange.h"

struct front;

struct front_config {
	const struct settings *settings; /* borrowed */
	struct exchange_role *role;	 /* borrowed; on_done must call front_done */
	struct via *via;		 /* borrowed */
	struct crew *crew;		 /* borrowed */
	struct metrics *metrics;	 /* borrowed */
	/* Every request is for an application: no other target is looked for, and who may ask is its
	 * business. */
	bool app;
	/*
	 * The exchange's target is set and may be used; for TARGET_SELF the path names what is asked of
	 * the proxy itself. The route ends in one of exchange_forward, _reply, _refuse.
	 */
	void (*route)(void *owner, struct exchange *x);
	void (*on_closed)(void *owner); /* a connection is about to go: for a drain */
	void *owner;
};

struct front *front_new(struct loop *l, const struct front_config *config, struct error *err);
/* For the listeners of a front: arg is the front. */
void front_accept(void *arg, struct stream *s);
/* Takes a listener whose connections go to front_accept. */
void front_add(struct front *f, struct listener *li);
/* Stops listening; idle connections close, and so does what comes still. */
void front_drain(struct front *f);
unsigned front_connections(const struct front *f);
void front_free(struct front *f); /* no exchange runs; NULL is fine */

/* From role.on_done. */
void front_done(struct exchange *x);

/*
 * What holds for a request of either listener and of a frame: its target found, a loop
 * refused. False with err for exchange_refuse.
 */
bool front_target(struct exchange *x, const struct settings *s, const struct via *via, struct error *err);

uint64_t front_new_id(void);

#endif
