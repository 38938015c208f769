/*
 * Where the tunnel may connect. Two questions, asked at two moments:
 *
 *	allow_name       before resolution: is HOST:PORT on the list?     ERR_DENIED
 *	allow_address    for each address found, the very one that is
 *	                 dialled: is it a public one?                     ERR_ADDRESS_DENIED
 *
 * Between the two nothing is asked of the resolver again, so a name cannot change its
 * address after it was judged. A name with public and other addresses loses the others only.
 *
 * An address passes when it is public, or when a configured block (CIDR) covers it. One
 * that holds an IPv4 address for a translator (NAT64, 6to4, Teredo, mapped) passes when a block covers
 * it and the IPv4 address inside would pass too: 64:ff9b::/96 opens no way to 169.254.169.254.
 * The tunnel's own listeners never pass.
 */
#ifndef PROXY_ALLOW_H
#define PROXY_ALLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/text_list.h"
#include "net/ip.h"
#include "proxy/pattern.h"

struct allow_listener {
	struct ip_address ip;
	uint16_t port;
};

struct allow {
	struct pattern *names; /* owned */
	size_t name_count;
	struct ip_cidr *blocks; /* owned */
	size_t block_count;
	struct allow_listener *listeners; /* owned */
	size_t listener_count;
};

/*
 * names: HOST:PORT patterns (proxy/pattern.h); none: every name and port, see allow_all_names.
 * *a needs allow_free whatever the outcome.
 */
bool allow_init(struct allow *a, const struct text_list *names, const struct text_list *blocks,
		struct error *err);
void allow_free(struct allow *a);

/* An address this process listens on; other families than IP are ignored. */
void allow_add_listener(struct allow *a, const struct sockaddr *listener);

/* No list is configured: to be said at start. */
bool allow_all_names(const struct allow *a);

/* host: canonical. */
bool allow_name(const struct allow *a, const char *host, uint16_t port, struct error *err);
bool allow_address(const struct allow *a, const struct sockaddr *to, struct error *err);

#endif
