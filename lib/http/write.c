#include "http/write.h"

#include "base/check.h"
#include "http/parse.h"

/* A head is measured before its first byte is written, so the room is known to be there. */
static char *put(char *p, struct span s)
{
	if (s.n)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

static char *put_fields(char *p, const struct head *h)
{
	for (size_t i = 0; i < h->count; i++) {
		p = put(p, h->fields[i].name);
		p = put(p, SPAN(": "));
		p = put(p, h->fields[i].value);
		p = put(p, SPAN("\r\n"));
	}
	return put(p, SPAN("\r\n"));
}

static size_t fields_size(const struct head *h)
{
	size_t n = 2;
	for (size_t i = 0; i < h->count; i++)
		n += h->fields[i].name.n + h->fields[i].value.n + 4;
	return n;
}

static bool check_fields(const struct head *h, struct error *err)
{
	for (size_t i = 0; i < h->count; i++)
		if (!h->fields[i].parsed &&
		    (!parse_is_token(h->fields[i].name) || !parse_is_value(h->fields[i].value)))
			return error_set(err, ERR_INTERNAL, "a header field that must not be written");
	return true;
}

static bool check_head(const struct head *h, struct error *err)
{
	bool ok = h->kind == HEAD_REQUEST ? parse_is_token(h->method) && parse_is_target(h->target)
					  : h->status >= 100 && h->status <= 999 && parse_is_value(h->reason);
	if (!ok)
		return error_set(err, ERR_INTERNAL, "a start line that must not be written");
	return check_fields(h, err);
}

static size_t head_size(const struct head *h)
{
	size_t line = h->kind == HEAD_REQUEST ? h->method.n + h->target.n + sizeof "  HTTP/1.1\r\n" - 1
					      : h->reason.n + sizeof "HTTP/1.1 200 \r\n" - 1;
	return line + fields_size(h);
}

static char *put_head(char *p, const struct head *h)
{
	if (h->kind == HEAD_REQUEST) {
		p = put(p, h->method);
		p = put(p, SPAN(" "));
		p = put(p, h->target);
		p = put(p, SPAN(" HTTP/1.1\r\n"));
	} else {
		char status[3] = {(char)('0' + h->status / 100), (char)('0' + h->status / 10 % 10),
				  (char)('0' + h->status % 10)};
		p = put(p, SPAN("HTTP/1.1 "));
		p = put(p, (struct span){status, sizeof status});
		p = put(p, SPAN(" "));
		p = put(p, h->reason);
		p = put(p, SPAN("\r\n"));
	}
	return put_fields(p, h);
}

static bool too_big(const struct head *h, size_t size, size_t room, struct error *err)
{
	return error_set(err, h->kind == HEAD_REQUEST ? ERR_HEAD_SIZE : ERR_RESPONSE_HEAD_SIZE,
			 "a head of %zu bytes, with what the proxy adds to it, does not fit into %zu", size,
			 room);
}

bool write_head(struct buf *out, const struct head *h, struct error *err)
{
	size_t size = head_size(h);
	if (!check_head(h, err))
		return false;
	char *p = buf_extend(out, size);
	if (!p)
		return too_big(h, size, out->cap - out->n, err);
	CHECK(put_head(p, h) == p + size);
	return true;
}

bool write_head_block(struct block *out, const struct head *h, struct error *err)
{
	size_t size = head_size(h), room = block_free_room(out);
	if (!check_head(h, err))
		return false;
	if (size > room)
		return too_big(h, size, room, err);
	char *p = (char *)out->data + out->len;
	CHECK(put_head(p, h) == p + size);
	out->len += size;
	return true;
}

bool write_trailers(struct buf *out, const struct head *trailers, struct error *err)
{
	if (!check_fields(trailers, err))
		return false;
	size_t size = fields_size(trailers);
	char *p = buf_extend(out, size);
	if (!p)
		return too_big(trailers, size, out->cap - out->n, err);
	CHECK(put_fields(p, trailers) == p + size);
	return true;
}

bool write_last_chunk(struct buf *out, const struct head *trailers, struct error *err)
{
	static const struct head none;
	size_t before = out->n;
	if (!trailers)
		trailers = &none;
	if (!buf_add_text(out, "0\r\n"))
		return too_big(trailers, fields_size(trailers) + 3, out->cap - out->n, err);
	if (write_trailers(out, trailers, err))
		return true;
	out->n = before;
	return false;
}
