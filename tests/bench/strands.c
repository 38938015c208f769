/*
 * Load for the tunnel as the enclave has it: over a trunk (proxy/trunk_message.h, net/bundle.h), where a connection to a
 * service is a strand.
 *
 *	bench_strands PORT ORIGIN PATH STRANDS SECONDS
 *
 * Opens, asks the HTTP server at 127.0.0.1:ORIGIN for PATH, reads to the end and closes, STRANDS at a time. Prints
 * connections, bytes, seconds. Written without the code that it measures.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { OPEN = 1, CREDIT = 2, END = 3, CLOSE = 4, RESET = 5, DATA = 8 };

#define HEADER	8
#define STRANDS 1000

static struct {
	int fd;
	unsigned char out[1 << 18], in[1 << 18];
	size_t out_length, in_length;
	unsigned char request[512]; /* to the tunnel, and behind it what the service is asked */
	size_t request_length;
	uint32_t opened;
	unsigned long running, connections;
	uint64_t bytes, got[2 * STRANDS]; /* of a strand's answers, by its id */
	double until;
} load;

static size_t be(const unsigned char *p, size_t n)
{
	size_t v = 0;
	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* ---- the carrier ---- */

static void put(unsigned type, uint32_t strand, const void *payload, size_t n)
{
	if (load.out_length + HEADER + n > sizeof load.out)
		fail("too much to say at a time");
	unsigned char *p = load.out + load.out_length;
	const unsigned char header[HEADER] = {(unsigned char)type,	     0,
					      (unsigned char)(n >> 8),	     (unsigned char)n,
					      (unsigned char)(strand >> 24), (unsigned char)(strand >> 16),
					      (unsigned char)(strand >> 8),  (unsigned char)strand};
	memcpy(p, header, HEADER);
	if (n)
		memcpy(p + HEADER, payload, n);
	load.out_length += HEADER + n;
}

static void flush(void)
{
	for (size_t sent = 0; sent < load.out_length;) {
		ssize_t n = send(load.fd, load.out + sent, load.out_length - sent, MSG_NOSIGNAL);
		if (n < 0)
			fail("send: %s", strerror(errno));
		sent += (size_t)n;
	}
	load.out_length = 0;
}

static void fill(void)
{
	ssize_t n = recv(load.fd, load.in + load.in_length, sizeof load.in - load.in_length, 0);
	if (n <= 0)
		fail("the trunk ended: %s", n ? strerror(errno) : "closed");
	load.in_length += (size_t)n;
}

static size_t message(unsigned char *to, size_t room, const char *text)
{
	size_t n = strlen(text);
	if (n > 255 || n + 4 > room)
		fail("a message is too long");
	memcpy(to, (const unsigned char[]){0, 0, 0, (unsigned char)n}, 4);
	memcpy(to + 4, text, n);
	return n + 4;
}

/* A connection to the tunnel becomes a trunk. */
static void begin(uint16_t port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;
	load.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (load.fd < 0 || connect(load.fd, (struct sockaddr *)&to, sizeof to) != 0)
		fail("connect: %s", strerror(errno));
	setsockopt(load.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	char hello[128];
	snprintf(hello, sizeof hello, "{\"type\":\"trunk\",\"key\":\"%016lx%016lx\",\"strand\":0}",
		 (unsigned long)getpid(), (unsigned long)time(NULL));
	load.out_length = message(load.out, sizeof load.out, hello);
	flush();
	while (load.in_length < 4 || load.in_length < 4 + be(load.in, 4))
		fill();
	if (!memmem(load.in, load.in_length, "\"strands\"", 9))
		fail("refused: %.*s", (int)load.in_length - 4, (char *)load.in + 4);
	load.in_length = 0;
}

/* ---- strands ---- */

static uint64_t *got_of(size_t strand)
{
	return &load.got[strand % (2 * STRANDS)];
}

static void open_one(void)
{
	uint32_t id = ++load.opened;
	*got_of(id) = 0;
	put(OPEN, id, NULL, 0);
	put(DATA, id, load.request, load.request_length);
}

static void on_frame(unsigned type, size_t strand, const unsigned char *payload, size_t n)
{
	uint64_t *got = got_of(strand);
	if (type == RESET)
		fail("strand %zu was broken off after %llu bytes", strand, (unsigned long long)*got);
	if (type == DATA && *got == 0 && !memmem(payload, n, "\"connected\"", 11))
		fail("refused: %.*s", (int)n, (const char *)payload);
	if (type == DATA)
		*got += n;
	if (type != END)
		return;
	put(CLOSE, (uint32_t)strand, NULL, 0);
	load.connections++;
	load.bytes += *got;
	if (now() < load.until)
		open_one();
	else
		load.running--;
}

static void take(void)
{
	size_t at = 0;
	while (load.in_length - at >= HEADER) {
		const unsigned char *p = load.in + at;
		size_t n = p[0] == DATA ? be(p + 1, 3) : 0; /* a CREDIT's is no length */
		if (load.in_length - at < HEADER + n)
			break;
		on_frame(p[0], be(p + 4, 4), p + HEADER, n);
		at += HEADER + n;
	}
	load.in_length -= at;
	memmove(load.in, load.in + at, load.in_length);
}

int main(int argc, char **argv)
{
	if (argc != 6)
		fail("PORT ORIGIN PATH STRANDS SECONDS");
	char text[256];
	snprintf(text, sizeof text, "{\"host\":\"127.0.0.1\",\"port\":%d}", atoi(argv[2]));
	load.request_length = message(load.request, sizeof load.request, text);
	load.request_length += (size_t)snprintf((char *)load.request + load.request_length, 256,
						"GET %.100s HTTP/1.0\r\nHost: x\r\n\r\n", argv[3]);
	load.running = strtoul(argv[4], NULL, 10);
	if (load.running == 0 || load.running > STRANDS / 4)
		fail("1 to %d strands", STRANDS / 4);
	begin((uint16_t)atoi(argv[1]));
	double started = now();
	load.until = started + strtod(argv[5], NULL);
	for (unsigned long i = load.running; i--;)
		open_one();
	while (load.running) {
		flush();
		fill();
		take();
	}
	printf("%lu %llu %.6f\n", load.connections, (unsigned long long)load.bytes, now() - started);
	return 0;
}
