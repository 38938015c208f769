#include "http/writer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/write.h"

#define TRAILERS_MAX 16384

void writer_init(struct writer *w, struct stream *s)
{
	*w = (struct writer){.stream = s};
	buf_init(&w->last, TRAILERS_MAX);
}

void writer_free(struct writer *w)
{
	task_cancel(&w->refuse);
	free(w->err);
	w->err = NULL;
	block_put(w->head);
	w->head = NULL;
	buf_free(&w->last);
}

void writer_next(struct writer *w)
{
	struct stream *s = w->stream;
	writer_free(w);
	writer_init(w, s);
}

void writer_go_raw(struct writer *w)
{
	w->begun = true;
	w->done = false;
	w->framing = BODY_RAW;
}

void writer_add_framing(struct head *h)
{
	if (h->framing == BODY_CHUNKED)
		head_add(h, SPAN("Transfer-Encoding"), SPAN("chunked"));
}

static void finish(struct writer *w, const struct error *err)
{
	leg_send_fn *fn = w->fn;
	w->fn = NULL;
	block_put(w->head);
	w->head = NULL;
	buf_free(&w->last);
	fn(w->arg, err);
}

static void on_shutdown(void *arg, const struct error *err)
{
	finish(arg, err);
}

static void on_written(void *arg, const struct error *err)
{
	struct writer *w = arg;
	if (err || !w->shutdown_next) {
		finish(w, err);
		return;
	}
	w->shutdown_next = false;
	stream_shutdown(w->stream, on_shutdown, w);
}

static void on_refuse(struct task *t)
{
	struct writer *w = container_of(t, struct writer, refuse);
	struct error err = *w->err;
	free(w->err);
	w->err = NULL;
	finish(w, &err);
}

static bool add_head(struct writer *w, const struct head *head, struct span *v, size_t *count,
		     struct error *err)
{
	w->head = block_get(loop_blocks(stream_loop(w->stream)));
	if (!write_head_block(w->head, head, err))
		return false;
	v[(*count)++] = block_span(w->head);
	if (head->kind == HEAD_RESPONSE && head->status < 200 && head->status != 101)
		return true;
	w->begun = true;
	w->framing = head->framing;
	w->left = head->framing == BODY_LENGTH ? head->body_length : 0;
	return true;
}

static bool add_data(struct writer *w, struct span data, bool end, struct span *v, size_t *count,
		     struct error *err)
{
	w->body_bytes += data.n;
	switch (w->framing) {
	case BODY_NONE:
		return error_set(err, ERR_INTERNAL, "a message without a body was given one");
	case BODY_LENGTH:
		if (data.n > w->left)
			return error_set(err, ERR_INTERNAL, "a body is longer than its Content-Length");
		w->left -= data.n;
		v[(*count)++] = data;
		return true;
	case BODY_CHUNKED:
		v[(*count)++] = (struct span){w->chunk,
					      (size_t)snprintf(w->chunk, sizeof w->chunk, "%zx\r\n", data.n)};
		v[(*count)++] = data;
		if (!end) /* else the last chunk brings it */
			v[(*count)++] = WRITE_CRLF;
		return true;
	case BODY_CLOSE:
	case BODY_RAW:
		v[(*count)++] = data;
		return true;
	}
	return false;
}

static bool add_end(struct writer *w, const struct part *part, struct span *v, size_t *count,
		    struct error *err)
{
	w->done = true;
	if (w->framing == BODY_LENGTH && w->left)
		return error_set(err, ERR_INTERNAL, "a body is shorter than its Content-Length");
	if (w->framing == BODY_CHUNKED) {
		if (part->data && part->data->len)
			v[(*count)++] = WRITE_CRLF;
		if (!write_last_chunk(&w->last, part->trailers, err))
			return false;
		v[(*count)++] = buf_span(&w->last);
	}
	w->shutdown_next = w->framing == BODY_RAW;
	return true;
}

void writer_send(struct writer *w, const struct head *head, const struct part *part, leg_send_fn *fn,
		 void *arg)
{
	struct span v[STREAM_MAX_SPANS];
	struct error err;
	size_t count = 0;
	CHECK(!w->fn && !w->done && (w->begun || head));
	w->fn = fn;
	w->arg = arg;
	bool ok = !head || add_head(w, head, v, &count, &err);
	if (ok && part->data && part->data->len)
		ok = add_data(w, block_span(part->data), part->end, v, &count, &err);
	if (ok && part->end)
		ok = add_end(w, part, v, &count, &err);
	if (!ok) {
		w->err = mem_alloc(sizeof err);
		*w->err = err;
		loop_post(stream_loop(w->stream), &w->refuse, on_refuse);
	} else if (count == 0 && w->shutdown_next) {
		on_written(w, NULL);
	} else {
		stream_write(w->stream, v, count, on_written, w);
	}
}
