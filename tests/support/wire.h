/* One end of a connection in a test: says the texts it is told to say and keeps all that it hears. */
#ifndef TESTS_WIRE_H
#define TESTS_WIRE_H

#include "base/buf.h"
#include "net/stream.h"

#define WIRE_TEXT_MAX (1 << 24)

struct wire {
	struct stream *s; /* owned; NULL: closed */
	struct buf said;  /* not written yet */
	struct buf heard;
	size_t piece;	  /* bytes a write */
	bool ends;	  /* its direction, behind what is still to be said */
	bool ended;	  /* .. and has */
	bool heard_end;	  /* or an error: see err.kind */
	bool deaf;	  /* reads no more */
	struct error err; /* of hearing; kind ERR_NONE: none */
	bool lost;	  /* a write failed */
	char out[4096];	  /* what is being written: said may move meanwhile */
};

/* Takes s and listens. piece: how many bytes it writes at a time. */
void wire_start(struct wire *w, struct stream *s, size_t piece);
void wire_say(struct wire *w, const char *text);
void wire_say_span(struct wire *w, struct span bytes);
void wire_end(struct wire *w);
void wire_close(struct wire *w); /* what was heard stays */
void wire_free(struct wire *w);
/* Is that text in what was heard? */
bool wire_heard(const struct wire *w, const char *text);
/* How many times. */
size_t wire_count(const struct wire *w, const char *text);
/* Nothing heard so far counts any more. */
void wire_forget(struct wire *w);
/* Stops reading until wire_listen. */
void wire_deafen(struct wire *w);
void wire_listen(struct wire *w);

#endif
