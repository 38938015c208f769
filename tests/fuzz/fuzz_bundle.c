/*
 * Any bytes as what the other side of a bundle sends, between what our own side does with its strands. The first byte
 * says which side is ours and in what pieces they come; from then on
 *
 *	0xxxxxxx  the next x bytes are the peer's
 *	1aaaixxx  we do a with strand i (and x): open, read, take it back, write, shut down, close, break off, give a lane
 *
 * Whatever it is, the bundle goes at most once, says only well-formed frames, and leaves nothing behind.
 */
#include "base/be.h"
#include "net/bundle_impl.h"
#include "support/mem_stream.h"
#include "support/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 2

struct bench {
	struct loop *loop;
	struct bundle *bundle; /* NULL: gone */
	struct stream *strands[MOST];
	struct wire peer;
	struct wire lanes[MOST];
	unsigned given, asked, gone;
};

static void on_strand(void *owner, struct stream *s)
{
	struct bench *b = owner;
	for (unsigned i = 0; i < MOST; i++)
		if (!b->strands[i]) {
			b->strands[i] = s;
			return;
		}
	CHECK(!"more strands than agreed");
}

static void on_bulk(void *owner, struct bundle *bundle, uint32_t id)
{
	struct bench *b = owner;
	CHECK(id && bundle == b->bundle);
	b->asked++;
}

static void on_gone(void *owner, struct bundle *bundle, const struct error *err)
{
	struct bench *b = owner;
	(void)err;
	CHECK(bundle == b->bundle && b->gone++ == 0);
	b->bundle = NULL;
}

static void on_read(void *arg, struct block *block, const struct error *err)
{
	(void)arg;
	CHECK(!block || (block->len && block->len <= BLOCK_SIZE && !err));
	block_put(block);
}

static void on_written(void *arg, const struct error *err)
{
	(void)arg;
	(void)err;
}

static void do_write(struct stream *s, unsigned x)
{
	static const char bytes[60000];
	static const size_t sizes[] = {0, 1, 100, 16384, 32768, 32769, 50000, 60000};
	struct span v[2] = {{bytes, sizes[x] / 3}, {bytes, sizes[x] - sizes[x] / 3}};
	if (!stream_writing(s) && !s->wr.ended)
		stream_write(s, v, 2, on_written, NULL);
}

static void do_lane(struct bench *b, uint32_t id)
{
	struct stream *near, *far;
	if (b->given == MOST || !b->bundle)
		return;
	mem_pair(b->loop, 5000, &near, &far);
	wire_start(&b->lanes[b->given], far, 1000);
	wire_say(&b->lanes[b->given], "over the lane");
	if (id & 4)
		wire_end(&b->lanes[b->given]);
	b->given++;
	bundle_give_lane(b->bundle, id & 3, near);
}

static void act(struct bench *b, bool dials, uint8_t op)
{
	struct stream **s = &b->strands[op >> 3 & 1];
	unsigned what = op >> 4 & 7, x = op & 7;
	if (what == 7) {
		do_lane(b, x);
	} else if (what == 0 && x == 7) {
		if (b->bundle)
			bundle_leave(b->bundle);
	} else if (what == 0 && x == 6) {
		loop_step(b->loop, 0);
	} else if (what == 0) {
		if (dials && b->bundle && !*s)
			*s = bundle_open(b->bundle);
	} else if (!*s) {
		return;
	} else if (what == 1) {
		if (!stream_reading(*s))
			stream_read(*s, on_read, NULL);
	} else if (what == 2) {
		stream_read_cancel(*s);
	} else if (what == 3) {
		do_write(*s, x);
	} else if (what == 4) {
		if (!stream_writing(*s) && !(*s)->wr.ended)
			stream_shutdown(*s, on_written, NULL);
	} else {
		(what == 5 ? stream_close : stream_abort)(*s);
		*s = NULL;
	}
}

static size_t payload_of(const uint8_t *frame)
{
	return frame[0] == BUNDLE_DATA ? be_u24(frame + 1) : 0;
}

static void check_frames(const struct buf *heard, bool dials)
{
	const uint8_t *p = (const uint8_t *)heard->p;
	uint32_t opened = 0;
	for (size_t at = 0; at + BUNDLE_HEADER <= heard->n; at += BUNDLE_HEADER + payload_of(p + at)) {
		const uint8_t *f = p + at;
		uint32_t id = be_u32(f + 4), length = be_u24(f + 1);
		CHECK(f[0] >= BUNDLE_OPEN && f[0] <= BUNDLE_PONG);
		CHECK((id == 0) == (f[0] >= BUNDLE_LEAVE));
		CHECK((length == 0) == (f[0] != BUNDLE_DATA && f[0] != BUNDLE_CREDIT));
		CHECK(length <= BUNDLE_WINDOW);
		CHECK(f[0] != BUNDLE_OPEN || (dials && id == ++opened));
		CHECK(f[0] != BUNDLE_MOVE || !dials);
		CHECK(!dials || id <= opened);
	}
}

static void bench_end(struct bench *b, bool dials)
{
	for (unsigned turn = 0; turn < 50; turn++)
		loop_step(b->loop, 0);
	bundle_free(b->bundle);
	for (unsigned i = 0; i < MOST; i++)
		stream_close(b->strands[i]);
	for (unsigned i = 0; i < b->given; i++)
		wire_free(&b->lanes[i]);
	check_frames(&b->peer.heard, dials);
	wire_free(&b->peer);
	loop_free(b->loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t capacities[] = {1, 7, 300, 65536};
	if (size < 1 || size > 100000)
		return 0;
	bool dials = data[0] & 4;
	struct bench b = {.loop = loop_new()};
	struct bundle_config config = {.side = dials ? BUNDLE_DIALS : BUNDLE_ACCEPTS,
				       .most = MOST,
				       .on_strand = on_strand,
				       .on_bulk = on_bulk,
				       .on_gone = on_gone,
				       .owner = &b};
	struct stream *near, *far;
	mem_pair(b.loop, capacities[data[0] & 3], &near, &far);
	wire_start(&b.peer, far, 4096);
	b.bundle = bundle_new(near, &config);
	for (size_t at = 1; at < size;) {
		uint8_t op = data[at++];
		size_t n = op < size - at ? op : size - at;
		if (op & 0x80) {
			act(&b, dials, op);
			continue;
		}
		wire_say_span(&b.peer, (struct span){(const char *)data + at, n});
		at += n;
		for (unsigned turn = 0; turn < 100 && b.peer.said.n && b.bundle; turn++)
			loop_step(b.loop, 0);
		loop_step(b.loop, 0);
	}
	if (data[0] & 8)
		wire_end(&b.peer);
	bench_end(&b, dials);
	return 0;
}
