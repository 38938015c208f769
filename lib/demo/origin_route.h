/* What a request to the origin asks for, read from its method and target alone. */
#ifndef DEMO_ORIGIN_ROUTE_H
#define DEMO_ORIGIN_ROUTE_H

#include "http/head.h"

enum route_what {
	ROUTE_NONE, /* status and why say what is wrong */
	ROUTE_ECHO, /* after delay_ms */
	ROUTE_HEADERS,
	ROUTE_STATUS,
	ROUTE_BYTES,  /* number of them, of that seed */
	ROUTE_STREAM, /* number of lines */
	ROUTE_POST,   /* its number */
	ROUTE_USER    /* its name */
};

struct route {
	enum route_what what;
	int status;
	const char *why;
	uint64_t number, seed, delay_ms;
	struct span name; /* in the request's target */
};

void route_of(const struct head *request, struct route *r);

#endif
