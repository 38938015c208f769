#include "proxy/trunk_client.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/bundle.h"
#include "proxy/trunk_hello.h"

/* Before the next try: nobody was there; they do not want to. */
#define AGAIN_MIN_MS 100
#define AGAIN_MAX_MS 5000
#define REFUSED_MS   30000

/* Whatever the other side says, and however long it keeps what we have closed. */
#define STRANDS_MAX 8192
#define TRUNKS_MAX  24 /* those on their way out, too; meanwhile there are fewer.. */
#define WANTED_MAX  16 /* ..than these */

/* One trunk: being dialled, up, or on its way out. */
struct trunk {
	struct trunk_client *client;
	struct list link;	     /* in client->trunks */
	struct trunk_hello hello;    /* its key */
	struct trunk_hello_op *dial; /* NULL: up */
	struct bundle *bundle;	     /* owned */
	struct list lanes;
};

/* A lane on its way. */
struct lane {
	struct trunk *trunk;
	struct list link;
	uint32_t strand;
	struct trunk_hello_op *dial;
};

struct trunk_client {
	struct loop *loop;
	struct trunk_client_config config;
	struct list trunks;
	unsigned wanted; /* at a time, those on their way out not counted */
	struct timer again;
	uint64_t pause_ms;
};

/* ---- lanes ---- */

static void drop_lane(struct lane *lane)
{
	if (lane->dial)
		trunk_hello_cancel(lane->dial);
	list_remove(&lane->link);
	free(lane);
}

static void on_lane(void *arg, struct stream *s, const struct trunk_offer *offer, bool refused,
		    const struct error *err)
{
	struct lane *lane = arg;
	(void)offer;
	(void)refused;
	lane->dial = NULL;
	struct trunk *k = lane->trunk;
	if (err)
		bundle_no_lane(k->bundle, lane->strand);
	else if (bundle_give_lane(k->bundle, lane->strand, s))
		k->client->config.stats->lanes++;
	drop_lane(lane);
}

static void on_bulk(void *owner, struct bundle *b, uint32_t id)
{
	struct trunk *k = owner;
	struct trunk_client *t = k->client;
	(void)b;
	if (t->config.to.kind == ADDRESS_HYBRID) /* a half-close would be a full one there */
		return;				 /* the strand stays where it is: slower, but whole */
	struct lane *lane = mem_zero(sizeof *lane);
	struct trunk_hello hello = k->hello;
	hello.strand = id;
	*lane = (struct lane){.trunk = k, .strand = id};
	list_append(&k->lanes, &lane->link);
	lane->dial = trunk_hello_start(t->loop, &t->config.to, t->config.wire, &hello, t->config.connect_ms,
				       on_lane, lane);
}

/* ---- trunks ---- */

static void drop(struct trunk *k)
{
	struct trunk_client *t = k->client;
	LIST_EACH (it, &k->lanes)
		drop_lane(container_of(it, struct lane, link));
	if (k->dial)
		trunk_hello_cancel(k->dial);
	if (k->bundle)
		t->config.stats->up--;
	bundle_free(k->bundle);
	list_remove(&k->link);
	free(k);
}

/* It is up and on no way out, or about to be. */
static bool counts(const struct trunk *k)
{
	return k->dial || !bundle_leaving(k->bundle);
}

static bool enough(const struct trunk_client *t)
{
	unsigned n = 0;
	LIST_EACH (it, &t->trunks)
		n += counts(container_of(it, struct trunk, link));
	return n >= t->wanted;
}

static void on_again(struct timer *timer);

/* False: there are enough, or one is about to be dialled already. */
static bool later(struct trunk_client *t, uint64_t ms)
{
	if (enough(t) || timer_active(&t->again))
		return false;
	timer_start(t->loop, &t->again, ms, on_again);
	return true;
}

/* Longer each time. */
static void after_a_pause(struct trunk_client *t)
{
	if (later(t, t->pause_ms))
		t->pause_ms = t->pause_ms * 2 < AGAIN_MAX_MS ? t->pause_ms * 2 : AGAIN_MAX_MS;
}

static void on_gone(void *owner, struct bundle *b, const struct error *err)
{
	struct trunk *k = owner;
	struct trunk_client *t = k->client;
	(void)b;
	log_write(err ? LOG_WARN : LOG_DEBUG, "trunk ended", LOG_STR("to", k->client->config.to.text),
		  LOG_STR("detail", err ? err->text : NULL));
	t->config.stats->lost += err != NULL;
	t->config.stats->up--;
	k->bundle = NULL;
	drop(k);
	after_a_pause(t);
}

