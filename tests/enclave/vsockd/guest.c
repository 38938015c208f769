#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "vsockd.h"

struct packet {
	struct list link; /* in guest->to_guest */
	struct packet_head head;
	uint32_t sent; /* of the payload */
	uint8_t payload[];
};

/* ---- into a guest ---- */

/* Copies n bytes into the parts, from `at` on. */
static void scatter(const struct iovec *parts, unsigned count, size_t at, const void *from, size_t n)
{
	const uint8_t *p = from;
	for (unsigned i = 0; i < count && n; i++) {
		if (at >= parts[i].iov_len) {
			at -= parts[i].iov_len;
			continue;
		}
		size_t now = parts[i].iov_len - at < n ? parts[i].iov_len - at : n;
		memcpy((uint8_t *)parts[i].iov_base + at, p, now);
		p += now;
		n -= now;
		at = 0;
	}
}

static size_t gather(void *to, size_t n, const struct iovec *parts, unsigned count, size_t skip)
{
	uint8_t *p = to;
	size_t done = 0;
	for (unsigned i = 0; i < count && done < n; i++) {
		if (skip >= parts[i].iov_len) {
			skip -= parts[i].iov_len;
			continue;
		}
		size_t now = parts[i].iov_len - skip < n - done ? parts[i].iov_len - skip : n - done;
		memcpy(p + done, (const uint8_t *)parts[i].iov_base + skip, now);
		done += now;
		skip = 0;
	}
	return done;
}

void guest_send(struct guest *g, const struct packet_head *h, const struct iovec *parts, unsigned count,
		size_t skip)
{
	struct packet *p = mem_alloc(sizeof *p + h->size);
	p->head = *h;
	p->sent = 0;
	p->head.size = (uint32_t)gather(p->payload, h->size, parts, count, skip);
	p->link = (struct list){NULL, NULL};
	list_append(&g->to_guest, &p->link);
	g->queued += p->head.size;
}

void guest_answer(struct guest *g, uint64_t from_cid, uint32_t from_port, uint32_t to_port, uint16_t op)
{
	struct packet_head h = {.src_cid = from_cid,
				.dst_cid = g->cid,
				.src_port = from_port,
				.dst_port = to_port,
				.type = TYPE_STREAM,
				.op = op};
	guest_send(g, &h, NULL, 0, 0);
}

/* As much of the first packet as one chain holds: a large one leaves in several, each with the head. */
static void deliver_into(struct guest *g, uint16_t chain)
{
	struct iovec parts[CHAIN_MAX];
	struct packet *p = container_of(g->to_guest.next, struct packet, link);
	unsigned count = ring_chain(&g->ring[RING_RX], &g->memory, chain, true, parts);
	size_t room = 0;
	for (unsigned i = 0; i < count; i++)
		room += parts[i].iov_len;
	if (room < PACKET_HEAD) {
		ring_push(&g->ring[RING_RX], chain, 0);
		return;
	}
	struct packet_head head = p->head;
	uint32_t left = p->head.size - p->sent;
	head.size = left < room - PACKET_HEAD ? left : (uint32_t)(room - PACKET_HEAD);
	scatter(parts, count, 0, &head, PACKET_HEAD);
	scatter(parts, count, PACKET_HEAD, p->payload + p->sent, head.size);
	ring_push(&g->ring[RING_RX], chain, PACKET_HEAD + head.size);
	p->sent += head.size;
	if (p->sent < p->head.size)
		return;
	g->queued -= p->head.size;
	list_remove(&p->link);
	free(p);
}

void guest_deliver(struct guest *g)
{
	uint16_t chain;
	bool any = false;
	while (!list_empty(&g->to_guest) && ring_ready(&g->ring[RING_RX]) &&
	       ring_pop(&g->ring[RING_RX], &chain)) {
		deliver_into(g, chain);
		any = true;
	}
	if (any)
		ring_call(&g->ring[RING_RX]);
}

/* ---- out of a guest ---- */

static struct guest *sibling(const struct guest *g, uint64_t cid)
{
	for (unsigned i = 0; i < guest_count; i++)
		if (&guests[i] != g && guests[i].cid == cid && guests[i].up)
			return &guests[i];
	return NULL;
}

/* From an enclave the parent is CID 3, in general the host is CID 2: here both are this machine. */
static bool is_host(uint64_t cid)
{
	return cid == 2 || cid == 3;
}

static void route(struct guest *g, const struct packet_head *h, const struct iovec *parts, unsigned count)
{
	struct guest *to = sibling(g, h->dst_cid);
	if (to && h->type == TYPE_STREAM) {
		guest_send(to, h, parts, count, PACKET_HEAD);
		guest_deliver(to);
	} else if (is_host(h->dst_cid) && g->uds && h->type == TYPE_STREAM) {
		conn_packet(g, h, parts, count);
	} else if (h->op != OP_RST) {
		guest_answer(g, h->dst_cid, h->dst_port, h->src_port, OP_RST);
	}
}

void guest_transmit(struct guest *g)
{
	struct iovec parts[CHAIN_MAX];
	struct packet_head h;
	uint16_t chain;
	bool any = false;
	while (ring_ready(&g->ring[RING_TX]) && ring_pop(&g->ring[RING_TX], &chain)) {
		unsigned count = ring_chain(&g->ring[RING_TX], &g->memory, chain, false, parts);
		size_t size = 0;
		for (unsigned i = 0; i < count; i++)
			size += parts[i].iov_len;
		if (size >= PACKET_HEAD && gather(&h, PACKET_HEAD, parts, count, 0) == PACKET_HEAD &&
		    h.size <= size - PACKET_HEAD && h.src_cid == g->cid)
			route(g, &h, parts, count);
		ring_push(&g->ring[RING_TX], chain, 0);
		any = true;
	}
	if (any && g->ring[RING_TX].avail)
		ring_call(&g->ring[RING_TX]);
	guest_deliver(g);
}

/* ---- life ---- */

void guest_start(struct guest *g)
{
	g->control.fd = g->uds_listener.fd = -1;
	for (int i = 0; i < RINGS; i++)
		g->ring[i] = (struct ring){.kick.fd = -1, .call = -1};
	list_init(&g->conns);
	list_init(&g->to_guest);
	g->next_port = 1u << 30;
	control_start(g);
	if (g->uds)
		conn_listen(g);
}

void guest_drop_all(struct guest *g)
{
	g->up = false;
	conn_drop_all(g);
	while (!list_empty(&g->to_guest)) {
		struct packet *p = container_of(g->to_guest.next, struct packet, link);
		list_remove(&p->link);
		free(p);
	}
	g->queued = 0;
}
