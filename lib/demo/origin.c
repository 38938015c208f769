#include "demo/origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "demo/origin_answer.h"
#include "http/server_conn.h"
#include "net/listener.h"
#include "tls/tls_stream.h"

#define HANDSHAKE_MS	10000
#define CONNECTIONS_MAX 4096 /* handshakes included */
#define DAYS		7    /* of the certificate */

struct origin {
	struct loop *loop;
	struct tls_conf *tls;
	struct listener *listener;
	struct server_conn_config conns;
	struct list arrivals, answers;
	unsigned arriving;
	uint64_t requests;
	bool paused;
	char authority[128]; /* "127.0.0.1:41234" */
};

/* A connection whose handshake goes on. */
struct arrival {
	struct origin *origin;
	struct list link;
	struct tls *tls;
	struct timer timer;
};

/* ---- connections ---- */

static void pause_or_go_on(struct origin *o)
{
	bool full = o->arriving + o->conns.count >= CONNECTIONS_MAX;
	if (full == o->paused)
		return;
	o->paused = full;
	if (full)
		listener_pause(o->listener);
	else
		listener_resume(o->listener);
}

static void drop_arrival(struct arrival *a)
{
	struct origin *o = a->origin;
	timer_stop(o->loop, &a->timer);
	if (a->tls)
		tls_cancel(a->tls);
	list_remove(&a->link);
	o->arriving--;
	free(a);
}

static void on_secure(void *arg, struct stream *s, const struct error *err)
{
	struct arrival *a = arg;
	struct origin *o = a->origin;
	a->tls = NULL;
	drop_arrival(a);
	if (!err)
		server_conn_start(s, &o->conns);
	pause_or_go_on(o);
}

static void on_handshake_timeout(struct timer *t)
{
	struct arrival *a = container_of(t, struct arrival, timer);
	struct origin *o = a->origin;
	drop_arrival(a);
	pause_or_go_on(o);
}

static void on_accept(void *arg, struct stream *s)
{
	struct origin *o = arg;
	struct arrival *a = mem_zero(sizeof *a);
	a->origin = o;
	list_append(&o->arrivals, &a->link);
	o->arriving++;
	timer_start(o->loop, &a->timer, HANDSHAKE_MS, on_handshake_timeout);
	a->tls = tls_start(&(struct tls_start){.conf = o->tls, .lower = s}, on_secure, a);
	pause_or_go_on(o);
}

static void on_request(void *owner, struct server_conn *c, struct leg *leg, struct part *part)
{
	struct origin *o = owner;
	(void)c;
	o->requests++;
	answer_start(o->loop, &o->answers, o->authority, leg, part);
}

static void on_refused(void *owner, struct server_conn *c, const struct error *err)
{
	(void)owner, (void)c, (void)err;
}

static void on_closed(void *owner, struct server_conn *c)
{
	struct origin *o = owner;
	(void)c;
	/* It still counts in conns.count; the next arrival or handshake looks again. */
	if (o->paused) {
		o->paused = false;
		listener_resume(o->listener);
	}
}

/* ---- life ---- */

static struct tls_conf *make_tls(const struct origin_options *options, struct error *err)
{
	struct buf chain, key;
	struct tls_conf *conf = NULL;
	buf_init(&chain, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	if (cert_issue(options->ca, options->names, time(NULL), DAYS, &chain, &key, err))
		conf = tls_conf_new(&(struct tls_options){.role = TLS_SERVER,
							  .chain_pem = buf_span(&chain),
							  .key_pem = buf_span(&key)},
				    err);
	if (key.n)
		mem_wipe(key.p, key.n);
	buf_free(&chain);
	buf_free(&key);
	return conf;
}

struct origin *origin_start(struct loop *l, const struct origin_options *options, struct error *err)
{
	struct address address;
	if (!address_parse(options->address, &address, err))
		return NULL;
	struct origin *o = mem_zero(sizeof *o);
	o->loop = l;
	list_init(&o->arrivals);
	list_init(&o->answers);
	o->conns = (struct server_conn_config){.limits = PARSE_LIMITS_MAX,
					       .header_ms = 10000,
					       .idle_ms = 60000,
					       .agent = ORIGIN_SERVER,
					       .on_request = on_request,
					       .on_refused = on_refused,
					       .on_closed = on_closed,
					       .owner = o};
	list_init(&o->conns.conns);
	o->tls = make_tls(options, err);
	o->listener = o->tls ? listener_start(l, &address, on_accept, o, err) : NULL;
	if (!o->listener) {
		origin_stop(o);
		return NULL;
	}
	snprintf(o->authority, sizeof o->authority, "%s", origin_address(o) + strlen("tcp:"));
	return o;
}

void origin_stop(struct origin *o)
{
	if (!o)
		return;
	answer_cut_all(&o->answers);
	LIST_EACH (it, &o->arrivals)
		drop_arrival(container_of(it, struct arrival, link));
	server_conn_close_all(&o->conns);
	if (o->listener)
		listener_stop(o->listener);
	tls_conf_free(o->tls);
	free(o);
}

const char *origin_address(const struct origin *o)
{
	return listener_name(o->listener);
}

unsigned origin_port(const struct origin *o)
{
	const char *colon = strrchr(origin_address(o), ':');
	return (unsigned)strtoul(colon + 1, NULL, 10);
}

uint64_t origin_requests(const struct origin *o)
{
	return o->requests;
}
