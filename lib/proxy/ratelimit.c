#include "proxy/ratelimit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/shared.h"
#include "net/ip.h"
#include "tls/hash.h"

/* Levels are in thousandths of a token, so that a millisecond's share of any rate is a whole number. */
#define TOKEN 1000

/* Places are told by number, for every process may have the table at another address. 0: none. */
typedef uint32_t place;

struct ratelimit_client {
	place newer, older; /* in the row of the idle, while nothing runs; of one that does: itself */
	place next;	    /* in its bucket */
	uint32_t running;   /* in all workers */
	uint64_t level, seen_ms;
	char key[RATELIMIT_KEY_MAX]; /* "" while the place was never taken */
};

/*
 * Shared by the workers:   table | clients, at[0] being the ends of the row of the idle | buckets | held
 *
 * held is what each worker has running of each client, so that what a worker held that died can be given
 * back.
 */
struct table {
	struct shared_lock lock;
	struct ratelimit_client at[];
};

struct ratelimit {
	uint64_t per_second, full; /* tokens; thousandths */
	uint32_t at_a_time, places, workers, mask, worker;
	uint8_t seed[HASH_SIZE];
	size_t size;
	struct table *table;		  /* owned, as far as this process has it */
	struct ratelimit_client *clients; /* [0] .. [places] in it */
	place *buckets;
	uint32_t *held; /* [worker][place] */
};

/* What stands in shared memory may be anything, if one of those who share it is not himself any more. */
static struct ratelimit_client *at(const struct ratelimit *r, place p)
{
	return &r->clients[p <= r->places ? p : 0];
}

/* ---- the row of the idle: quiet longest is the oldest ---- */

static void leave_row(struct ratelimit *r, place p)
{
	struct ratelimit_client *c = at(r, p);
	at(r, c->newer)->older = c->older;
	at(r, c->older)->newer = c->newer;
	c->newer = c->older = p;
}

static void join_row(struct ratelimit *r, place p)
{
	struct ratelimit_client *c = at(r, p), *ends = &r->clients[0];
	c->older = ends->older; /* the ends' older neighbour is the newest: it is a ring */
	c->newer = 0;
	at(r, c->older)->newer = p;
	ends->older = p;
}

static bool in_row(const struct ratelimit *r, place p)
{
	return at(r, p)->newer != p;
}

/* Keyed, so that nobody can choose addresses that fall into one bucket. */
static place *bucket_of(struct ratelimit *r, const char *key)
{
	struct span keyed[] = {{(const char *)r->seed, sizeof r->seed},
			       {key, strnlen(key, RATELIMIT_KEY_MAX)}};
	uint8_t hash[HASH_SIZE];
	uint32_t n;

	hash_sha256(keyed, countof(keyed), hash);
	memcpy(&n, hash, sizeof n);
	return &r->buckets[n & r->mask];
}

/* Rows and buckets from nothing but the clients and what each worker holds of them. */
static void build(struct ratelimit *r)
{
	r->clients[0] = (struct ratelimit_client){0};
	memset(r->buckets, 0, (r->mask + (size_t)1) * sizeof *r->buckets);
	for (place p = 1; p <= r->places; p++) {
		struct ratelimit_client *c = &r->clients[p];
		c->newer = c->older = p;
		c->running = 0;
		for (uint32_t w = 0; w < r->workers; w++)
			c->running += r->held[w * (size_t)(r->places + 1) + p];
		if (!c->running)
			join_row(r, p);
		c->key[RATELIMIT_KEY_MAX - 1] = '\0';
		if (!c->key[0])
			continue;
		place *bucket = bucket_of(r, c->key);
		c->next = *bucket;
		*bucket = p;
	}
}

/* Who died while he had the lock may have left anything between two clients, and the level of one. */
static void take_lock(struct ratelimit *r)
{
	if (shared_lock_take(&r->table->lock))
		return;
	for (place p = 1; p <= r->places; p++)
		if (r->clients[p].level > r->full)
			r->clients[p].level = r->full;
	build(r);
}

/* ---- life ---- */

struct ratelimit *ratelimit_new(const struct ratelimit_settings *s)
{
	struct ratelimit *r = mem_zero(sizeof *r);
	size_t buckets = 1;

	CHECK(s->clients > 0 && s->clients <= 1u << 24);
	while (buckets < s->clients)
		buckets *= 2;
	r->per_second = s->per_second;
	r->full = (uint64_t)(s->burst ? s->burst : s->per_second) * TOKEN;
	r->at_a_time = s->at_a_time;
	r->places = s->clients;
	r->workers = s->workers ? s->workers : 1;
	r->mask = (uint32_t)buckets - 1;
	hash_random_key(r->seed);
	size_t places = (size_t)r->places + 1;
	r->size = sizeof *r->table + places * sizeof *r->clients + buckets * sizeof *r->buckets +
		  r->workers * places * sizeof *r->held;
	r->table = shared_new(r->size);
	r->clients = r->table->at;
	r->buckets = (place *)(r->clients + places);
	r->held = r->buckets + buckets;
	build(r);
	return r;
}

