/*
 * Chunks are taken apart here and not by llhttp: that one bounds neither extensions nor
 * trailers and hands out each chunk on its own, while the grammar is so small that it fits
 * below. tests/fuzz/fuzz_body.c holds the two against each other.
 *
 *	       +------------------------ CRLF_LF <--CR-- CRLF_CR <-----+
 *	       v                                                       |
 *	---> SIZE ------CR------> SIZE_LF --LF, size > 0--> DATA --all of it
 *	       |                   ^  |
 *	       ;                   |  +--LF, size 0--> LINE --CR--> LAST_LF --LF--> the end
 *	       v                   |                   |  ^
 *	     EXT_* ---------CR-----+                 byte LF
 *	                                               v  |
 *	                                              TRAILER
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "http/body_impl.h"
#include "http/parse_impl.h"

enum chunk_state {
	SIZE,
	EXT_NAME,     /* behind ; */
	EXT_VALUE,    /* behind = */
	EXT_QUOTED,   /* between quotes */
	EXT_ESCAPED,  /* behind \ between quotes */
	EXT_UNQUOTED, /* behind the closing quote */
	SIZE_LF,
	DATA,
	CRLF_CR, /* behind the data */
	CRLF_LF,
	LINE, /* the beginning of a trailer line, or of the last one */
	TRAILER,
	LAST_LF,
};

/* 2^63 - 1 is enough for anybody, and with 16 digits no number of zeros can pass for a size. */
#define SIZE_DIGITS_MAX 16

static bool bad(const struct body *body, const char *why, struct error *err)
{
	return error_set(err, parse_bad(body->kind), "chunked body: %s", why);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- the line in front of a chunk ---- */

static bool eat_size(struct body *body, char c, struct error *err)
{
	int digit = hex_digit(c);
	if (digit >= 0) {
		if (body->digits++ == SIZE_DIGITS_MAX || body->left >> 59)
			return bad(body, "a chunk size that no number holds", err);
		body->left = body->left * 16 + (uint64_t)digit;
		return true;
	}
	if (body->digits == 0 || (c != '\r' && c != ';'))
		return bad(body, "a chunk size that is not a hexadecimal number", err);
	body->digits = 0;
	body->state = c == '\r' ? SIZE_LF : EXT_NAME;
	return true;
}

/*
 *	*( ";" token [ "=" ( token / quoted-string ) ] )
 *
 * Without the blanks that RFC 9112 section 7.1.1 lets recipients skip: nobody sends them but those who
 * look for two parsers that differ. body->digits says if the token at hand has a character.
 */
static bool eat_extension(struct body *body, char c, struct error *err)
{
	bool token = parse_is_token((struct span){&c, 1});
	if (++body->extensions > BODY_EXTENSIONS_MAX)
		return bad(body, "too many bytes of chunk extensions", err);
	switch (body->state) {
	case EXT_QUOTED:
		if (c == '"')
			body->state = EXT_UNQUOTED;
		else if (c == '\\')
			body->state = EXT_ESCAPED;
		else if (!parse_is_value((struct span){&c, 1}))
			break;
		return true;
	case EXT_ESCAPED:
		if (!parse_is_value((struct span){&c, 1}))
			break;
		body->state = EXT_QUOTED;
		return true;
	case EXT_NAME:
	case EXT_VALUE:
		if (token) {
			body->digits = 1;
			return true;
		}
		if (c == '"' && body->state == EXT_VALUE && !body->digits) {
			body->state = EXT_QUOTED;
			return true;
		}
		if (!body->digits)
			break;
		if (c == '=' && body->state == EXT_NAME) {
			body->state = EXT_VALUE;
			body->digits = 0;
			return true;
		}
		/* fall through */
	case EXT_UNQUOTED:
		if (c != ';' && c != '\r')
			break;
		body->state = c == ';' ? EXT_NAME : SIZE_LF;
		body->digits = 0;
		return true;
	}
	return bad(body, "a malformed chunk extension", err);
}

/* ---- the trailers ---- */

static bool eat_trailer(struct body *body, char c, struct error *err)
{
	bool begins = body->state == LINE;
	if (begins && c == '\r') {
		body->state = LAST_LF;
		return true;
	}
	if (c == '\n') {
		if (begins || body->raw.p[body->raw.n - 1] != '\r')
			return bad(body, "a trailer line ends without CR", err);
		body->state = LINE;
	} else {
		body->state = TRAILER;
	}
	if (!buf_add(&body->raw, &c, 1))
		return error_set(err, parse_too_big(body->kind), "the trailers have more than %zu bytes",
				 body->raw.cap);
	return true;
}

static bool end_trailers(struct body *body, struct error *err)
{
	body->ended = true;
	if (body->raw.n == 0)
		return true;
	body->raw.cap += 2; /* for the blank line, which the limit did not count */
	buf_add_text(&body->raw, "\r\n");
	body->trailers = mem_alloc(sizeof *body->trailers);
	if (!parse_trailers(buf_span(&body->raw), body->kind, &body->limits, body->trailers, err))
		return false;
	if (body->trailers->count == 0) { /* all of them left out */
		free(body->trailers);
		body->trailers = NULL;
	}
	return true;
}

/* ---- all of it ---- */

/* A byte that is not data. */
static bool eat(struct body *body, char c, struct error *err)
{
	switch ((enum chunk_state)body->state) {
	case SIZE:
		return eat_size(body, c, err);
	case EXT_NAME:
	case EXT_VALUE:
	case EXT_QUOTED:
	case EXT_ESCAPED:
	case EXT_UNQUOTED:
		return eat_extension(body, c, err);
	case SIZE_LF:
		if (c != '\n')
			return bad(body, "CR without LF behind a chunk size", err);
		body->state = body->left ? DATA : LINE;
		return true;
	case CRLF_CR:
		if (c != '\r')
			return bad(body, "a chunk is longer than its size", err);
		body->state = CRLF_LF;
		return true;
	case CRLF_LF:
		if (c != '\n')
			return bad(body, "CR without LF behind a chunk", err);
		body->state = SIZE;
		return true;
	case LINE:
	case TRAILER:
		return eat_trailer(body, c, err);
	case LAST_LF:
		if (c != '\n')
			return bad(body, "CR without LF behind the last chunk", err);
		return end_trailers(body, err);
	case DATA:
		break;
	}
	CHECK(false);
	return false;
}

bool body_feed_chunked(struct body *body, struct span in, size_t *eaten, uint8_t *out, size_t *kept,
		       struct error *err)
{
	size_t at = 0;
	bool ok = true;
	*kept = 0;
	while (ok && at < in.n && !body->ended) {
		if (body->state != DATA) {
			ok = eat(body, in.p[at++], err);
			continue;
		}
		size_t n = body_take(body, in.n - at);
		if (out + *kept != (const uint8_t *)in.p + at)
			memmove(out + *kept, in.p + at, n);
		*kept += n;
		at += n;
		if (body->left == 0)
			body->state = CRLF_CR;
	}
	*eaten = at;
	return ok;
}
