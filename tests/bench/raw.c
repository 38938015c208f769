/*
 * Load for relays and CONNECT proxies, which wrk does not speak to: requests over raw connections.
 *
 *	bench_raw bare|tunnel|connect PORT ORIGIN get PATH STREAMS BYTES	BYTES at least come on each stream
 *	bench_raw bare|tunnel|connect PORT ORIGIN put PATH STREAMS BYTES	each stream sends BYTES
 *	bench_raw bare|tunnel|connect PORT ORIGIN churn PATH STREAMS SECONDS	get, again and again
 *
 * PORT is the contender's on 127.0.0.1 and ORIGIN that of an HTTP server there. Prints connections, bytes, seconds.
 * One thread, since what the load costs is not to decide what is measured.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum way { BARE, TUNNEL, CONNECT };

struct text {
	char bytes[512];
	size_t length;
};

static struct {
	enum way way;
	struct sockaddr_in door;
	struct text before; /* said to the contender, which answers */
	struct text request;
	size_t body;	 /* of a request */
	uint64_t expect; /* bytes of an answer, at least */
	double until;	 /* connections are replaced before */
	int epoll;
	unsigned long running, connections;
	uint64_t bytes;
} load;

struct connection {
	int fd;
	bool answered; /* by the contender */
	struct text say;
	size_t said, body; /* of say; left of the body */
	char head[512];	   /* of what is answered now */
	size_t head_length;
	uint64_t got; /* of the origin's answer */
};

static void append(struct text *t, const void *bytes, size_t n)
{
	if (n > sizeof t->bytes - t->length)
		fail("a request is too long");
	memcpy(t->bytes + t->length, bytes, n);
	t->length += n;
}

static void start(struct connection *c)
{
	int one = 1;
	*c = (struct connection){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .body = load.body};
	if (c->fd < 0)
		fail("socket: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(c->fd, (struct sockaddr *)&load.door, sizeof load.door) != 0 && errno != EINPROGRESS)
		fail("connect: %s", strerror(errno));
	c->answered = load.way == BARE;
	c->say = load.before;
	if (load.way != CONNECT) /* a tunnel takes it right behind its own request */
		append(&c->say, load.request.bytes, load.request.length);
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
	if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
		fail("epoll_ctl: %s", strerror(errno));
}

static void finish(struct connection *c)
{
	if (c->got < load.expect || c->said < c->say.length || c->body)
		fail("it ended after %llu bytes: %.*s", (unsigned long long)c->got, (int)c->head_length,
		     c->head);
	load.connections++;
	load.bytes += c->got;
	close(c->fd);
	if (now() < load.until)
		start(c);
	else
		load.running--;
}

/* The contender's answer: its length, or 0 while it is not whole. */
static size_t answer_length(struct connection *c)
{
	const unsigned char *h = (const unsigned char *)c->head;
	if (load.way == TUNNEL) {
		if (c->head_length < 4)
			return 0;
		size_t length = 4 + ((size_t)h[2] << 8 | h[3]);
		if (c->head_length < length)
			return 0;
		if (!memmem(h, length, "\"connected\"", 11))
			fail("refused: %.*s", (int)length - 4, c->head + 4);
		return length;
	}
	const char *end = memmem(h, c->head_length, "\r\n\r\n", 4);
	if (end && memcmp(c->head + 8, " 200", 4) != 0)
		fail("refused: %.*s", (int)c->head_length, c->head);
	return end ? (size_t)(end + 4 - c->head) : 0;
}

static void take_origin(struct connection *c, const char *bytes, size_t n)
{
	if (c->head_length < 12) {
		size_t more = n < sizeof c->head - c->head_length ? n : sizeof c->head - c->head_length;
		memcpy(c->head + c->head_length, bytes, more);
		c->head_length += more;
		if (c->head_length >= 12 && memcmp(c->head + 8, " 20", 3) != 0)
			fail("the origin says %.*s", (int)c->head_length, c->head);
	}
	c->got += n;
}

static void take(struct connection *c, const char *bytes, size_t n)
{
	if (c->answered) {
		take_origin(c, bytes, n);
		return;
	}
	size_t had = c->head_length;
	size_t more = n < sizeof c->head - had ? n : sizeof c->head - had;
	memcpy(c->head + had, bytes, more);
	c->head_length += more;
	size_t length = answer_length(c);
	if (!length && more < n)
		fail("an answer is too long");
	if (!length)
		return;
	c->head_length = 0;
	c->answered = true;
	if (load.way == CONNECT)
		append(&c->say, load.request.bytes, load.request.length);
	take_origin(c, bytes + (length - had), n - (length - had));
}

/* Whether it is over. */
static bool read_some(struct connection *c)
{
	static char room[1 << 18];
	for (;;) {
		ssize_t n = recv(c->fd, room, sizeof room, 0);
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0)
			fail("recv: %s", strerror(errno));
		if (n == 0)
			return true;
		take(c, room, (size_t)n);
	}
}