void ratelimit_free(struct ratelimit *r)
{
	if (!r)
		return;
	shared_free(r->table, r->size);
	free(r);
}

static uint32_t *held_by(struct ratelimit *r, uint32_t worker)
{
	CHECK(worker < r->workers);
	return r->held + worker * (size_t)(r->places + 1);
}

void ratelimit_join(struct ratelimit *r, uint32_t worker)
{
	take_lock(r);
	memset(held_by(r, worker), 0, (r->places + (size_t)1) * sizeof *r->held);
	build(r);
	shared_lock_give(&r->table->lock);
	r->worker = worker;
}

void ratelimit_key(const struct stream_peer *peer, char out[RATELIMIT_KEY_MAX])
{
	struct span text = span_of(peer->address);
	const char *colon = memrchr(text.p, ':', text.n);
	struct ip_address ip;

	snprintf(out, RATELIMIT_KEY_MAX, "%s", peer->address);
	if (!colon)
		return;
	text.n = (size_t)(colon - text.p);
	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = (struct span){text.p + 1, text.n - 2};
	if (!ip_parse(text, &ip))
		return;
	if (ip.version == 6 && ip_classify(&ip) != IP_MAPPED)
		memset(ip.bytes + 8, 0, 8);
	char plain[IP_TEXT_MAX];
	ip_format(&ip, plain);
	snprintf(out, RATELIMIT_KEY_MAX, "%s%s", plain,
		 ip.version == 6 && ip_classify(&ip) != IP_MAPPED ? "/64" : "");
}

static void forget(struct ratelimit *r, place p)
{
	place *link = bucket_of(r, at(r, p)->key);

	while (*link != p && *link)
		link = &at(r, *link)->next;
	if (*link)
		*link = at(r, p)->next;
}

/* The client's place: its own, or that of who has been quiet longest. 0 when none is quiet. */
static place find(struct ratelimit *r, const char *key, uint64_t now_ms)
{
	place *bucket = bucket_of(r, key), p;

	for (p = *bucket; p; p = at(r, p)->next)
		if (strncmp(at(r, p)->key, key, RATELIMIT_KEY_MAX) == 0)
			return p <= r->places ? p : 0;
	p = r->clients[0].newer; /* behind the ends the ring begins with the oldest */
	if (!p || p > r->places)
		return 0;
	struct ratelimit_client *c = at(r, p);
	if (c->key[0])
		forget(r, p);
	snprintf(c->key, sizeof c->key, "%s", key);
	c->level = r->full;
	c->seen_ms = now_ms;
	c->next = *bucket;
	*bucket = p;
	return p;
}

static void refill(const struct ratelimit *r, struct ratelimit_client *c, uint64_t now_ms)
{
	if (now_ms <= c->seen_ms) /* another worker has read its clock later: what passed since is paid for */
		return;
	uint64_t passed = now_ms - c->seen_ms;

	c->seen_ms = now_ms;
	/* compared by division first: an idle month times a large rate need not fit */
	if (r->per_second && passed >= (r->full - c->level) / r->per_second + 1)
		c->level = r->full;
	else
		c->level += passed * r->per_second;
}

static place refuse(struct error *err, unsigned *retry_after, unsigned seconds, const char *why)
{
	*retry_after = seconds;
	error_set(err, ERR_RATE, "%s", why);
	return 0;
}

static place begin(struct ratelimit *r, const char *key, uint64_t now_ms, unsigned *retry_after,
		   struct error *err)
{
	place p = find(r, key, now_ms);
	struct ratelimit_client *c = &r->clients[p];

	if (!p)
		return refuse(err, retry_after, 1, "too many clients have requests running");
	if (in_row(r, p)) { /* asking is no quiet, even when it is refused */
		leave_row(r, p);
		join_row(r, p);
	}
	refill(r, c, now_ms);
	if (r->at_a_time && c->running >= r->at_a_time)
		return refuse(err, retry_after, 1, "this client has too many requests running");
	if (r->per_second && c->level < TOKEN) {
		uint64_t ms = (TOKEN - c->level + r->per_second - 1) / r->per_second;
		return refuse(err, retry_after, (unsigned)((ms + 999) / 1000),
			      "this client sends too many requests");
	}
	if (r->per_second)
		c->level -= TOKEN;
	held_by(r, r->worker)[p]++;
	if (c->running++ == 0)
		leave_row(r, p);
	return p;
}

struct ratelimit_client *ratelimit_begin(struct ratelimit *r, const char *key, uint64_t now_ms,
					 unsigned *retry_after, struct error *err)
{
	take_lock(r);
	place p = begin(r, key, now_ms, retry_after, err);
	shared_lock_give(&r->table->lock);
	return p ? &r->clients[p] : NULL;
}

void ratelimit_done(struct ratelimit *r, struct ratelimit_client *c)
{
	place p = (place)(c - r->clients);
	take_lock(r);
	CHECK(c->running > 0 && held_by(r, r->worker)[p] > 0);
	held_by(r, r->worker)[p]--;
	if (--c->running == 0)
		join_row(r, p);
	shared_lock_give(&r->table->lock);
}
