/*
 * Any bytes as what a service answers to three requests on one connection, and to a CONNECT. The first byte
 * says in what pieces they come, whether an end follows, and if frames carry them on.
 */
#include "support/bench.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const requests[] = {
	("GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\n"
	 "POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"),
	"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly",
	"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\nearly",
	"GET /a HTTP/1.0\r\n\r\n",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t capacities[] = {1, 7, 300, 65536};
	if (size < 1 || size > 20000)
		return 0;
	struct bench b;
	struct wire c;
	struct span says = {(const char *)data + 1, size - 1};
	bench_start(&b, capacities[data[0] & 3], data[0] & 4);
	bench_client(&b, &c);
	wire_say(&c, requests[data[0] >> 5 & 3]);
	size_t heard = SIZE_MAX;
	for (unsigned turn = 0, quiet = 0, served = 0; turn < 3000 && quiet < 4; turn++) {
		loop_step(b.loop, 0);
		if (b.services == BENCH_SERVICES)
			break;
		if (served < b.services) { /* a second connection gets the same again */
			struct wire *s = &b.service[served++];
			wire_say_span(s, says);
			if (data[0] & 16)
				wire_end(s);
		}
		bool said = !b.services || !b.service[b.services - 1].said.n;
		quiet = said && c.heard.n == heard ? quiet + 1 : 0;
		heard = c.heard.n;
	}
	if (c.heard.n > 8)
		CHECK(span_starts(buf_span(&c.heard), SPAN("HTTP/1.1 ")));
	wire_free(&c);
	bench_end(&b);
	return 0;
}
