#include "bundle_pair.h"

#include "base/check.h"
#include "mem_stream.h"
#include "sockets.h"

static void on_strand(void *owner, struct stream *s)
{
	struct bundle_end *e = owner;
	if (e->refuses) {
		stream_close(s);
		return;
	}
	CHECK(e->count < BUNDLE_PAIR_MOST);
	e->came[e->count++] = s;
}

static void on_bulk(void *owner, struct bundle *b, uint32_t id)
{
	struct bundle_end *e = owner;
	CHECK(b == e->bundle);
	e->asked++;
	e->bulk = id;
}

static void on_gone(void *owner, struct bundle *b, const struct error *err)
{
	struct bundle_end *e = owner;
	CHECK(b == e->bundle);
	e->bundle = NULL;
	e->carrier = NULL;
	e->gone++;
	e->failed = err;
	if (err)
		e->err = *err;
}

void bundle_end_start(struct bundle_end *e, struct stream *carrier, enum bundle_side side, unsigned most)
{
	bool dials = side == BUNDLE_DIALS;
	struct bundle_config config = {.side = side,
				       .most = most,
				       .on_strand = dials ? NULL : on_strand,
				       .on_bulk = dials ? on_bulk : NULL,
				       .on_gone = on_gone,
				       .owner = e};
	*e = (struct bundle_end){.carrier = carrier};
	e->bundle = bundle_new(carrier, &config);
}

void bundle_pair_start(struct bundle_pair *t, size_t capacity, unsigned most)
{
	struct stream *a, *b;
	t->loop = loop_new();
	if (capacity == OVER_SOCKETS)
		socket_streams(t->loop, AF_UNIX, &a, &b);
	else
		mem_pair(t->loop, capacity, &a, &b);
	bundle_end_start(&t->dials, a, BUNDLE_DIALS, most);
	bundle_end_start(&t->accepts, b, BUNDLE_ACCEPTS, most);
}

struct stream *bundle_pair_open(struct bundle_pair *t, struct stream **there)
{
	struct stream *here = bundle_open(t->dials.bundle);
	unsigned before = t->accepts.count;
	CHECK(here);
	for (int turns = 0; t->accepts.count == before; turns++) {
		CHECK(turns < 20000);
		loop_step(t->loop, 10);
	}
	*there = t->accepts.came[before];
	t->accepts.came[before] = NULL;
	return here;
}

static void end(struct bundle_end *e)
{
	bundle_free(e->bundle);
	for (unsigned i = 0; i < e->count; i++)
		stream_close(e->came[i]);
}

void bundle_pair_end(struct bundle_pair *t)
{
	end(&t->dials);
	end(&t->accepts);
	loop_free(t->loop);
}
