/*
 * Any bytes as what an enclave answers the host, on the first connection and on the one it tries again. The
 * first byte says what was asked and in what pieces the bytes come.
 */
#include "fuzz/answers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const requests[] = {
	"GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
	"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\nearly",
	"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t capacities[] = {1, 7, 300, 65536};
	if (size < 1 || size > 100000)
		return 0;
	struct bench b;
	struct span says = {(const char *)data + 1, size - 1};
	bench_start(&b, capacities[data[0] & 3], true);
	b.false_enclave = true;
	fuzz_answers(&b, requests[data[0] >> 5 & 3], says, data[0] & 16);
	return 0;
}
