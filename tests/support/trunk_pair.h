/*
 * A trunk over a unix socket, from its hello on, in either language: what a bundle does once it is there is
 * bundle_pair.h's. The clock is the test's.
 *
 *	client =unix=> [listener; reads the hello] server
 */
#ifndef TESTS_TRUNK_PAIR_H
#define TESTS_TRUNK_PAIR_H

#include "net/listener.h"
#include "proxy/trunk_client.h"
#include "proxy/trunk_server.h"

#define TRUNK_PAIR_STRANDS 64

#define TRUNK_SOON_S	6  /* longer than any pause but the one behind a refusal */
#define TRUNK_REFUSED_S 31 /* than that */

struct trunk_pair {
	struct loop *loop;
	enum trunk_wire wire;
	char directory[32], path[64];
	struct address at;
	struct listener *listener;
	struct trunk_client *client;
	struct trunk_server *server;
	struct trunk_stats stats;
	unsigned most; /* connections that the server allows */
	unsigned dialled, promises;
	struct stream *hello; /* of a connection whose hello is being read */
	struct tunnel_request request;
	struct trunk_hello told;		 /* the last one */
	bool mute;				 /* hellos are not passed on to the server */
	struct stream *mine[TRUNK_PAIR_STRANDS]; /* strands, by who opened them.. */
	struct stream *theirs[TRUNK_PAIR_STRANDS];
	unsigned opened, accepted;
};

/* most: connections that the server allows; 0: it wants no trunks. The client dials from the first turn on. */
void trunk_pair_start(struct trunk_pair *w, enum trunk_wire wire, unsigned most);
/* With all that is left. */
void trunk_pair_end(struct trunk_pair *w);
void trunk_pair_up(struct trunk_pair *w); /* until it is */
/* A strand, the next of mine; NULL: there is none to be had. */
struct stream *trunk_pair_open(struct trunk_pair *w);
/* Another server in the place of one that was freed. */
void trunk_pair_serve(struct trunk_pair *w, unsigned most);
void trunk_pair_listen(struct trunk_pair *w);
void trunk_pair_stop_listening(struct trunk_pair *w);
/* Puts the clock forward and lets what is due happen. */
void trunk_pair_wait_s(struct trunk_pair *w, unsigned seconds);

#endif
