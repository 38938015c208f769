/*
 * For those who implement a stream: each operation ends, now or later, in one
 * stream_read_done or stream_write_done; the base delivers it from the loop.
 */
#ifndef NET_STREAM_IMPL_H
#define NET_STREAM_IMPL_H

#include "net/stream.h"

struct stream_ops {
	void (*read)(struct stream *s);	    /* a read is wanted: see stream_wants_read */
	void (*write)(struct stream *s);    /* s->wr.v, s->wr.count; may be advanced in place */
	void (*shutdown)(struct stream *s); /* ends in stream_write_done */
	void (*close)(struct stream *s);    /* release everything, s itself too; s is silent already */
	void (*peer)(const struct stream *s, struct stream_peer *peer); /* NULL: nothing known */
	const char *(*transport)(const struct stream *s);		/* likewise */
	void (*abort)(struct stream *s); /* close comes next, and is to look like a break. NULL: it does */
	struct stream *(*through)(struct stream *s, enum stream_side side); /* NULL: itself */
	void (*require_end)(struct stream *s); /* NULL: a close is told from an end anyway */
};

struct stream {
	const struct stream_ops *ops;
	struct loop *loop; /* borrowed */
	struct {
		stream_read_fn *fn; /* pending while set */
		void *arg;
		struct block *got; /* owned: delivered next, or unread */
		struct error *err; /* owned; set once the direction failed */
		bool ended;
		struct task task;
	} rd;
	struct {
		stream_write_fn *fn;
		void *arg;
		struct span v[STREAM_MAX_SPANS];
		size_t count;
		struct error *err; /* owned */
		bool ended;
		struct task task;
	} wr;
	char *name; /* owned */
};

void stream_init(struct stream *s, struct loop *l, const struct stream_ops *ops, const char *name);
/* b (taken), or NULL for the end, or err. */
void stream_read_done(struct stream *s, struct block *b, const struct error *err);
void stream_write_done(struct stream *s, const struct error *err);
/* n bytes of what is to be written are: what is left is at the front of wr.v, which has no empty spans there. */
void stream_advance(struct stream *s, size_t n);
/* Frees what the base owns; the last call of ops->close before freeing s. */
void stream_release(struct stream *s);

/* An operation is pending and not answered yet. */
static inline bool stream_wants_read(const struct stream *s)
{
	return s->rd.fn && !task_posted(&s->rd.task);
}
static inline bool stream_wants_write(const struct stream *s)
{
	return s->wr.fn && !task_posted(&s->wr.task);
}

#endif
