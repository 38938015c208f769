#include "proxy/ingress.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "nsm/digest.h"
#include "proxy/account.h"
#include "proxy/ingress_app.h"
#include "proxy/ingress_key.h"
#include "proxy/local.h"
#include "tls/tls_stream.h"

#define RETRY_MS 60000 /* for files that could not be used: they may be about to be replaced */

struct key {
	struct ingress *ingress;
	struct list link;
	struct ingress_key own;
	struct front *front;
	struct timer timer; /* until the next of its states */
	unsigned arriving;  /* handshakes */
	bool draining;
};

struct arrival {
	struct key *key;
	struct list link;
	struct tls *tls;
	struct timer timer;
};

struct ingress {
	struct loop *loop;
	struct ingress_config config;
	struct ingress_app *app; /* NULL: the proxy is served */
	struct listener *listener;
	struct list keys; /* the one in force first */
	struct list arrivals;
	bool paused;
	struct task look;
};

static struct key *in_force(const struct ingress *i)
{
	return container_of(i->keys.next, struct key, link);
}

/* ---- connections that go ---- */

static unsigned connections(const struct ingress *i)
{
	unsigned n = 0;
	for (struct list *it = i->keys.next; it != &i->keys; it = it->next) {
		const struct key *k = container_of(it, struct key, link);
		n += k->arriving + front_connections(k->front);
	}
	return n;
}

static void key_free(struct key *k)
{
	timer_stop(k->ingress->loop, &k->timer);
	list_remove(&k->link);
	front_free(k->front);
	tls_conf_free(k->own.tls);
	free(k);
}

static void on_look(struct task *t)
{
	struct ingress *i = container_of(t, struct ingress, look);
	LIST_EACH (it, &i->keys) {
		struct key *k = container_of(it, struct key, link);
		if (k != in_force(i) && k->draining && !k->arriving && !front_connections(k->front))
			key_free(k);
	}
	if (i->paused && i->listener && connections(i) < i->config.front.settings->limits.connections) {
		i->paused = false;
		listener_resume(i->listener);
	}
	i->config.front.on_closed(i->config.front.owner);
}

/* Something is about to go: look in a moment what follows from it. */
static void look(struct ingress *i)
{
	if (!task_posted(&i->look))
		loop_post(i->loop, &i->look, on_look);
}

/* ---- requests ---- */

/* The handshake has judged who the client is; the application may want to know it by its key. */
static void forward(struct ingress *i, struct exchange *x)
{
	struct tls_info info;
	bool told = i->config.front.settings->ingress.forward_client;
	if (told)
		tls_info(exchange_info(x)->client, &info);
	ingress_app_forward(i->app, x, told ? info.key_sha256 : NULL);
}

static void on_route(void *owner, struct exchange *x)
{
	struct key *k = owner;
	struct ingress *i = k->ingress;
	bool self = exchange_info(x)->target.kind == TARGET_SELF;
	if (self && local_path(x) == LOCAL_ATTESTATION)
		attest_reply(i->config.attest, x, k->own.sha256);
	else if (i->app)
		forward(i, x);
	else if (self)
		local_other(x);
	else
		i->config.front.route(i->config.front.owner, x);
}

static void on_closed(void *owner)
{
	struct key *k = owner;
	look(k->ingress);
}

static void on_app_done(void *owner, struct exchange *x)
{
	struct ingress *i = owner;
	account_exchange(exchange_info(x), i->config.front.metrics);
	front_done(x);
	attest_done(i->config.attest, x);
	look(i);
}

/* ---- keys ---- */

static void on_overlap_over(struct timer *t)
{
	struct key *k = container_of(t, struct key, timer);
	k->draining = true;
	front_drain(k->front);
	look(k->ingress);
}

static bool new_key(struct ingress *i, struct error *err);

static void on_rotate(struct timer *t)
{
	struct key *old = container_of(t, struct key, timer);
	struct ingress *i = old->ingress;
	const struct settings *s = i->config.front.settings;
	struct error err;
	bool good = new_key(i, &err);
	if (!good)
		log_write(LOG_ERROR, "ingress key", LOG_ERR(&err));
	if (in_force(i) != old)
		timer_start(i->loop, t, s->ingress.overlap, on_overlap_over);
	else
		timer_start(i->loop, t, good || s->ingress.rotate < RETRY_MS ? s->ingress.rotate : RETRY_MS,
			    on_rotate);
}

