/*
 * One end of a connection in a test: sends a known pattern, ends its direction, and checks byte for byte
 * that what it gets is the pattern of the other end.
 */
#ifndef TESTS_TALKER_H
#define TESTS_TALKER_H

#include "net/stream.h"

struct talker {
	struct stream *s;     /* owned */
	unsigned says, hears; /* which pattern */
	uint64_t left;	      /* to send */
	uint64_t sent, got;
	size_t piece;	       /* bytes a write */
	bool stays;	       /* does not end its direction */
	bool said;	       /* all sent, and the end of it too */
	bool heard_end, wrong; /* wrong: a byte was another */
	bool send_failed, read_failed;
	struct error send_error, read_error;
	uint8_t out[65536];
};

uint8_t talker_byte(unsigned pattern, uint64_t at);

/* Takes s. Sends `count` bytes, `piece` at a time, then ends. */
void talker_start(struct talker *t, struct stream *s, unsigned says, uint64_t count, size_t piece,
		  unsigned hears);
/* For one that was not to send at once: it has heard enough. */
void talker_say(struct talker *t, uint64_t count);
void talker_listen(struct talker *t);
void talker_close(struct talker *t);

#endif