static void write_some(struct connection *c)
{
	static const char zeros[1 << 18];
	for (;;) {
		bool head = c->said < c->say.length;
		const char *from = head ? c->say.bytes + c->said : zeros;
		size_t want = head		       ? c->say.length - c->said
			      : c->body < sizeof zeros ? c->body
						       : sizeof zeros;
		if (want == 0 || (!head && !c->answered && load.way == CONNECT))
			return;
		ssize_t n = send(c->fd, from, want, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			fail("send: %s", strerror(errno));
		if (head)
			c->said += (size_t)n;
		else
			c->body -= (size_t)n;
	}
}

static void on_event(struct connection *c, uint32_t events)
{
	if (events & EPOLLOUT)
		write_some(c);
	if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		return;
	bool before = c->answered;
	bool over = read_some(c);
	if (c->answered != before)
		write_some(c);
	if (over)
		finish(c);
}

static void prepare(char **argv)
{
	static const char *const WAYS[] = {"bare", "tunnel", "connect"};
	for (load.way = BARE; strcmp(argv[1], WAYS[load.way]) != 0; load.way++)
		if (load.way == CONNECT)
			fail("no way: %s", argv[1]);
	int origin = atoi(argv[3]);
	load.door = (struct sockaddr_in){.sin_family = AF_INET,
					 .sin_port = htons((uint16_t)atoi(argv[2])),
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char text[256];
	if (load.way == TUNNEL) {
		int n = snprintf(text, sizeof text, "{\"host\": \"127.0.0.1\", \"port\": %d}", origin);
		const char length[4] = {0, 0, 0, (char)n};
		append(&load.before, length, sizeof length);
		append(&load.before, text, (size_t)n);
	} else if (load.way == CONNECT) {
		int n = snprintf(text, sizeof text,
				 "CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", origin,
				 origin);
		append(&load.before, text, (size_t)n);
	}
	bool put = strcmp(argv[4], "put") == 0;
	bool churn = strcmp(argv[4], "churn") == 0;
	unsigned long long amount = strtoull(argv[7], NULL, 10);
	load.body = put ? amount : 0;
	load.expect = put || churn ? 12 : amount;
	load.until = churn ? now() + (double)amount : 0;
	int n = snprintf(text, sizeof text, "%s %.100s HTTP/1.0\r\nHost: x\r\n", put ? "PUT" : "GET",
			 argv[5]);
	if (put)
		n += snprintf(text + n, sizeof text - (size_t)n, "Content-Length: %llu\r\n", amount);
	append(&load.request, text, (size_t)n);
	append(&load.request, "\r\n", 2);
}

int main(int argc, char **argv)
{
	if (argc != 8)
		fail("WAY PORT ORIGIN get|put|churn PATH STREAMS AMOUNT");
	prepare(argv);
	load.epoll = epoll_create1(0);
	load.running = strtoul(argv[6], NULL, 10);
	if (load.running == 0 || load.running > 1000)
		fail("1 to 1000 streams");
	struct connection *all = calloc(load.running, sizeof *all);
	double started = now();
	for (unsigned long i = load.running; i-- > 0;)
		start(&all[i]);
	while (load.running) {
		struct epoll_event events[64];
		int n = epoll_wait(load.epoll, events, 64, 30000);
		if (n <= 0)
			fail("nothing happens");
		for (int i = 0; i < n; i++)
			on_event(events[i].data.ptr, events[i].events);
	}
	printf("%lu %llu %.6f\n", load.connections, (unsigned long long)load.bytes, now() - started);
	free(all);
	return 0;
}
