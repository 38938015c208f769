/* Bytes that are what every service answers, for as long as anything moves; and what the client may hear of them. */
#ifndef FUZZ_ANSWERS_H
#define FUZZ_ANSWERS_H

#include "support/bench.h"

/* A client with these requests, of a bench that is over then. ends: an end follows the bytes. */
static inline void fuzz_answers(struct bench *b, const char *requests, struct span says, bool ends)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, requests);
	size_t heard = SIZE_MAX;
	for (unsigned turn = 0, quiet = 0, served = 0; turn < 3000 && quiet < 4; turn++) {
		loop_step(b->loop, 0);
		if (b->services == BENCH_SERVICES)
			break;
		if (served < b->services) { /* a second connection gets the same again */
			struct wire *s = &b->service[served++];
			wire_say_span(s, says);
			if (ends)
				wire_end(s);
		}
		bool said = !b->services || !b->service[b->services - 1].said.n;
		quiet = said && c.heard.n == heard ? quiet + 1 : 0;
		heard = c.heard.n;
	}
	if (c.heard.n > 8)
		CHECK(span_starts(buf_span(&c.heard), SPAN("HTTP/1.1 ")));
	wire_free(&c);
	bench_end(b);
}

#endif
