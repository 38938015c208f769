#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "vsockd.h"

enum request {
	GET_FEATURES = 1,
	SET_FEATURES,
	SET_OWNER,
	RESET_OWNER,
	SET_MEM_TABLE,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR,
	SET_VRING_BASE,
	GET_VRING_BASE,
	SET_VRING_KICK,
	SET_VRING_CALL,
	SET_VRING_ERR,
	GET_PROTOCOL_FEATURES,
	SET_PROTOCOL_FEATURES,
	GET_QUEUE_NUM,
	SET_VRING_ENABLE,
	GET_CONFIG = 24
};

/* No indirect descriptors, no event index: fewer shapes of rings to be right about. */
#define FEATURE_VERSION_1  (1ull << 32)
#define FEATURE_PROTOCOL   (1ull << 30)
#define PROTOCOL_MQ	   (1ull << 0)
#define PROTOCOL_REPLY_ACK (1ull << 3)
#define PROTOCOL_CONFIG	   (1ull << 9)
enum { FLAG_VERSION = 1, FLAG_REPLY = 4, FLAG_NEED_REPLY = 8 };
#define FDS_MAX 8

struct message {
	uint32_t request, flags, size;
	union {
		uint8_t bytes[4096];
		uint64_t u64[8];
		uint32_t u32[16];
	};
	int fds[FDS_MAX];
	int fd_count;
};
#define MESSAGE_HEAD 12

static void reply(struct guest *g, uint32_t request, const void *payload, uint32_t size)
{
	uint32_t head[3] = {request, FLAG_VERSION | FLAG_REPLY, size};
	const struct iovec parts[2] = {{head, sizeof head}, {(void *)(uintptr_t)payload, size}};
	if (writev(g->control.fd, parts, 2) != (ssize_t)(sizeof head + size))
		say("guest %llu: no reply could be sent", (unsigned long long)g->cid);
}

static void reply_u64(struct guest *g, uint32_t request, uint64_t value)
{
	reply(g, request, &value, sizeof value);
}

/* ---- memory ---- */

static void unmap_all(struct memory *m)
{
	for (unsigned i = 0; i < m->count; i++)
		munmap(m->region[i].mapping, m->region[i].mapped);
	m->count = 0;
}

/* {u64 guest address, size, VMM address, offset in the file} from byte 8 on, and a file for each. */
static bool set_memory(struct guest *g, const struct message *msg)
{
	unmap_all(&g->memory);
	bool good = msg->u32[0] <= REGIONS_MAX && (int)msg->u32[0] == msg->fd_count;
	for (unsigned i = 0; i < msg->u32[0] && good; i++) {
		uint64_t field[4];
		memcpy(field, msg->bytes + 8 + 32 * i, sizeof field);
		struct region *r = &g->memory.region[i];
		*r = (struct region){.guest = field[0], .size = field[1], .user = field[2]};
		r->mapped = (size_t)(field[1] + field[3]);
		void *p = mmap(NULL, r->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, msg->fds[i], 0);
		good = p != MAP_FAILED;
		if (!good)
			break;
		r->mapping = p;
		r->memory = r->mapping + field[3];
		g->memory.count++;
	}
	for (int i = 0; i < msg->fd_count; i++)
		close(msg->fds[i]);
	for (int i = 0; i < RINGS; i++)
		ring_map(&g->ring[i], &g->memory);
	return good;
}

/* ---- rings ---- */

static void on_kick(struct source *s, uint32_t events)
{
	uint64_t count;
	(void)events;
	ssize_t n = read(s->fd, &count,
			 sizeof count); /* an eventfd, or UML's socket: only that it is emptied counts */
	(void)n;
	for (unsigned i = 0; i < guest_count; i++) {
		if (s == &guests[i].ring[RING_TX].kick)
			guest_transmit(&guests[i]);
		else if (s == &guests[i].ring[RING_RX].kick)
			guest_deliver(&guests[i]);
	}
}

static void set_descriptor(struct guest *g, const struct message *msg)
{
	unsigned index = msg->u64[0] & 0xff;
	int fd = msg->fd_count == 1 ? msg->fds[0] : -1;
	if (index >= RINGS || fd < 0 || msg->request == SET_VRING_ERR) {
		if (fd >= 0)
			close(fd);
		return;
	}
	struct ring *r = &g->ring[index];
	fcntl(fd, F_SETFL, O_NONBLOCK); /* UML's call descriptor is a socket, which could block us */
	if (msg->request == SET_VRING_CALL) {
		if (r->call >= 0)
			close(r->call);
		r->call = fd;
		if (r->avail && r->used)
			ring_call(r); /* whatever was missed meanwhile */
		return;
	}
	source_close(&r->kick);
	source_add(&r->kick, fd, EPOLLIN, on_kick);
	if (!(g->features & FEATURE_PROTOCOL))
		r->enabled = true;
}

/* The guest's driver goes away, or its VMM reads where we are: that ring is still. */
static void stop_ring(struct guest *g, unsigned index)
{
	uint32_t state[2] = {index, 0};
	if (index < RINGS) {
		state[1] = g->ring[index].last;
		g->ring[index].enabled = false;
		source_close(&g->ring[index].kick);
		if (index != RING_EVENT)
			guest_drop_all(g);
	}
	reply(g, GET_VRING_BASE, state, sizeof state);
}

