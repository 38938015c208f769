#include "base/be.h"
#include "base/mem.h"
#include "http/write.h"
#include "http/writer.h"
#include "proxy/framed.h"

#define LAST_MAX (FRAME_HEADER + FRAME_PONG_MAX)

void framed_writer_init(struct framed_writer *w, struct stream *s)
{
	*w = (struct framed_writer){.stream = s};
	buf_init(&w->last, LAST_MAX);
}

void framed_writer_free(struct framed_writer *w)
{
	task_cancel(&w->refuse);
	block_put(w->head);
	w->head = NULL;
	buf_free(&w->last);
}

void framed_write_next(struct framed_writer *w)
{
	struct stream *s = w->stream;
	framed_writer_free(w);
	framed_writer_init(w, s);
}

void framed_write_raw(struct framed_writer *w)
{
	w->begun = true;
	w->done = false;
}

static void finish(struct framed_writer *w, const struct error *err)
{
	leg_send_fn *fn = w->fn;
	w->fn = NULL;
	block_put(w->head);
	w->head = NULL;
	buf_clear(&w->last);
	fn(w->arg, err);
}

static void on_written(void *arg, const struct error *err)
{
	finish(arg, err);
}

static void on_refuse(struct task *t)
{
	struct framed_writer *w = container_of(t, struct framed_writer, refuse);
	struct error err = w->err;
	finish(w, &err);
}

static void write_spans(struct framed_writer *w, bool ok, const struct span *v, size_t count, leg_send_fn *fn,
			void *arg)
{
	CHECK(!w->fn);
	w->fn = fn;
	w->arg = arg;
	if (ok)
		stream_write(w->stream, v, count, on_written, w);
	else
		loop_post(stream_loop(w->stream), &w->refuse, on_refuse);
}

/* The head is written behind the room, and its frame header (and the id) into the room. */
static bool add_head(struct framed_writer *w, struct head *h, uint64_t id)
{
	struct block *b = w->head = block_get(loop_blocks(stream_loop(w->stream)));
	size_t count = h->count;
	writer_add_framing(h);
	bool ok = write_head_block(b, h, &w->err);
	h->count = count;
	if (!ok)
		return false;
	bool request = h->kind == HEAD_REQUEST;
	if (request) {
		b->data -= FRAME_ID;
		b->len += FRAME_ID;
		be_put_u64(b->data, id);
	}
	size_t payload = b->len;
	b->data -= FRAME_HEADER;
	b->len += FRAME_HEADER;
	enum frame_type type = w->bare	 ? request ? FRAME_REQUEST_RAW : FRAME_RESPONSE_RAW
			       : request ? FRAME_REQUEST
					 : FRAME_RESPONSE;
	frame_header(b->data, type, payload);
	return true;
}

static bool add_end(struct framed_writer *w, const struct head *trailers)
{
	uint8_t header[FRAME_HEADER] = {0};
	struct buf *last = &w->last;
	buf_clear(last);
	buf_add(last, header, sizeof header);
	if (trailers && trailers->count && !write_trailers(last, trailers, &w->err))
		return false;
	frame_header((uint8_t *)last->p, FRAME_END, last->n - FRAME_HEADER);
	return true;
}

void framed_write(struct framed_writer *w, const struct part *part, uint64_t id, leg_send_fn *fn, void *arg)
{
	struct span v[STREAM_MAX_SPANS];
	size_t count = 0;
	CHECK(!w->fn && !w->done && (w->begun || part->head));
	bool ok = true;
	if (part->head) {
		ok = add_head(w, part->head, id);
		v[count++] = block_span(w->head);
		w->begun = true;
	}
	if (ok && part->data && part->data->len) {
		frame_header(w->data, FRAME_DATA, part->data->len);
		v[count++] = (struct span){(char *)w->data, sizeof w->data};
		v[count++] = block_span(part->data);
	}
	if (ok && part->end) {
		w->done = true;
		ok = add_end(w, part->trailers);
		v[count++] = buf_span(&w->last);
	}
	write_spans(w, ok, v, count, fn, arg);
}

void framed_write_control(struct framed_writer *w, enum frame_type type, struct span payload, leg_send_fn *fn,
			  void *arg)
{
	uint8_t header[FRAME_HEADER];
	frame_header(header, type, payload.n);
	buf_clear(&w->last);
	buf_add(&w->last, header, sizeof header);
	buf_add_span(&w->last, payload);
	struct span v = buf_span(&w->last);
	write_spans(w, true, &v, 1, fn, arg);
}
