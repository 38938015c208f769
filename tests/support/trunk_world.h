/*
 * Both ends of trunks in one loop, over a unix socket; the clock is the test's.
 *
 *	trunk_client --- unix --- listener, which reads the hello --+-- trunk_server
 *	                                                            '-- another, if there are two workers: in turns
 */
#ifndef TESTS_TRUNK_WORLD_H
#define TESTS_TRUNK_WORLD_H

#include "net/listener.h"
#include "proxy/trunk_client.h"
#include "proxy/trunk_server.h"

#define TRUNK_WORLD_STRANDS 64
#define SOON_S		    6  /* longer than any pause but the one behind a refusal */
#define REFUSED_S	    31 /* than that */

struct trunk_world {
	struct loop *loop;
	enum trunk_wire wire;
	char directory[32], path[64];
	struct address at;
	struct listener *listener;
	struct trunk_client *client;
	struct crew *crew; /* of the server */
	struct trunk_server *server;
	struct crew second_crew;     /* as the second worker would have it.. */
	struct trunk_server *second; /* ..who is NULL where there is one alone */
	struct trunk_stats stats;
	unsigned most; /* connections that the server allows */
	unsigned dialled, promises;
	struct stream *hello; /* of a connection whose hello is being read */
	struct tunnel_request request;
	struct trunk_hello told; /* the last one */
	bool mute;		 /* hellos are not passed on to the server */
	/* strands, by who opened them; what stands here at the end is closed */
	struct stream *mine[TRUNK_WORLD_STRANDS];
	struct stream *theirs[TRUNK_WORLD_STRANDS];
	unsigned opened, accepted;
};

/* most: connections that the server allows. 0: it wants no trunk. */
void trunk_world_start(struct trunk_world *w, enum trunk_wire wire, unsigned most);
/* With two workers, who get what is dialled in turns. */
void trunk_world_start_two(struct trunk_world *w, enum trunk_wire wire, unsigned most);
/* A server in place of one that the test has freed. */
void trunk_world_serve(struct trunk_world *w, unsigned most);
void trunk_world_listen(struct trunk_world *w);
void trunk_world_stop_listening(struct trunk_world *w);
void trunk_world_finish(struct trunk_world *w);

/* Until a trunk is up. */
void trunk_world_up(struct trunk_world *w);
/* The next strand, which is in mine then; NULL when there is none to be had. */
struct stream *trunk_world_open(struct trunk_world *w);
/* Until a trunk is up and the first strand open: mine[0] and theirs[0]. */
void trunk_world_strand(struct trunk_world *w);
/* Puts the clock forward and lets what is due happen. */
void trunk_world_wait(struct trunk_world *w, unsigned seconds);

#endif