/* True also where the files hold the one that is in force. */
static bool new_key(struct ingress *i, struct error *err)
{
	const struct settings *s = i->config.front.settings;
	struct key *k = mem_zero(sizeof *k);
	struct front_config front = i->config.front;
	char hex[2 * HASH_SIZE + 1];
	k->ingress = i;
	front.route = on_route;
	front.on_closed = on_closed;
	front.owner = k;
	front.app = i->app != NULL;
	if (i->app)
		front.role = ingress_app_role(i->app);
	bool good = ingress_key_make(&k->own, s, err);
	bool same =
		good && !list_empty(&i->keys) && memcmp(k->own.chain, in_force(i)->own.chain, HASH_SIZE) == 0;
	k->front = good && !same ? front_new(i->loop, &front, err) : NULL;
	if (!k->front) {
		tls_conf_free(k->own.tls);
		free(k);
		return same;
	}
	list_prepend(&i->keys, &k->link);
	attest_set_key(i->config.attest, k->own.sha256);
	timer_start(i->loop, &k->timer, s->ingress.rotate, on_rotate);
	digest_to_hex(k->own.sha256, HASH_SIZE, hex);
	log_write(LOG_INFO, "ingress key", LOG_STR("sha256", hex),
		  LOG_STR("from", s->ingress.certificate[0] ? "file" : NULL));
	return true;
}

/* ---- connections that come ---- */

static void arrival_free(struct arrival *a)
{
	struct key *k = a->key;
	timer_stop(k->ingress->loop, &a->timer);
	list_remove(&a->link);
	k->arriving--;
	if (a->tls)
		tls_cancel(a->tls);
	look(k->ingress);
	free(a);
}

static void refused(struct ingress *i, struct error *err)
{
	err->hop = HOP_CLIENT;
	i->config.front.metrics->refused++;
	metrics_error(i->config.front.metrics, err);
	log_write(LOG_WARN, "connection refused", LOG_ERR(err));
}

static void on_secure(void *arg, struct stream *s, const struct error *err)
{
	struct arrival *a = arg;
	struct key *k = a->key;
	a->tls = NULL;
	if (err) {
		struct error why = *err;
		refused(k->ingress, &why);
	} else {
		front_accept(k->front, s);
	}
	arrival_free(a);
}

static void on_slow(struct timer *t)
{
	struct arrival *a = container_of(t, struct arrival, timer);
	struct error err;
	error_set(&err, ERR_TLS_TIMEOUT, "no TLS handshake from the client in time");
	refused(a->key->ingress, &err);
	arrival_free(a);
}

void ingress_accept(void *arg, struct stream *s)
{
	struct ingress *i = arg;
	struct key *k = in_force(i);
	struct arrival *a = mem_zero(sizeof *a);
	a->key = k;
	k->arriving++;
	list_append(&i->arrivals, &a->link);
	timer_start(i->loop, &a->timer, i->config.front.settings->timeouts.tls_handshake, on_slow);
	a->tls = tls_start(&(struct tls_start){.conf = k->own.tls, .lower = s}, on_secure, a);
	if (connections(i) < i->config.front.settings->limits.connections)
		return;
	i->paused = true;
	listener_pause(i->listener);
}

/* ---- life ---- */

void ingress_add(struct ingress *i, struct listener *li)
{
	i->listener = li;
}

struct ingress *ingress_new(struct loop *l, const struct ingress_config *config, struct error *err)
{
	const struct settings *s = config->front.settings;
	struct ingress *i = mem_zero(sizeof *i);
	bool good = true;
	i->loop = l;
	i->config = *config;
	list_init(&i->keys);
	list_init(&i->arrivals);
	if (s->ingress.app[0]) {
		i->app = ingress_app_new(
			l,
			&(struct ingress_app_config){
				.settings = s, .via = config->front.via, .on_done = on_app_done, .owner = i},
			err);
		good = i->app != NULL;
	}
	if (good && new_key(i, err))
		return i;
	ingress_free(i);
	return NULL;
}

static void stop_listening(struct ingress *i)
{
	if (i->listener)
		listener_stop(i->listener);
	i->listener = NULL;
}

void ingress_drain(struct ingress *i)
{
	stop_listening(i);
	LIST_EACH (it, &i->arrivals)
		arrival_free(container_of(it, struct arrival, link));
	LIST_EACH (it, &i->keys)
		front_drain(container_of(it, struct key, link)->front);
}

bool ingress_busy(const struct ingress *i)
{
	return i && (connections(i) || (i->app && ingress_app_busy(i->app)));
}

void ingress_free(struct ingress *i)
{
	if (!i)
		return;
	stop_listening(i);
	ingress_app_free(i->app);
	LIST_EACH (it, &i->arrivals)
		arrival_free(container_of(it, struct arrival, link));
	LIST_EACH (it, &i->keys)
		key_free(container_of(it, struct key, link));
	task_cancel(&i->look);
	free(i);
}
