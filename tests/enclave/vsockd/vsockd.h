/*
 * vsockd: the device behind the AF_VSOCK of virtual machines, for tests. It is a vhost-user-vsock back-end:
 * QEMU and User-Mode Linux connect to it and share their memory, and it moves packets between
 *
 *	guest CID 16 <----> guest CID 3            siblings, each with a socket of its own
 *	guest CID 16 <----> unix sockets here      the hybrid form of Firecracker and vhost-device-vsock:
 *	    listen on UDS, "CONNECT port\n" -> "OK n\n"         to reach a port of the guest
 *	    connect to UDS_port                                 when the guest connects to CID 2 or 3
 *
 *	vsockd [-v] --guest cid=16,socket=CTL[,uds=UDS] [--guest cid=3,socket=CTL2] ..
 *
 *	main.c        arguments, the epoll loop
 *	control.c     the vhost-user protocol: features, memory, rings
 *	ring.c        virtqueues in a guest's memory
 *	guest.c       packets out of and into a guest, and where they go
 *	conn.c        a connection between a guest and a unix socket
 *
 * Sources: virtio 1.2 sections 2.7 and 5.10, QEMU's docs/interop/vhost-user.rst.
 */
#ifndef VSOCKD_H
#define VSOCKD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/list.h"

/* ---- the loop ---- */

struct source { /* something that epoll watches */
	int fd;
	uint32_t events;
	void (*fn)(struct source *s, uint32_t events);
};
void source_add(struct source *s, int fd, uint32_t events, void (*fn)(struct source *s, uint32_t events));
void source_set(struct source *s, uint32_t events);
void source_close(struct source *s);				      /* fd -1 is fine */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* only with -v */

/* ---- virtqueues ---- */

struct region {			    /* of guest memory */
	uint64_t guest, user, size; /* address in the guest; in the VMM, which is what rings are given by */
	uint8_t *mapping, *memory;  /* what mmap gave; where the region begins in it */
	size_t mapped;
};

#define REGIONS_MAX 8
struct memory {
	struct region region[REGIONS_MAX];
	unsigned count;
};
void *memory_of_guest(const struct memory *m, uint64_t address, uint64_t size); /* NULL: not in it */
void *memory_of_user(const struct memory *m, uint64_t address);

struct ring_desc {
	uint64_t address;
	uint32_t size;
	uint16_t flags, next;
};

struct ring {
	uint32_t num;			     /* descriptors */
	uint64_t desc_at, avail_at, used_at; /* VMM addresses */
	struct ring_desc *desc;
	uint16_t *avail; /* flags, index, ring[num] */
	uint8_t *used;	 /* u16 flags, u16 index, {u32 id, u32 size}[num] */
	uint16_t last;	 /* next of avail */
	struct source kick;
	int call;
	bool enabled;
};
void ring_map(struct ring *r, const struct memory *m);
bool ring_ready(const struct ring *r);
bool ring_pop(struct ring *r, uint16_t *head);
void ring_push(struct ring *r, uint16_t head, uint32_t written);
void ring_call(struct ring *r);

#define CHAIN_MAX 64
/* The parts of a chain that we may read, or write. 0: none, or malformed. */
unsigned ring_chain(const struct ring *r, const struct memory *m, uint16_t head, bool writable,
		    struct iovec *parts);

/* ---- packets (virtio 5.10.6) ---- */

enum { OP_REQUEST = 1, OP_RESPONSE, OP_RST, OP_SHUTDOWN, OP_RW, OP_CREDIT_UPDATE, OP_CREDIT_REQUEST };
enum { SHUTDOWN_RECEIVE = 1, SHUTDOWN_SEND = 2 };
enum { TYPE_STREAM = 1 };

struct packet_head {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, size;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
} __attribute__((packed));
#define PACKET_HEAD 44

/* ---- guests ---- */

enum { RING_RX, RING_TX, RING_EVENT, RINGS };
#define BUFFER (256u * 1024) /* what we tell a guest we can hold of one connection */

struct guest {
	uint64_t cid;
	const char *control_path, *uds; /* uds NULL: no unix sockets */
	struct source control_listener, control, uds_listener;
	uint64_t features, protocol_features;
	struct memory memory;
	struct ring ring[RINGS];
	bool up;	      /* both rings run */
	struct list conns;    /* of struct conn */
	struct list to_guest; /* packets that wait for room in RX */
	size_t queued;	      /* their bytes */
	uint32_t next_port;   /* of connections that we begin */
};

#define GUESTS_MAX 8
extern struct guest guests[GUESTS_MAX];
extern unsigned guest_count;

void guest_start(struct guest *g);
void guest_drop_all(struct guest *g); /* its rings stopped: connections and packets go */
void guest_transmit(struct guest *g); /* takes what is in TX */
void guest_deliver(struct guest *g);  /* fills RX */
/* Queues a packet; its payload is copied, leaving out the first `skip` bytes of the parts. */
void guest_send(struct guest *g, const struct packet_head *h, const struct iovec *parts, unsigned count,
		size_t skip);
/* A packet without payload that answers, or stands for, the other end of a connection. */
void guest_answer(struct guest *g, uint64_t from_cid, uint32_t from_port, uint32_t to_port, uint16_t op);

void control_start(struct guest *g);
void control_reset(struct guest *g);

/* ---- connections to unix sockets ---- */

void conn_listen(struct guest *g);
/* A packet from the guest to CID 2 or 3. */
void conn_packet(struct guest *g, const struct packet_head *h, const struct iovec *parts, unsigned count);
void conn_drop_all(struct guest *g);
/* RX has room again, or not: who may read on? Frees what has ended. */
void conn_refresh_all(struct guest *g);

int unix_listener(const char *path); /* exits when it cannot */

#endif
