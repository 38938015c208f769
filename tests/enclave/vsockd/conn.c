#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "vsockd.h"

#define QUEUE_MAX (4u << 20) /* bytes that wait for a guest's RX ring before we read no more for it */
#define HOST_CID  2	     /* as whom we connect to a guest */

/*
 *	GREETING --"CONNECT n"--> ASKED --RESPONSE--> OPEN        (we connect to the guest)
 *	                                              OPEN        (the guest connects to us)
 */
enum conn_state { GREETING, ASKED, OPEN, DEAD };

struct conn {
	struct list link; /* in guest->conns */
	struct guest *guest;
	struct source source;
	enum conn_state state;
	char line[32]; /* of the greeting */
	size_t line_size;
	uint64_t cid; /* of our end, as the guest knows it */
	uint32_t port, guest_port;
	/* Credit, virtio 5.10.6.3: what the guest can hold and has taken; what we sent and have passed on. */
	uint32_t guest_alloc, guest_taken, sent, passed_on, told;
	uint8_t *out; /* owned: from the guest, not yet written to the socket */
	size_t out_size, out_done;
	bool guest_sends_no_more, guest_reads_no_more, our_end_shut, socket_ended;
};

static void on_event(struct source *s, uint32_t events);

static uint32_t credit(const struct conn *c)
{
	uint32_t in_flight = c->sent - c->guest_taken;
	return in_flight < c->guest_alloc ? c->guest_alloc - in_flight : 0;
}

static void refresh(struct conn *c)
{
	uint32_t events = 0;
	if (c->state == GREETING)
		events = EPOLLIN;
	if (c->state == OPEN && !c->socket_ended && !c->guest_reads_no_more && credit(c) &&
	    c->guest->queued < QUEUE_MAX)
		events |= EPOLLIN;
	if (c->state == OPEN && c->out_size > c->out_done)
		events |= EPOLLOUT;
	source_set(&c->source, events);
}

static struct conn *conn_new(struct guest *g, int fd, enum conn_state state)
{
	struct conn *c = mem_zero(sizeof *c);
	c->guest = g;
	c->state = state;
	list_append(&g->conns, &c->link);
	source_add(&c->source, fd, 0, on_event);
	return c;
}

/* The memory goes with the next conn_refresh_all: an event for it may still be in the loop's hands. */
static void die(struct conn *c)
{
	c->state = DEAD;
	source_close(&c->source);
}

static void tell(struct conn *c, uint16_t op, uint32_t flags, const void *payload, size_t size)
{
	const struct iovec part = {(void *)(uintptr_t)payload, size};
	struct packet_head h = {.src_cid = c->cid,
				.dst_cid = c->guest->cid,
				.src_port = c->port,
				.dst_port = c->guest_port,
				.size = (uint32_t)size,
				.type = TYPE_STREAM,
				.op = op,
				.flags = flags,
				.buf_alloc = BUFFER,
				.fwd_cnt = c->passed_on};
	c->told = c->passed_on;
	guest_send(c->guest, &h, &part, 1, 0);
}

static void reset(struct conn *c)
{
	tell(c, OP_RST, 0, NULL, 0);
	die(c);
}

/* ---- from the guest to the socket ---- */

static void flush(struct conn *c)
{
	while (c->out_size > c->out_done) {
		ssize_t n = send(c->source.fd, c->out + c->out_done, c->out_size - c->out_done,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			reset(c);
			return;
		}
		c->out_done += (size_t)n;
		c->passed_on += (uint32_t)n;
	}
	if (c->out_done == c->out_size) {
		c->out_done = c->out_size = 0;
		if (c->guest_sends_no_more && !c->our_end_shut) {
			shutdown(c->source.fd, SHUT_WR);
			c->our_end_shut = true;
		}
		if (c->guest_sends_no_more && c->guest_reads_no_more) {
			reset(c); /* else Linux keeps the socket for its close timeout */
			return;
		}
	}
	if (c->passed_on - c->told >= BUFFER / 4)
		tell(c, OP_CREDIT_UPDATE, 0, NULL, 0);
	refresh(c);
}

static void take_data(struct conn *c, const struct packet_head *h, const struct iovec *parts, unsigned count)
{
	size_t waiting = c->out_size - c->out_done, skip = PACKET_HEAD, left = h->size;
	if (waiting + h->size > 2 * BUFFER) { /* the guest disregards our credit */
		reset(c);
		return;
	}
	if (waiting)
		memmove(c->out, c->out + c->out_done, waiting);
	c->out_done = 0;
	c->out_size = waiting;
	c->out = mem_resize(c->out, waiting + h->size + 1);
	for (unsigned i = 0; i < count && left; i++) {
		size_t from = skip < parts[i].iov_len ? skip : parts[i].iov_len, n = parts[i].iov_len - from;
		skip -= from;
		n = n < left ? n : left;
		memcpy(c->out + c->out_size, (const uint8_t *)parts[i].iov_base + from, n);
		c->out_size += n;
		left -= n;
	}
	flush(c);
}

