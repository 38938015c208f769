#include "http/hop.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"

/* Never passed on, named in Connection or not. */
#define NAME(text)                                                                                           \
	{                                                                                                    \
		text, sizeof(text) - 1                                                                       \
	}
static const struct span hop_by_hop[] = {
	NAME("Connection"),
	NAME("Keep-Alive"),
	NAME("Proxy-Connection"),
	NAME("Proxy-Authenticate"),
	NAME("Proxy-Authentication-Info"),
	NAME("Proxy-Authorization"),
	NAME("TE"),
	NAME("Transfer-Encoding"),
	NAME("Upgrade"),
	NAME("HTTP2-Settings"),
	NAME("X-Target-URL"),
	NAME("X-Nitroproxy-Trace"), /* between us: see proxy/trace.h */
};

/*
 * Not to be taken out by naming them in Connection: without them the request would mean
 * something else to the service than to us and to whoever set them.
 */
static const struct span end_to_end[] = {
	NAME("Accept"),
	NAME("Accept-Encoding"),
	NAME("Authorization"),
	NAME("Cache-Control"),
	NAME("Content-Encoding"),
	NAME("Content-Length"),
	NAME("Content-Range"),
	NAME("Content-Type"),
	NAME("Cookie"),
	NAME("Date"),
	NAME("Expect"),
	NAME("Forwarded"),
	NAME("Host"),
	NAME("If-Match"),
	NAME("If-Modified-Since"),
	NAME("If-None-Match"),
	NAME("If-Range"),
	NAME("If-Unmodified-Since"),
	NAME("Location"),
	NAME("Max-Forwards"),
	NAME("Origin"),
	NAME("Range"),
	NAME("Referer"),
	NAME("Set-Cookie"),
	NAME("Trailer"),
	NAME("User-Agent"),
	NAME("Via"),
	NAME("WWW-Authenticate"),
	NAME("X-Forwarded-For"),
	NAME("X-Forwarded-Host"),
	NAME("X-Forwarded-Proto"),
};

static bool is_one_of(struct span name, const struct span *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is_nocase(name, list[i]))
			return true;
	return false;
}

static bool named_in_connection(const struct head *h, struct span name)
{
	struct head_list it = {0};
	struct span element;
	while (head_list_next(h, "Connection", &it, &element))
		if (span_is_nocase(element, name))
			return true;
	return false;
}

/* Beyond the two options that nearly every Connection field has, and that name no other field. */
static bool names_others(const struct head *h)
{
	struct head_list it = {0};
	struct span element;
	while (head_list_next(h, "Connection", &it, &element))
		if (!span_is_nocase(element, SPAN("keep-alive")) && !span_is_nocase(element, SPAN("close")))
			return true;
	return false;
}

static bool is_dropped(const struct head *h, struct span name, bool names_some)
{
	return is_one_of(name, hop_by_hop, countof(hop_by_hop)) ||
	       (names_some && named_in_connection(h, name) &&
		!is_one_of(name, end_to_end, countof(end_to_end)));
}

/* In two passes, for the Connection fields must stand until the last name has been looked up in them. */
static void drop_hop_by_hop(struct head *h)
{
	bool dropped[HEAD_MAX_FIELDS];
	bool names_some = names_others(h);
	size_t kept = 0;
	for (size_t i = 0; i < h->count; i++)
		dropped[i] = is_dropped(h, h->fields[i].name, names_some);
	for (size_t i = 0; i < h->count; i++)
		if (!dropped[i])
			h->fields[kept++] = h->fields[i];
	h->count = kept;
}

/* Answers that cannot have a body, but came with a length that a reader behind us could wait for. */
static bool length_misleads(const struct head *h)
{
	return h->kind == HEAD_RESPONSE && (h->framing == BODY_RAW || h->status < 200 || h->status == 204);
}

static void add(struct head *h, struct span name, struct span value)
{
	bool added = head_add(h, name, value);
	CHECK(added);
}

void hop_clean(struct head *h, const struct via *via)
{
	const struct field *f = h->upgrade ? head_find(h, "Upgrade") : NULL;
	struct span protocol = f ? f->value : (struct span){"", 0};

	drop_hop_by_hop(h);
	if (length_misleads(h))
		head_remove(h, "Content-Length");
	if (h->upgrade) {
		add(h, SPAN("Connection"), SPAN("Upgrade"));
		add(h, SPAN("Upgrade"), protocol);
	}
	add(h, SPAN("Via"), span_of(via->value[h->minor]));
}

/* ---- Via ---- */

void via_init(struct via *via, const char *role, uint64_t id)
{
	for (int minor = 0; minor < 2; minor++)
		snprintf(via->value[minor], sizeof via->value[minor], "1.%d nitroproxy-%.16s-%016" PRIx64,
			 minor, role, id);
}

/* An element is: protocol SP name [ SP comment ]. */
bool hop_check_loop(const struct head *h, const struct via *via, struct error *err)
{
	struct head_list it = {0};
	struct span element, protocol, name;
	const char *own = via->value[1] + sizeof "1.1";
	while (head_list_next(h, "Via", &it, &element)) {
		span_cut(&element, ' ', &protocol);
		element = span_trim(element);
		if (span_cut(&element, ' ', &name) && span_is_nocase(name, span_of(own)))
			return error_set(err, ERR_LOOP,
					 "the request has been here before: its target leads back to "
					 "this proxy");
	}
	return true;
}

/* ---- Max-Forwards ---- */

bool hop_max_forwards(struct head *h, bool *answer, struct error *err)
{
	/*
	 * A recipient may lower the number to the most it supports. That is 10 here, so that
	 * the texts can be constants: no chain of proxies that works is longer.
	 */
	static const char *const texts[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};
	struct field *f = NULL;

	*answer = false;
	if (!head_method_is(h, "OPTIONS") && !head_method_is(h, "TRACE"))
		return true;
	for (size_t i = 0; i < h->count && !f; i++)
		if (span_is_nocase(h->fields[i].name, SPAN("Max-Forwards")))
			f = &h->fields[i];
	if (!f)
		return true;
	size_t n = 0;
	for (size_t i = 0; i < f->value.n; i++) {
		if (f->value.p[i] < '0' || f->value.p[i] > '9')
			return error_set(err, ERR_BAD_REQUEST, "Max-Forwards is not a number");
		n = n * 10 + (size_t)(f->value.p[i] - '0');
		if (n > countof(texts))
			n = countof(texts);
	}
	if (f->value.n == 0 || head_count(h, "Max-Forwards") > 1)
		return error_set(err, ERR_BAD_REQUEST, "Max-Forwards is not one number");
	*answer = n == 0;
	if (n) {
		f->value = span_of(texts[n - 1]);
		f->parsed = false;
	}
	return true;
}
