#include "demo/origin_route.h"

#include <stdlib.h>

#include "base/check.h"

#define DELAY_MAX  10.0
#define BYTES_MAX  (1ull << 40)
#define LINES_MAX  1000000
#define POSTS_MAX  1000000
#define NAME_MAX_N 64

static bool number_of(struct span s, uint64_t max, uint64_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || *n > max)
			return false;
		*n = *n * 10 + (uint64_t)(s.p[i] - '0');
	}
	return s.n > 0 && *n <= max;
}

static uint64_t seed_of(struct span query)
{
	struct span pair;
	uint64_t seed;
	while (span_cut(&query, '&', &pair))
		if (span_starts(pair, SPAN("seed=")) && number_of(span_from(pair, 5), UINT64_MAX / 16, &seed))
			return seed;
	return 0;
}

static bool milliseconds_of(struct span s, uint64_t *ms)
{
	char text[16] = "", *end;
	memcpy(text, s.p, s.n < sizeof text - 1 ? s.n : sizeof text - 1);
	double seconds = strtod(text, &end);
	if (end == text || *end || !(seconds >= 0 && seconds <= DELAY_MAX))
		return false;
	*ms = (uint64_t)(seconds * 1000);
	return true;
}

static void refuse(struct route *r, int status, const char *why)
{
	*r = (struct route){.what = ROUTE_NONE, .status = status, .why = why};
}

/* Paths without a part that varies; httpbin's that are called after a method take only that. */
static bool fixed(const struct head *h, struct span path, struct route *r)
{
	static const struct {
		struct span path;
		enum route_what what;
		const char *method; /* NULL: any */
	} rows[] = {{{"/get", 4}, ROUTE_ECHO, "GET"},
		    {{"/post", 5}, ROUTE_ECHO, "POST"},
		    {{"/put", 4}, ROUTE_ECHO, "PUT"},
		    {{"/anything", 9}, ROUTE_ECHO, NULL},
		    {{"/headers", 8}, ROUTE_HEADERS, NULL}};
	for (size_t i = 0; i < countof(rows); i++) {
		if (!span_is(path, rows[i].path))
			continue;
		r->what = rows[i].what;
		const char *method = rows[i].method;
		bool head = method && strcmp(method, "GET") == 0 && head_method_is(h, "HEAD");
		if (method && !head && !head_method_is(h, method))
			refuse(r, 405, "this path takes another method");
		return true;
	}
	return false;
}

/* The rest of the path behind prefix. */
static bool rest_of(struct span path, const char *prefix, struct span *rest)
{
	if (!span_starts(path, span_of(prefix)))
		return false;
	*rest = span_from(path, strlen(prefix));
	return true;
}

void route_of(const struct head *h, struct route *r)
{
	struct span query = h->target, path = {"", 0}, rest;
	*r = (struct route){.status = 200};
	span_cut(&query, '?', &path);
	if (fixed(h, path, r))
		return;
	if (rest_of(path, "/delay/", &rest)) {
		r->what = ROUTE_ECHO;
		if (!milliseconds_of(rest, &r->delay_ms))
			refuse(r, 400, "a delay is a number of seconds, at most 10");
	} else if (rest_of(path, "/status/", &rest) && number_of(rest, 599, &r->number) && r->number >= 200) {
		r->what = ROUTE_STATUS;
		r->status = (int)r->number;
	} else if (rest_of(path, "/bytes/", &rest) && number_of(rest, BYTES_MAX, &r->number)) {
		r->what = ROUTE_BYTES;
		r->seed = seed_of(query);
	} else if (rest_of(path, "/stream/", &rest) && number_of(rest, LINES_MAX, &r->number)) {
		r->what = ROUTE_STREAM;
	} else if (rest_of(path, "/posts/", &rest) && number_of(rest, POSTS_MAX, &r->number)) {
		r->what = ROUTE_POST;
	} else if (rest_of(path, "/users/", &rest) && rest.n > 0 && rest.n < NAME_MAX_N) {
		r->what = ROUTE_USER;
		r->name = rest;
	} else {
		refuse(r, 404, "there is nothing here: see lib/demo/origin.h");
	}
}
