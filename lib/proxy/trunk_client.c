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
#define TRUNKS_MAX  8 /* on their way out; meanwhile there is none */

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
	struct trunk *current; /* NULL: none; new strands are opened on this one */
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

static void on_lane(void *arg, struct stream *s, uint32_t strands, bool refused, const struct error *err)
{
	struct lane *lane = arg;
	(void)strands;
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
	if (t->current == k)
		t->current = NULL;
	free(k);
}

static void on_again(struct timer *timer);

static void later(struct trunk_client *t, uint64_t ms)
{
	if (!t->current)
		timer_start(t->loop, &t->again, ms, on_again);
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
	later(t, t->pause_ms);
}

static void on_up(void *arg, struct stream *s, uint32_t strands, bool refused, const struct error *err)
{
	struct trunk *k = arg;
	struct trunk_client *t = k->client;
	k->dial = NULL;
	if (err) {
		log_write(LOG_DEBUG, "no trunk", LOG_STR("to", t->config.to.text),
			  LOG_STR("detail", err->text));
		drop(k);
		later(t, refused ? REFUSED_MS : t->pause_ms);
		return;
	}
	unsigned most = strands < STRANDS_MAX ? strands : STRANDS_MAX;
	struct bundle_config config = {
		.side = BUNDLE_DIALS, .most = most, .on_bulk = on_bulk, .on_gone = on_gone, .owner = k};
	k->bundle = bundle_new(s, &config);
	t->config.stats->up++;
	t->pause_ms = AGAIN_MIN_MS;
	log_write(LOG_DEBUG, "trunk", LOG_STR("to", t->config.to.text), LOG_UINT("strands", most));
}

static void dial(struct trunk_client *t)
{
	struct trunk *k = mem_zero(sizeof *k);
	k->client = t;
	list_init(&k->lanes);
	list_append(&t->trunks, &k->link);
	t->current = k;
	CHECK(getrandom(k->hello.key, sizeof k->hello.key, 0) == sizeof k->hello.key);
	k->dial = trunk_hello_start(t->loop, &t->config.to, t->config.wire, &k->hello, t->config.connect_ms,
				    on_up, k);
}

static void on_again(struct timer *timer)
{
	struct trunk_client *t = container_of(timer, struct trunk_client, again);
	unsigned leaving = 0;
	LIST_EACH (it, &t->trunks)
		leaving++;
	if (leaving < TRUNKS_MAX) /* else again when one has gone */
		dial(t);
}

/* The bundle that strands are opened on; NULL: there is none. */
static struct bundle *current(struct trunk_client *t)
{
	struct trunk *k = t ? t->current : NULL;
	if (!k || !k->bundle)
		return NULL;
	if (!bundle_leaving(k->bundle))
		return k->bundle;
	t->current = NULL; /* it ends with its last strand, and meanwhile another is dialled */
	later(t, t->pause_ms);
	return NULL;
}

/* ---- what others ask ---- */

struct stream *trunk_client_open(struct trunk_client *t)
{
	struct bundle *b = current(t);
	return b ? bundle_open(b) : NULL;
}

bool trunk_client_outdates(struct trunk_client *t, const struct stream *s)
{
	if (bundle_carries(s))
		return bundle_leaves_with(s);
	struct bundle *b = current(t);
	return b && bundle_has_room(b);
}

void trunk_client_doubt(struct trunk_client *t)
{
	struct bundle *b = current(t);
	if (b)
		bundle_leave(b);
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
	t->loop = l;
	t->config = *config;
	t->pause_ms = AGAIN_MIN_MS;
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
