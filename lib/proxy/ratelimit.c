#include "proxy/ratelimit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/ip.h"
#include "tls/hash.h"

/* Levels are in thousandths of a token, so that a millisecond's share of any rate is a whole number. */
#define TOKEN 1000

struct ratelimit_client {
	struct list idle;	       /* in r->idle while nothing runs */
	struct ratelimit_client *next; /* in its bucket */
	uint64_t level, seen_ms;
	uint32_t running;
	char key[RATELIMIT_KEY_MAX]; /* "" while the place was never taken */
};

struct ratelimit {
	uint64_t per_second, full; /* tokens; thousandths */
	uint32_t at_a_time;
	uint8_t seed[HASH_SIZE];
	struct list idle;		   /* quiet longest first */
	struct ratelimit_client *clients;  /* owned */
	struct ratelimit_client **buckets; /* owned */
	uint32_t mask;
};

struct ratelimit *ratelimit_new(const struct ratelimit_settings *s)
{
	struct ratelimit *r = mem_zero(sizeof *r);
	uint32_t buckets = 1;

	CHECK(s->clients > 0 && s->clients <= 1u << 24);
	while (buckets < s->clients)
		buckets *= 2;
	r->per_second = s->per_second;
	r->full = (uint64_t)(s->burst ? s->burst : s->per_second) * TOKEN;
	r->at_a_time = s->at_a_time;
	r->mask = buckets - 1;
	hash_random_key(r->seed);
	list_init(&r->idle);
	r->clients = mem_zero(s->clients * sizeof *r->clients);
	r->buckets = mem_zero(buckets * sizeof(*r->buckets));
	for (uint32_t i = 0; i < s->clients; i++)
		list_append(&r->idle, &r->clients[i].idle);
	return r;
}

void ratelimit_free(struct ratelimit *r)
{
	if (!r)
		return;
	free(r->clients);
	free(r->buckets);
	free(r);
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

/* Keyed, so that nobody can choose addresses that fall into one bucket. */
static struct ratelimit_client **bucket_of(struct ratelimit *r, const char *key)
{
	struct span keyed[] = {{(const char *)r->seed, sizeof r->seed}, span_of(key)};
	uint8_t hash[HASH_SIZE];
	uint32_t n;

	hash_sha256(keyed, countof(keyed), hash);
	memcpy(&n, hash, sizeof n);
	return &r->buckets[n & r->mask];
}

static void forget(struct ratelimit *r, struct ratelimit_client *c)
{
	struct ratelimit_client **at = bucket_of(r, c->key);

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

/* The client's place: its own, or that of who has been quiet longest. NULL when none is quiet. */
static struct ratelimit_client *find(struct ratelimit *r, const char *key, uint64_t now_ms)
{
	struct ratelimit_client **bucket = bucket_of(r, key), *c;

	for (c = *bucket; c; c = c->next)
		if (strcmp(c->key, key) == 0)
			return c;
	if (list_empty(&r->idle))
		return NULL;
	c = container_of(r->idle.next, struct ratelimit_client, idle);
	if (c->key[0])
		forget(r, c);
	snprintf(c->key, sizeof c->key, "%s", key);
	c->level = r->full;
	c->seen_ms = now_ms;
	c->next = *bucket;
	*bucket = c;
	return c;
}

static void refill(const struct ratelimit *r, struct ratelimit_client *c, uint64_t now_ms)
{
	uint64_t passed = now_ms > c->seen_ms ? now_ms - c->seen_ms : 0;

	c->seen_ms = now_ms;
	/* compared by division first: an idle month times a large rate need not fit */
	if (r->per_second && passed >= (r->full - c->level) / r->per_second + 1)
		c->level = r->full;
	else
		c->level += passed * r->per_second;
}

static struct ratelimit_client *refuse(struct error *err, unsigned *retry_after, unsigned seconds,
				       const char *why)
{
	*retry_after = seconds;
	error_set(err, ERR_RATE, "%s", why);
	return NULL;
}

struct ratelimit_client *ratelimit_begin(struct ratelimit *r, const char *key, uint64_t now_ms,
					 unsigned *retry_after, struct error *err)
{
	struct ratelimit_client *c = find(r, key, now_ms);

	if (!c)
		return refuse(err, retry_after, 1, "too many clients have requests running");
	if (list_linked(&c->idle)) { /* asking is no quiet, even when it is refused */
		list_remove(&c->idle);
		list_append(&r->idle, &c->idle);
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
	c->running++;
	list_remove(&c->idle);
	return c;
}

void ratelimit_done(struct ratelimit *r, struct ratelimit_client *c)
{
	CHECK(c->running > 0);
	if (--c->running == 0)
		list_append(&r->idle, &c->idle);
}
