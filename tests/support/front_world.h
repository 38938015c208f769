/*
 * A front between clients on memory streams, whose addresses the test chooses, and a role that answers each request
 * with what it has got of it:
 *
 *	client wire --- server_conn > front > role: "url https example.com 443 /a", then the request's head
 */
#ifndef TESTS_FRONT_WORLD_H
#define TESTS_FRONT_WORLD_H

#include "proxy/front.h"
#include "wire.h"

struct front_world {
	/* to be changed before front_world_open */
	struct settings settings;
	unsigned workers;
	bool app;

	struct loop *loop;
	struct crew *crew;
	struct via via;
	struct metrics metrics;
	struct exchange_role role;
	struct front *front;
	bool holds;		   /* requests are not answered: see held */
	struct exchange *held;	   /* borrowed; the last of them */
	unsigned routed, done;	   /* exchanges */
	unsigned closed;	   /* calls of on_closed */
	struct exchange_info last; /* of the exchange that was done last */
	uint64_t id;		   /* of the request that was routed last */
};

/* Who is at the other end of a client's stream. */
struct front_peer {
	const char *address;   /* NULL: nothing is known */
	const char *transport; /* likewise */
	bool loopback;
	int64_t uid; /* 0: unknown */
};
#define FRONT_STRANGER ((struct front_peer){.address = "192.0.2.7:4711", .transport = "tcp"})

/* Everything is allowed, and nobody is asked who he is. */
void front_world_init(struct front_world *w);
/* False: front_new has refused, with err. */
bool front_world_open(struct front_world *w, struct error *err);
/* Both of them. */
void front_world_start(struct front_world *w);
/* Checks that nothing is left, also of a world that was not opened. */
void front_world_end(struct front_world *w);
/* The process ends: what runs is abandoned, the front freed. */
void front_world_stop(struct front_world *w);

/* USER:HASH of alice, and what she sends. */
extern const char front_alice[];
#define FRONT_ALICE "Proxy-Authorization: Basic YWxpY2U6b3BlbjpzZXNhbWU=\r\n"
#define FRONT_WRONG "Proxy-Authorization: Basic YWxpY2U6d3Jvbmc=\r\n"

void front_world_client(struct front_world *w, struct wire *c, struct front_peer peer);
/* Says it, and waits for its answer: nothing heard before counts. head_and_body: whole, with the blank line. */
void front_client_ask(struct front_world *w, struct wire *c, const char *head_and_body);
/* The answer to what was asked has that in it. */
void front_client_heard(const struct wire *c, const char *text);
/* From a client of its own, which must hear it. */
void front_world_ask(struct front_world *w, struct front_peer peer, const char *head_and_body,
		     const char *hears);

/* The one that is held. */
void front_world_answer(struct front_world *w);
/* Whatever can happen without waiting has happened. */
void front_world_turn(struct front_world *w);

#endif
