#include "nsm/cbor.h"

#include "base/be.h"

enum { INFO_ONE_BYTE = 24, INFO_EIGHT_BYTES = 27 };
enum { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22 };

struct head {
	enum cbor_type type;
	uint64_t number;
	size_t size; /* of the head itself */
};

/* NULL, or why there is no head at the front of `in`. */
static const char *read_head(struct span in, struct head *h)
{
	if (!in.n)
		return "ends where an item should begin";
	const uint8_t *p = (const uint8_t *)in.p;
	unsigned info = p[0] & 31;
	h->type = (enum cbor_type)(p[0] >> 5);
	h->number = info;
	h->size = 1;
	if (h->type == CBOR_SIMPLE)
		return info >= SIMPLE_FALSE && info <= SIMPLE_NULL
			       ? NULL
			       : "has a float or a simple value other than false, true and null";
	if (info < INFO_ONE_BYTE)
		return NULL;
	if (info > INFO_EIGHT_BYTES)
		return info == 31 ? "has an indefinite length" : "has a reserved length form";
	size_t bytes = (size_t)1 << (info - INFO_ONE_BYTE);
	if (in.n - 1 < bytes)
		return "ends within a number";
	h->number = be_number(p + 1, bytes);
	/* What the next shorter form could have said. */
	uint64_t shorter = bytes == 1 ? INFO_ONE_BYTE - 1 : ((uint64_t)1 << 4 * bytes) - 1;
	if (h->number <= shorter)
		return "has a number that is not in its shortest form";
	h->size += bytes;
	return NULL;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool is_utf8(struct span text)
{
	const uint8_t *p = (const uint8_t *)text.p, *end = p + text.n;
	while (p < end) {
		uint8_t lead = *p++;
		if (lead < 0x80)
			continue;
		size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
		if (lead < 0xc2 || lead > 0xf4 || (size_t)(end - p) < more)
			return false;
		uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
		uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
		if (*p < low || *p > high)
			return false;
		for (p++; --more; p++)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}

/* A string's content, behind its head. */
static const char *read_content(struct span in, const struct head *h, struct span *content)
{
	if (h->number > in.n - h->size)
		return "ends within a string";
	*content = (struct span){in.p + h->size, (size_t)h->number};
	if (h->type == CBOR_TEXT && !is_utf8(*content))
		return "has a text that is not UTF-8";
	return NULL;
}

/* ---- the check ---- */

static const char *check_item(struct span *rest, unsigned depth);

static const char *check_pairs(struct span *rest, size_t pairs, unsigned depth)
{
	struct span keys[CBOR_COUNT_MAX];
	for (size_t i = 0; i < pairs; i++) {
		struct span key = *rest;
		const char *why = check_item(rest, depth);
		if (why)
			return why;
		key.n -= rest->n;
		/* One value has one encoding, so equal keys are equal bytes. */
		for (size_t j = 0; j < i; j++)
			if (span_is(keys[j], key))
				return "has a key twice in one map";
		keys[i] = key;
		why = check_item(rest, depth);
		if (why)
			return why;
	}
	return NULL;
}

static const char *check_item(struct span *rest, unsigned depth)
{
	struct head h;
	struct span content;
	const char *why = read_head(*rest, &h);
	if (why)
		return why;
	switch (h.type) {
	case CBOR_BYTES:
	case CBOR_TEXT:
		why = read_content(*rest, &h, &content);
		if (!why)
			*rest = span_from(*rest, h.size + content.n);
		return why;
	case CBOR_ARRAY:
	case CBOR_MAP:
	case CBOR_TAG:
		break;
	default:
		*rest = span_from(*rest, h.size);
		return NULL;
	}
	if (depth == 0)
		return "is nested too deeply";
	if (h.type != CBOR_TAG && h.number > CBOR_COUNT_MAX)
		return "has too many elements";
	*rest = span_from(*rest, h.size);
	if (h.type == CBOR_MAP)
		return check_pairs(rest, (size_t)h.number, depth - 1);
	size_t items = h.type == CBOR_TAG ? 1 : (size_t)h.number;
	for (size_t i = 0; i < items && !why; i++)
		why = check_item(rest, depth - 1);
	return why;
}

const char *cbor_check(struct span in)
{
	const char *why = check_item(&in, CBOR_DEPTH_MAX);
	return why ? why : in.n ? "has bytes behind its end" : NULL;
}

/* ---- the cursor ---- */

enum cbor_type cbor_peek(const struct cbor *c)
{
	return c->rest.n ? (enum cbor_type)((uint8_t)c->rest.p[0] >> 5) : CBOR_END;
}

static bool take_head(struct cbor *c, enum cbor_type type, uint64_t *number)
{
	struct head h;
	if (read_head(c->rest, &h) || h.type != type)
		return false;
	c->rest = span_from(c->rest, h.size);
	*number = h.number;
	return true;
}

static bool take_content(struct cbor *c, enum cbor_type type, struct span *content)
{
	struct head h;
	if (read_head(c->rest, &h) || h.type != type || read_content(c->rest, &h, content))
		return false;
	c->rest = span_from(c->rest, h.size + content->n);
	return true;
}

static bool take_count(struct cbor *c, enum cbor_type type, size_t *count)
{
	struct cbor before = *c;
	uint64_t number;
	if (!take_head(c, type, &number))
		return false;
	if (number > CBOR_COUNT_MAX) {
		*c = before;
		return false;
	}
	*count = (size_t)number;
	return true;
}

static bool take_simple(struct cbor *c, unsigned value)
{
	if (!c->rest.n || (uint8_t)c->rest.p[0] != (CBOR_SIMPLE << 5 | value))
		return false;
	c->rest = span_from(c->rest, 1);
	return true;
}

bool cbor_uint(struct cbor *c, uint64_t *value)
{
	return take_head(c, CBOR_UINT, value);
}

bool cbor_int(struct cbor *c, int64_t *value)
{
	struct cbor before = *c;
	enum cbor_type type = cbor_peek(c) == CBOR_NEGATIVE ? CBOR_NEGATIVE : CBOR_UINT;
	uint64_t number;
	if (!take_head(c, type, &number))
		return false;
	if (number > INT64_MAX) {
		*c = before;
		return false;
	}
	*value = type == CBOR_UINT ? (int64_t)number : -1 - (int64_t)number;
	return true;
}

bool cbor_bytes(struct cbor *c, struct span *bytes)
{
	return take_content(c, CBOR_BYTES, bytes);
}

bool cbor_text(struct cbor *c, struct span *text)
{
	return take_content(c, CBOR_TEXT, text);
}

bool cbor_array(struct cbor *c, size_t *count)
{
	return take_count(c, CBOR_ARRAY, count);
}

bool cbor_map(struct cbor *c, size_t *pairs)
{
	return take_count(c, CBOR_MAP, pairs);
}

bool cbor_tag(struct cbor *c, uint64_t *tag)
{
	return take_head(c, CBOR_TAG, tag);
}

bool cbor_bool(struct cbor *c, bool *value)
{
	*value = take_simple(c, SIMPLE_TRUE);
	return *value || take_simple(c, SIMPLE_FALSE);
}

bool cbor_null(struct cbor *c)
{
	return take_simple(c, SIMPLE_NULL);
}

bool cbor_skip(struct cbor *c)
{
	struct span rest = c->rest;
	if (check_item(&rest, CBOR_DEPTH_MAX))
		return false;
	c->rest = rest;
	return true;
}
