/*
 * Any bytes as what a service answers to three requests on one connection, and to a CONNECT. The first byte
 * says in what pieces they come, whether an end follows, and if frames carry them on.
 */
#include "fuzz/answers.h"

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
	struct span says = {(const char *)data + 1, size - 1};
	bench_start(&b, capacities[data[0] & 3], data[0] & 4);
	fuzz_answers(&b, requests[data[0] >> 5 & 3], says, data[0] & 16);
	return 0;
}