static void enable_ring(struct guest *g, unsigned index, bool on)
{
	g->ring[index].enabled = on;
	if (!on || !ring_ready(&g->ring[RING_RX]) || !ring_ready(&g->ring[RING_TX]))
		return;
	if (!g->up)
		say("guest %llu: up", (unsigned long long)g->cid);
	g->up = true;
	guest_transmit(g);
}

static void set_ring(struct guest *g, const struct message *msg)
{
	unsigned index = msg->u32[0];
	if (index >= RINGS)
		return;
	struct ring *r = &g->ring[index];
	switch (msg->request) {
	case SET_VRING_NUM:
		r->num = msg->u32[1];
		break;
	case SET_VRING_BASE:
		r->last = (uint16_t)msg->u32[1];
		break;
	case SET_VRING_ENABLE:
		enable_ring(g, index, msg->u32[1]);
		break;
	case SET_VRING_ADDR:
		r->desc_at = msg->u64[1];
		r->used_at = msg->u64[2];
		r->avail_at = msg->u64[3];
		ring_map(r, &g->memory);
		break;
	}
}

/* {u32 offset, size, flags} and room for as many bytes: of the device's configuration, which is its CID. */
static void get_config(struct guest *g, struct message *msg)
{
	uint8_t config[8];
	memcpy(config, &g->cid, sizeof config);
	if (msg->u32[0] <= 8 && msg->u32[1] <= 8 - msg->u32[0] && msg->size >= 12 + msg->u32[1])
		memcpy(msg->bytes + 12, config + msg->u32[0], msg->u32[1]);
	reply(g, GET_CONFIG, msg->bytes, msg->size);
}

/* ---- messages ---- */

static bool receive(struct guest *g, struct message *msg)
{
	char control[CMSG_SPACE(sizeof msg->fds)];
	struct iovec part = {msg, MESSAGE_HEAD};
	struct msghdr h = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	memset(msg, 0, sizeof *msg);
	if (recvmsg(g->control.fd, &h, MSG_WAITALL | MSG_CMSG_CLOEXEC) != MESSAGE_HEAD)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t size = c->cmsg_len - CMSG_LEN(0);
		msg->fd_count = (int)(size / sizeof(int));
		memcpy(msg->fds, CMSG_DATA(c), size);
	}
	return msg->size <= sizeof msg->bytes &&
	       (!msg->size || recv(g->control.fd, msg->bytes, msg->size, MSG_WAITALL) == (ssize_t)msg->size);
}

/* True if the request has had its answer; *good: for one that has not. */
static bool serve(struct guest *g, struct message *msg, bool *good)
{
	switch (msg->request) {
	case GET_FEATURES:
		return reply_u64(g, GET_FEATURES, FEATURE_VERSION_1 | FEATURE_PROTOCOL), true;
	case GET_PROTOCOL_FEATURES:
		return reply_u64(g, GET_PROTOCOL_FEATURES,
				 PROTOCOL_MQ | PROTOCOL_REPLY_ACK | PROTOCOL_CONFIG),
		       true;
	case GET_QUEUE_NUM:
		return reply_u64(g, GET_QUEUE_NUM, RINGS), true;
	case GET_VRING_BASE:
		return stop_ring(g, msg->u32[0]), true;
	case GET_CONFIG:
		return get_config(g, msg), true;
	case SET_FEATURES:
		g->features = msg->u64[0];
		break;
	case SET_PROTOCOL_FEATURES:
		g->protocol_features = msg->u64[0];
		break;
	case SET_OWNER:
	case RESET_OWNER:
		break;
	case SET_MEM_TABLE:
		*good = set_memory(g, msg);
		break;
	case SET_VRING_NUM:
	case SET_VRING_ADDR:
	case SET_VRING_BASE:
	case SET_VRING_ENABLE:
		set_ring(g, msg);
		break;
	case SET_VRING_KICK:
	case SET_VRING_CALL:
	case SET_VRING_ERR:
		set_descriptor(g, msg);
		break;
	default:
		say("guest %llu: vhost-user request %u is not known", (unsigned long long)g->cid,
		    msg->request);
		*good = false;
	}
	return false;
}

static void on_message(struct source *s, uint32_t events)
{
	static struct message msg;
	struct guest *g = container_of(s, struct guest, control);
	bool good = true;
	(void)events;
	if (!receive(g, &msg)) {
		say("guest %llu: gone", (unsigned long long)g->cid);
		control_reset(g);
		return;
	}
	if (!serve(g, &msg, &good) && msg.flags & FLAG_NEED_REPLY &&
	    g->protocol_features & PROTOCOL_REPLY_ACK)
		reply_u64(g, msg.request, !good);
}

static void on_vmm(struct source *s, uint32_t events)
{
	struct guest *g = container_of(s, struct guest, control_listener);
	(void)events;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (g->control.fd >= 0) /* one VMM at a time; the one that came last is the one that lives */
		control_reset(g);
	source_add(&g->control, fd, EPOLLIN, on_message);
}

void control_start(struct guest *g)
{
	source_add(&g->control_listener, unix_listener(g->control_path), EPOLLIN, on_vmm);
}

void control_reset(struct guest *g)
{
	guest_drop_all(g);
	for (int i = 0; i < RINGS; i++) {
		source_close(&g->ring[i].kick);
		if (g->ring[i].call >= 0)
			close(g->ring[i].call);
		g->ring[i] = (struct ring){.kick.fd = -1, .call = -1};
	}
	unmap_all(&g->memory);
	source_close(&g->control);
	g->features = g->protocol_features = 0;
}
