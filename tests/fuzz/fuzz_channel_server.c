/*
 * Any bytes as what a hostile host sends the enclave. The first byte says in what pieces they come. Whatever
 * it is, the enclave answers in well-formed frames that may stand where they stand.
 */
#include "support/bench.h"
#include "support/mem_stream.h"

#include "net/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void check_frames(struct span heard)
{
	bool in_message = false;
	enum frame_type type;
	size_t length;
	while (heard.n >= FRAME_HEADER) {
		CHECK(frame_header_parse((const uint8_t *)heard.p, &type, &length, NULL));
		if (type == FRAME_RESPONSE_RAW)
			return; /* what follows is a service's */
		CHECK(type == FRAME_PONG || type == FRAME_ERROR || type == FRAME_RESPONSE || in_message);
		CHECK(type != FRAME_REQUEST && type != FRAME_REQUEST_RAW && type != FRAME_PING &&
		      (type != FRAME_PONG || !in_message));
		in_message = type == FRAME_RESPONSE || type == FRAME_DATA;
		if (heard.n < FRAME_HEADER + length)
			return;
		heard = span_from(heard, FRAME_HEADER + length);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t capacities[] = {1, 7, 300, 65536};
	if (size < 1 || size > 100000)
		return 0;
	struct bench b;
	struct wire host;
	struct stream *near, *far;
	bench_start(&b, capacities[data[0] & 3], true);
	mem_pair(b.loop, b.capacity, &near, &far);
	channel_server_start(near, &b.channels);
	wire_start(&host, far, b.piece);
	wire_say_span(&host, (struct span){(const char *)data + 1, size - 1});
	if (data[0] & 16)
		wire_end(&host);
	size_t heard = SIZE_MAX;
	for (unsigned turn = 0, quiet = 0, answered = 0; turn < 3000 && quiet < 4; turn++) {
		loop_step(b.loop, 0);
		for (; answered < b.services; answered++)
			wire_say(&b.service[answered], answer);
		if (b.services == BENCH_SERVICES)
			break;
		channel_server_pong_all(&b.channels, SPAN("{\"status\":\"ok\"}"));
		quiet = host.heard.n == heard && !host.said.n ? quiet + 1 : 0;
		heard = host.heard.n;
	}
	check_frames(buf_span(&host.heard));
	wire_free(&host);
	bench_end(&b);
	return 0;
}
