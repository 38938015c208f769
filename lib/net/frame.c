#include "net/frame.h"

#include <stdio.h>

#include "base/be.h"

#define HEAD_MAX     ((size_t)49152) /* what http/head.h allows */
#define TRAILERS_MAX 16384

static const struct {
	size_t min, max;
} bounds[] = {
	[FRAME_REQUEST] = {FRAME_ID + 1, FRAME_ID + HEAD_MAX},
	[FRAME_RESPONSE] = {1, HEAD_MAX},
	[FRAME_DATA] = {1, FRAME_DATA_MAX},
	[FRAME_END] = {0, TRAILERS_MAX},
	[FRAME_ERROR] = {1, FRAME_ERROR_MAX},
	[FRAME_PING] = {0, 0},
	[FRAME_PONG] = {1, FRAME_PONG_MAX},
	[FRAME_WATCH] = {0, 0},
	[FRAME_LOG] = {1, FRAME_LOG_MAX},
	[FRAME_METRICS] = {1, FRAME_METRICS_MAX},
	[FRAME_REQUEST_RAW] = {FRAME_ID + 1, FRAME_ID + HEAD_MAX},
	[FRAME_RESPONSE_RAW] = {1, HEAD_MAX},
	[FRAME_TRUNK] = {FRAME_TRUNK_ANSWER, FRAME_TRUNK_HELLO},
};

void frame_header(uint8_t out[FRAME_HEADER], enum frame_type type, size_t length)
{
	be_put_u32(out, (uint32_t)length);
	out[4] = (uint8_t)type;
}

bool frame_header_parse(const uint8_t in[FRAME_HEADER], enum frame_type *type, size_t *length,
			struct error *err)
{
	*length = be_u32(in);
	if (in[4] < FRAME_REQUEST || in[4] > FRAME_TRUNK)
		return error_set(err, ERR_PROTOCOL, "unknown frame type %u", in[4]);
	*type = (enum frame_type)in[4];
	if (*length < bounds[*type].min || *length > bounds[*type].max)
		return error_set(err, ERR_PROTOCOL, "a frame of type %u with %zu bytes", in[4], *length);
	return true;
}

void frame_error_write(struct buf *out, const struct error *e)
{
	buf_printf(out, "%s\n%s\n%s", error_kind_name(e->kind), hop_name(e->hop), e->text);
}

static void copy_line(char *to, size_t room, struct span s)
{
	size_t n = s.n < room - 1 ? s.n : room - 1;
	for (size_t i = 0; i < n; i++)
		to[i] = (char)((unsigned char)s.p[i] < ' ' || s.p[i] == 127 ? '?' : s.p[i]);
	to[n] = '\0';
}

void frame_error_parse(struct span payload, struct error *e)
{
	char name[32];
	struct span kind = {0}, hop = {0}, text = {0};
	span_cut(&payload, '\n', &kind);
	span_cut(&payload, '\n', &hop);
	if (payload.p)
		text = payload;
	copy_line(name, sizeof name, kind);
	e->kind = error_kind_of(name);
	if (e->kind == ERR_NONE)
		e->kind = ERR_PROTOCOL;
	copy_line(name, sizeof name, hop);
	e->hop = hop_of(name);
	copy_line(e->text, sizeof e->text, text);
}
