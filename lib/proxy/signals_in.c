#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/dial.h"
#include "net/frame.h"
#include "proxy/signals.h"

#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 5000

struct signals_in {
	struct loop *loop;
	struct address enclave;
	uint64_t connect_ms, pause_ms;
	struct dial *dial;
	struct stream *stream; /* owned */
	struct timer again;
	uint8_t hello[FRAME_HEADER];
	struct buf in; /* of a frame that is not whole yet */
	struct crew *crew;
};

static void on_again(struct timer *t);

/* The pool tells why an enclave cannot be reached; here it is only tried again. */
static void later(struct signals_in *s)
{
	if (s->stream)
		stream_close(s->stream);
	s->stream = NULL;
	buf_clear(&s->in);
	crew_tell(s->crew, (struct span){"", 0});
	timer_start(s->loop, &s->again, s->pause_ms, on_again);
	s->pause_ms = s->pause_ms * 2 < PAUSE_MAX_MS ? s->pause_ms * 2 : PAUSE_MAX_MS;
}

/* ---- frames ---- */

static void take_lines(struct span text)
{
	struct span line;
	while (text.n && span_cut(&text, '\n', &line)) {
		if (signals_line_good(line) && log_pass(line))
			continue;
		log_write(LOG_INFO, "enclave",
			  LOG_SPAN("line", line)); /* the other format, or not a line of ours */
	}
}

static bool take(struct signals_in *s, enum frame_type type, struct span payload)
{
	if (type == FRAME_LOG) {
		take_lines(payload);
		return true;
	}
	if (type != FRAME_METRICS || !signals_metrics_good(payload))
		return false;
	crew_tell(s->crew, payload);
	return true;
}

/* All whole frames in s->in. False: this is no enclave of ours. */
static bool take_frames(struct signals_in *s)
{
	enum frame_type type;
	size_t length;
	while (s->in.n >= FRAME_HEADER) {
		if (!frame_header_parse((const uint8_t *)s->in.p, &type, &length, NULL))
			return false;
		if (s->in.n < FRAME_HEADER + length)
			return true;
		if (!take(s, type, (struct span){s->in.p + FRAME_HEADER, length}))
			return false;
		buf_drop(&s->in, FRAME_HEADER + length);
	}
	return true;
}

static void on_read(void *arg, struct block *b, const struct error *err)
{
	struct signals_in *s = arg;
	(void)err;
	bool good = b && buf_add_span(&s->in, block_span(b)) && take_frames(s);
	block_put(b);
	if (!good) {
		later(s);
		return;
	}
	s->pause_ms = PAUSE_MIN_MS;
	stream_read(s->stream, on_read, s);
}

/* ---- the connection ---- */

static void on_hello_sent(void *arg, const struct error *err)
{
	struct signals_in *s = arg;
	if (err)
		later(s);
	else
		stream_read(s->stream, on_read, s);
}

static void on_dialled(void *arg, struct stream *stream, const struct error *err)
{
	struct signals_in *s = arg;
	s->dial = NULL;
	if (err) {
		later(s);
		return;
	}
	s->stream = stream;
	frame_header(s->hello, FRAME_WATCH, 0);
	stream_write(stream, &(struct span){(const char *)s->hello, FRAME_HEADER}, 1, on_hello_sent, s);
}

static void on_again(struct timer *t)
{
	struct signals_in *s = container_of(t, struct signals_in, again);
	s->dial = dial_start(s->loop, &s->enclave, s->connect_ms, on_dialled, s);
}

struct signals_in *signals_in_start(struct loop *l, const struct address *enclave, uint64_t connect_ms,
				    struct crew *crew)
{
	struct signals_in *s = mem_zero(sizeof *s);
	s->loop = l;
	s->enclave = *enclave;
	s->connect_ms = connect_ms;
	s->crew = crew;
	s->pause_ms = PAUSE_MIN_MS;
	buf_init(&s->in, FRAME_HEADER + FRAME_METRICS_MAX + BLOCK_SIZE);
	timer_start(l, &s->again, 0, on_again);
	return s;
}

void signals_in_free(struct signals_in *s)
{
	if (!s)
		return;
	timer_stop(s->loop, &s->again);
	if (s->dial)
		dial_cancel(s->dial);
	if (s->stream)
		stream_close(s->stream);
	buf_free(&s->in);
	free(s);
}
