#include "http/head.h"

#include "base/check.h"

/* The fields are not cleared: count says which are there, and a head is 4 KiB. */
static void init(struct head *h, enum head_kind kind)
{
	h->kind = kind;
	h->minor = 1;
	h->method = h->target = h->reason = (struct span){"", 0};
	h->status = 0;
	h->framing = BODY_NONE;
	h->body_length = 0;
	h->keep_alive = true;
	h->expect_continue = h->upgrade = false;
	h->count = 0;
	h->names = 0;
}

/* By length and first letter, whatever its case. Two names may share one: a set bit says "look". */
static uint64_t name_bit(struct span name)
{
	return name.n ? (uint64_t)1 << (((unsigned char)name.p[0] & 0x1f) + 7 * name.n) % 64 : 0;
}

static bool may_have(const struct head *h, struct span name)
{
	return h->names & name_bit(name);
}

void head_init_request(struct head *h, struct span method, struct span target)
{
	init(h, HEAD_REQUEST);
	h->method = method;
	h->target = target;
}

void head_init_response(struct head *h, int status, struct span reason)
{
	init(h, HEAD_RESPONSE);
	h->status = status;
	h->reason = reason;
}

bool head_add(struct head *h, struct span name, struct span value)
{
	if (h->count == HEAD_MAX_FIELDS)
		return false;
	h->names |= name_bit(name);
	h->fields[h->count++] = (struct field){name, value, false};
	return true;
}

const struct field *head_find_span(const struct head *h, struct span want)
{
	if (!may_have(h, want))
		return NULL;
	for (size_t i = 0; i < h->count; i++)
		if (span_is_nocase(h->fields[i].name, want))
			return &h->fields[i];
	return NULL;
}

size_t head_count_span(const struct head *h, struct span want)
{
	size_t n = 0;
	if (!may_have(h, want))
		return 0;
	for (size_t i = 0; i < h->count; i++)
		n += span_is_nocase(h->fields[i].name, want);
	return n;
}

size_t head_remove(struct head *h, const char *name)
{
	struct span want = span_of(name);
	size_t kept = 0;
	if (!may_have(h, want))
		return 0;
	for (size_t i = 0; i < h->count; i++)
		if (!span_is_nocase(h->fields[i].name, want))
			h->fields[kept++] = h->fields[i];
	size_t removed = h->count - kept;
	h->count = kept;
	return removed;
}

bool head_method_idempotent(const struct head *h)
{
	static const char *const idempotent[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};
	for (size_t i = 0; i < countof(idempotent); i++)
		if (head_method_is(h, idempotent[i]))
			return true;
	return false;
}

bool head_status_bodyless(int status)
{
	return (status >= 100 && status < 200) || status == 204 || status == 304;
}

bool head_list_next_span(const struct head *h, struct span want, struct head_list *it, struct span *element)
{
	if (!may_have(h, want))
		return false;
	for (;;) {
		while (span_cut(&it->rest, ',', element)) {
			*element = span_trim(*element);
			if (element->n)
				return true;
		}
		while (it->at < h->count && !span_is_nocase(h->fields[it->at].name, want))
			it->at++;
		if (it->at == h->count)
			return false;
		it->rest = h->fields[it->at++].value;
	}
}

bool head_list_has_span(const struct head *h, struct span name, struct span token)
{
	struct head_list it = {0};
	struct span element;
	while (head_list_next_span(h, name, &it, &element))
		if (span_is_nocase(element, token))
			return true;
	return false;
}
