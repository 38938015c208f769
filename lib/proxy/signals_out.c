#include <stdlib.h>

#include "base/mem.h"
#include "net/frame.h"
#include "proxy/signals.h"

#define LOOK_MS	   100 /* lines come from any thread: they are looked for, not waited for */
#define METRICS_MS 1000

struct signals_out {
	struct loop *loop;
	struct log_ring *ring; /* borrowed; NULL: only metrics */
	void (*render)(void *arg, struct buf *out);
	void *arg;
	struct stream *watcher; /* owned; NULL: nobody */
	struct timer look;
	uint64_t metrics_at; /* when they are due */
	uint8_t header[FRAME_HEADER];
	struct buf payload; /* while it is written */
	bool writing;
};

static void send_next(struct signals_out *s);

static void leave(struct signals_out *s)
{
	stream_close(s->watcher);
	s->watcher = NULL;
	s->writing = false;
	timer_stop(s->loop, &s->look);
}

/* The watcher has nothing to say: whatever comes ends it. */
static void on_read(void *arg, struct block *b, const struct error *err)
{
	(void)err;
	block_put(b);
	leave(arg);
}

static void on_look(struct timer *t)
{
	struct signals_out *s = container_of(t, struct signals_out, look);
	timer_start(s->loop, t, LOOK_MS, on_look);
	send_next(s);
}

static void on_sent(void *arg, const struct error *err)
{
	struct signals_out *s = arg;
	s->writing = false;
	if (err)
		leave(s);
	else
		send_next(s);
}

static void send_payload(struct signals_out *s, enum frame_type type)
{
	const struct span parts[2] = {{(const char *)s->header, FRAME_HEADER}, buf_span(&s->payload)};
	frame_header(s->header, type, s->payload.n);
	s->writing = true;
	stream_write(s->watcher, parts, 2, on_sent, s);
}

/* Lines before metrics: they are what tells why something went wrong. */
static void send_next(struct signals_out *s)
{
	if (s->writing)
		return;
	buf_clear(&s->payload);
	char *room = s->ring ? buf_extend(&s->payload, FRAME_LOG_MAX) : NULL;
	s->payload.n = room ? log_ring_take(s->ring, room, FRAME_LOG_MAX) : 0;
	if (s->payload.n) {
		send_payload(s, FRAME_LOG);
	} else if (loop_now(s->loop) >= s->metrics_at) {
		s->metrics_at = loop_now(s->loop) + METRICS_MS;
		s->render(s->arg, &s->payload);
		send_payload(s, FRAME_METRICS);
	}
}

void signals_out_watch(struct signals_out *s, struct stream *watcher)
{
	if (s->watcher)
		leave(s);
	s->watcher = watcher;
	s->metrics_at = 0;
	stream_read(watcher, on_read, s);
	timer_start(s->loop, &s->look, 0, on_look);
}

struct signals_out *signals_out_new(struct loop *l, void (*render)(void *arg, struct buf *out), void *arg)
{
	struct signals_out *s = mem_zero(sizeof *s);
	s->loop = l;
	s->render = render;
	s->arg = arg;
	buf_init(&s->payload, FRAME_METRICS_MAX);
	return s;
}

void signals_out_lines(struct signals_out *s, struct log_ring *ring)
{
	s->ring = ring;
}

void signals_out_free(struct signals_out *s)
{
	if (!s)
		return;
	if (s->watcher)
		leave(s);
	buf_free(&s->payload);
	free(s);
}
