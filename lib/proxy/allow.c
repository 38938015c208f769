#include "proxy/allow.h"

#include <ifaddrs.h>
#include <stdlib.h>

#include "base/mem.h"

bool allow_init(struct allow *a, const struct text_list *names, const struct text_list *blocks,
		struct error *err)
{
	memset(a, 0, sizeof *a);
	a->names = mem_zero((names->count + 1) * sizeof *a->names);
	a->blocks = mem_zero((blocks->count + 1) * sizeof *a->blocks);
	for (; a->name_count < names->count; a->name_count++)
		if (!pattern_parse(span_of(names->items[a->name_count]), &a->names[a->name_count], err))
			return error_wrap(err, "allowed name %zu", a->name_count + 1);
	for (; a->block_count < blocks->count; a->block_count++)
		if (!ip_cidr_parse(span_of(blocks->items[a->block_count]), &a->blocks[a->block_count], err))
			return error_wrap(err, "allowed address block %zu", a->block_count + 1);
	return true;
}

void allow_free(struct allow *a)
{
	free(a->names);
	free(a->blocks);
	free(a->listeners);
	memset(a, 0, sizeof *a);
}

void allow_add_listener(struct allow *a, const struct sockaddr *listener)
{
	struct allow_listener l;

	if (!ip_from_sockaddr(listener, &l.ip, &l.port))
		return;
	a->listeners = mem_resize(a->listeners, (a->listener_count + 1) * sizeof *a->listeners);
	a->listeners[a->listener_count++] = l;
}

bool allow_all_names(const struct allow *a)
{
	return a->name_count == 0;
}

bool allow_name(const struct allow *a, const char *host, uint16_t port, struct error *err)
{
	if (allow_all_names(a))
		return true;
	for (size_t i = 0; i < a->name_count; i++)
		if (pattern_match(&a->names[i], host, port))
			return true;
	return error_set(err, ERR_DENIED, "the tunnel's allow-list has no entry for %.120s port %u", host,
			 port);
}

static bool in_block(const struct allow *a, const struct ip_address *ip)
{
	for (size_t i = 0; i < a->block_count; i++)
		if (ip_cidr_has(&a->blocks[i], ip))
			return true;
	return false;
}

/* The class that keeps the address out; IP_PUBLIC when nothing does. */
static enum ip_class objection(const struct allow *a, const struct ip_address *ip)
{
	enum ip_class class = ip_classify(ip), inner;
	struct ip_address v4;

	if (class != IP_PUBLIC && !in_block(a, ip))
		return class;
	if (!ip_embedded(ip, &v4))
		return IP_PUBLIC;
	inner = ip_classify(&v4);
	return in_block(a, &v4) ? IP_PUBLIC : inner;
}

/* Would the kernel deliver it to this machine? Asked only when the port is one we listen on. */
static bool is_local(const struct ip_address *ip)
{
	enum ip_class class = ip_classify(ip);
	struct ifaddrs *all;
	bool found = false;

	if (class == IP_LOOPBACK || class == IP_UNSPECIFIED)
		return true;
	if (getifaddrs(&all) < 0)
		return true; /* cannot tell: the careful answer */
	for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
		struct ip_address own;
		found = i->ifa_addr && ip_from_sockaddr(i->ifa_addr, &own, NULL) && ip_equal(&own, ip);
	}
	freeifaddrs(all);
	return found;
}

/*
 * A listener on all addresses is reached through every local one. A listener on one address is
 * reached through that, and through 0.0.0.0 or :: when it is loopback.
 */
static bool is_listener(const struct allow *a, const struct ip_address *ip, uint16_t port)
{
	struct ip_address v4;

	if (ip_classify(ip) == IP_MAPPED && ip_embedded(ip, &v4))
		ip = &v4;
	for (size_t i = 0; i < a->listener_count; i++) {
		const struct allow_listener *l = &a->listeners[i];
		enum ip_class class = ip_classify(&l->ip);

		if (l->port != port)
			continue;
		if (ip_equal(&l->ip, ip) || (class == IP_UNSPECIFIED && is_local(ip)) ||
		    (class == IP_LOOPBACK && ip_classify(ip) == IP_UNSPECIFIED))
			return true;
	}
	return false;
}

bool allow_address(const struct allow *a, const struct sockaddr *to, struct error *err)
{
	struct ip_address ip;
	char text[IP_TEXT_MAX];
	enum ip_class class;
	uint16_t port;

	if (!ip_from_sockaddr(to, &ip, &port))
		return error_set(err, ERR_ADDRESS_DENIED, "the target is no IP address");
	ip_format(&ip, text);
	class = objection(a, &ip);
	if (class != IP_PUBLIC)
		return error_set(err, ERR_ADDRESS_DENIED, "%s is not allowed: its class is %s", text,
				 ip_class_name(class));
	if (is_listener(a, &ip, port))
		return error_set(err, ERR_ADDRESS_DENIED, "%s port %u is this tunnel itself", text, port);
	return true;
}