static void answer_greeting(struct conn *c)
{
	char text[32];
	int n = snprintf(text, sizeof text, "OK %u\n", c->port);
	c->state = OPEN;
	if (send(c->source.fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		reset(c);
}

static void connect_to_unix(struct guest *g, const struct packet_head *h)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(to.sun_path, sizeof to.sun_path, "%s_%u", g->uds, h->dst_port);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
		say("nobody at %s: %s", to.sun_path, strerror(errno));
		if (fd >= 0)
			close(fd);
		guest_answer(g, h->dst_cid, h->dst_port, h->src_port, OP_RST);
		return;
	}
	struct conn *c = conn_new(g, fd, OPEN);
	c->cid = h->dst_cid;
	c->port = h->dst_port;
	c->guest_port = h->src_port;
	c->guest_alloc = h->buf_alloc;
	c->guest_taken = h->fwd_cnt;
	tell(c, OP_RESPONSE, 0, NULL, 0);
	refresh(c);
}

static struct conn *find(const struct guest *g, const struct packet_head *h)
{
	LIST_EACH (it, &g->conns) {
		struct conn *c = container_of(it, struct conn, link);
		if ((c->state == ASKED || c->state == OPEN) && c->cid == h->dst_cid &&
		    c->port == h->dst_port && c->guest_port == h->src_port)
			return c;
	}
	return NULL;
}

static void take_shutdown(struct conn *c, uint32_t flags)
{
	c->guest_sends_no_more |= !!(flags & SHUTDOWN_SEND);
	if (flags & SHUTDOWN_RECEIVE && !c->guest_reads_no_more) {
		c->guest_reads_no_more = true;
		shutdown(c->source.fd, SHUT_RD);
	}
	flush(c);
}

void conn_packet(struct guest *g, const struct packet_head *h, const struct iovec *parts, unsigned count)
{
	struct conn *c = find(g, h);
	if (!c && h->op == OP_REQUEST) {
		connect_to_unix(g, h);
	} else if (!c) {
		if (h->op != OP_RST)
			guest_answer(g, h->dst_cid, h->dst_port, h->src_port, OP_RST);
	} else {
		c->guest_alloc = h->buf_alloc;
		c->guest_taken = h->fwd_cnt;
		if (h->op == OP_RST)
			die(c);
		else if (h->op == OP_REQUEST)
			reset(c);
		else if (h->op == OP_RESPONSE && c->state == ASKED)
			answer_greeting(c);
		else if (h->op == OP_RW)
			take_data(c, h, parts, count);
		else if (h->op == OP_SHUTDOWN)
			take_shutdown(c, h->flags);
		else if (h->op == OP_CREDIT_REQUEST)
			tell(c, OP_CREDIT_UPDATE, 0, NULL, 0);
		if (c->state != DEAD)
			refresh(c);
	}
}

/* ---- from the socket to the guest ---- */

/* Byte by byte: what stands behind the line is the guest's. */
static void read_greeting(struct conn *c)
{
	unsigned port;
	while (c->line_size < sizeof c->line - 1) {
		ssize_t n = read(c->source.fd, c->line + c->line_size, 1);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
		if (c->line[c->line_size++] != '\n')
			continue;
		c->line[c->line_size] = '\0';
		if (sscanf(c->line, "CONNECT %u", &port) != 1 || !c->guest->up)
			break;
		c->state = ASKED;
		c->cid = HOST_CID;
		c->guest_port = port;
		c->port = c->guest->next_port++;
		tell(c, OP_REQUEST, 0, NULL, 0);
		refresh(c);
		return;
	}
	die(c);
}

static void read_data(struct conn *c)
{
	static uint8_t bytes[65536];
	for (int i = 0; i < 4 && !c->socket_ended; i++) { /* others want their turn */
		size_t n = credit(c) < sizeof bytes ? credit(c) : sizeof bytes;
		if (n == 0) {
			tell(c, OP_CREDIT_REQUEST, 0, NULL, 0);
			break;
		}
		ssize_t got = read(c->source.fd, bytes, n);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (got < 0) {
			reset(c);
			return;
		}
		if (got == 0) {
			c->socket_ended = true;
			tell(c, OP_SHUTDOWN, SHUTDOWN_SEND | (c->our_end_shut ? SHUTDOWN_RECEIVE : 0), NULL,
			     0);
		} else {
			c->sent += (uint32_t)got;
			tell(c, OP_RW, 0, bytes, (size_t)got);
		}
	}
	refresh(c);
}

static void on_event(struct source *s, uint32_t events)
{
	struct conn *c = container_of(s, struct conn, source);
	if (events & EPOLLOUT)
		flush(c);
	if (c->state == DEAD || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	if (c->state == GREETING)
		read_greeting(c);
	else if (c->source.events & EPOLLIN)
		read_data(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		reset(c);
}

/* ---- life ---- */

static void on_client(struct source *s, uint32_t events)
{
	struct guest *g = container_of(s, struct guest, uds_listener);
	(void)events;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		refresh(conn_new(g, fd, GREETING));
}

void conn_listen(struct guest *g)
{
	source_add(&g->uds_listener, unix_listener(g->uds), EPOLLIN, on_client);
}

void conn_drop_all(struct guest *g)
{
	LIST_EACH (it, &g->conns) {
		struct conn *c = container_of(it, struct conn, link);
		if (c->state != DEAD)
			die(c);
	}
}

void conn_refresh_all(struct guest *g)
{
	LIST_EACH (it, &g->conns) {
		struct conn *c = container_of(it, struct conn, link);
		if (c->state != DEAD) {
			refresh(c);
			continue;
		}
		list_remove(&c->link);
		free(c->out);
		free(c);
	}
}
