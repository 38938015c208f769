/*
 * Any bytes as what a client sends: requests are answered by the proxy itself, or go to a service that
 * always answers the same, with frames in between or not. The first byte says which, and in what pieces.
 */
#include "support/bench.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t capacities[] = {1, 7, 300, 65536};
	if (size < 1 || size > 20000)
		return 0;
	struct bench b;
	struct wire c;
	bench_start(&b, capacities[data[0] & 3], data[0] & 4);
	b.reply_at_once = data[0] & 8;
	bench_client(&b, &c);
	wire_say_span(&c, (struct span){(const char *)data + 1, size - 1});
	if (data[0] & 16)
		wire_end(&c);
	size_t heard = SIZE_MAX;
	for (unsigned turn = 0, quiet = 0, answered = 0; turn < 3000 && quiet < 4; turn++) {
		loop_step(b.loop, 0);
		for (; answered < b.services; answered++)
			wire_say(&b.service[answered], answer);
		if (b.services == BENCH_SERVICES)
			break;
		quiet = c.heard.n == heard && !c.said.n ? quiet + 1 : 0;
		heard = c.heard.n;
	}
	if (c.heard.n > 8)
		CHECK(span_starts(buf_span(&c.heard), SPAN("HTTP/1.1 ")));
	wire_free(&c);
	bench_end(&b);
	return 0;
}