/* One for each of them, from all of us together. */
static unsigned wanted(const struct trunk_client *t, uint32_t workers)
{
	unsigned of_us = t->config.workers, n = workers / of_us + (workers % of_us != 0);
	return n < 1 ? 1 : n < WANTED_MAX ? n : WANTED_MAX;
}

static void on_up(void *arg, struct stream *s, const struct trunk_offer *offer, bool refused,
		  const struct error *err)
{
	struct trunk *k = arg;
	struct trunk_client *t = k->client;
	k->dial = NULL;
	if (err) {
		log_write(LOG_DEBUG, "no trunk", LOG_STR("to", t->config.to.text),
			  LOG_STR("detail", err->text));
		drop(k);
		if (refused)
			later(t, REFUSED_MS);
		else
			after_a_pause(t);
		return;
	}
	unsigned most = offer->strands < STRANDS_MAX ? offer->strands : STRANDS_MAX;
	struct bundle_config config = {
		.side = BUNDLE_DIALS, .most = most, .on_bulk = on_bulk, .on_gone = on_gone, .owner = k};
	k->bundle = bundle_new(s, &config);
	t->config.stats->up++;
	t->pause_ms = AGAIN_MIN_MS;
	t->wanted = wanted(t, offer->workers);
	later(t, 0);
	log_write(LOG_DEBUG, "trunk", LOG_STR("to", t->config.to.text), LOG_UINT("strands", most));
}

static void dial(struct trunk_client *t)
{
	struct trunk *k = mem_zero(sizeof *k);
	k->client = t;
	list_init(&k->lanes);
	list_append(&t->trunks, &k->link);
	CHECK(getrandom(k->hello.key, sizeof k->hello.key, 0) == sizeof k->hello.key);
	k->dial = trunk_hello_start(t->loop, &t->config.to, t->config.wire, &k->hello, t->config.connect_ms,
				    on_up, k);
}

static void on_again(struct timer *timer)
{
	struct trunk_client *t = container_of(timer, struct trunk_client, again);
	unsigned n = 0;
	LIST_EACH (it, &t->trunks)
		n++;
	if (n < TRUNKS_MAX && !enough(t)) /* else again when one has gone */
		dial(t);
}

/* Where the fewest strands are, and one more may be; NULL: nowhere. */
static struct bundle *least_busy(const struct trunk_client *t)
{
	struct bundle *best = NULL;
	LIST_EACH (it, &t->trunks) {
		struct bundle *b = container_of(it, struct trunk, link)->bundle;
		if (b && bundle_has_room(b) && (!best || bundle_count(b) < bundle_count(best)))
			best = b;
	}
	return best;
}

/* ---- what others ask ---- */

struct stream *trunk_client_open(struct trunk_client *t)
{
	if (!t)
		return NULL;
	after_a_pause(t); /* one may be on its way out, and ends with its last strand */
	struct bundle *b = least_busy(t);
	return b ? bundle_open(b) : NULL;
}

bool trunk_client_outdates(struct trunk_client *t, const struct stream *s)
{
	if (bundle_carries(s))
		return bundle_leaves_with(s);
	return t && least_busy(t);
}

void trunk_client_doubt(struct trunk_client *t, const struct stream *s)
{
	if (!t || !s)
		return;
	LIST_EACH (it, &t->trunks) {
		struct bundle *b = container_of(it, struct trunk, link)->bundle;
		if (b && bundle_has(b, s))
			bundle_leave(b);
	}
}

void trunk_metrics(const struct trunk_stats *s, const char *role, struct buf *out)
{
	metrics_line(out, role, "gauge", "trunk_up",
		     "Trunks to the next process: exchanges share that connection.", s->up);
	metrics_line(out, role, "counter", "trunk_lost_total", "Trunks that broke.", s->lost);
	metrics_line(out, role, "counter", "trunk_lanes_total",
		     "Bulk that was moved from the trunk to a connection of its own.", s->lanes);
}

struct trunk_client *trunk_client_new(struct loop *l, const struct trunk_client_config *config)
{
	struct trunk_client *t = mem_zero(sizeof *t);
	CHECK(config->workers > 0);
	t->loop = l;
	t->config = *config;
	t->pause_ms = AGAIN_MIN_MS;
	t->wanted = 1;
	list_init(&t->trunks);
	dial(t);
	return t;
}

void trunk_client_free(struct trunk_client *t)
{
	if (!t)
		return;
	timer_stop(t->loop, &t->again);
	LIST_EACH (it, &t->trunks)
		drop(container_of(it, struct trunk, link));
	free(t);
}
