/* The targets that have connections: one entry each, there as long as somebody holds or keeps it. */
#ifndef PROXY_TARGET_MAP_H
#define PROXY_TARGET_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "net/hostname.h"

struct target_entry {
	struct target_entry *next; /* in its bucket */
	unsigned users;		   /* connections: being opened, in use or idle */
	unsigned idle_count;
	struct list idle; /* whoever pools puts its connections here */
	/* what upstream_ahead.c knows of it */
	struct opening *ahead; /* borrowed; nobody waits for it yet */
	uint64_t short_until;  /* ms; it has had too few connections */
	struct list paused;    /* in upstream->paused */
	uint64_t paused_until; /* ms */
	bool kept;
	uint16_t port;
	bool https;
	char host[]; /* canonical */
};

struct target_map;

struct target_map *target_map_new(void);
void target_map_free(struct target_map *m); /* empty */
struct target_entry *target_map_find(struct target_map *m, const char *host, uint16_t port, bool https);
/* Finds or makes it, and counts one user more. */
struct target_entry *target_map_hold(struct target_map *m, const char *host, uint16_t port, bool https);
/* One user less; with the last one the entry goes, unless it is kept. */
void target_map_release(struct target_map *m, struct target_entry *e);
/* It stays without users, for what is known of it. */
void target_map_keep(struct target_entry *e);
void target_map_unkeep(struct target_map *m, struct target_entry *e);

#endif
