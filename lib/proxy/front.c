#include "proxy/front.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/server_conn.h"
#include "proxy/access.h"
#include "proxy/auth.h"

#define LISTENERS_MAX 8

struct front {
	struct loop *loop;
	struct front_config config;
	struct server_conn_config conns;
	struct listener *listeners[LISTENERS_MAX];
	size_t listener_count;
	bool draining;
	struct auth *auth; /* NULL: nobody has to say who he is */
	uint32_t most;	   /* connections */
};

/* What an exchange holds at its front; exchange_info.tag. */
struct visit {
	struct front *front;
	struct ratelimit_client *client;
	struct checking *checking;
};

/* A password being hashed in a thread. It may outlive its exchange. */
struct checking {
	struct front *front;
	struct exchange *x; /* NULL: it has gone */
	struct auth_try try;
};

uint64_t front_new_id(void)
{
	static _Thread_local uint64_t start, count;
	if (!start && getrandom(&start, sizeof start, 0) != sizeof start)
		start = monotonic_us();
	/* An odd factor walks through all 64-bit numbers, none twice. */
	return start + ++count * 0x9e3779b97f4a7c15u;
}

/* ---- the request ---- */

bool front_target(struct exchange *x, const struct settings *s, const struct via *via, struct error *err)
{
	struct exchange_info *info = exchange_info(x);
	return hop_check_loop(info->request, via, err) &&
	       target_of(info->request, s->limits.url_length, &info->target, err);
}

/* What an application is asked: whatever form the target has, it is its own. */
static bool app_target(struct exchange *x, const struct via *via, struct error *err)
{
	struct exchange_info *info = exchange_info(x);
	if (head_method_is(info->request, "CONNECT"))
		return error_set(err, ERR_METHOD, "here answers an application, which is no proxy");
	info->target = (struct target){.kind = TARGET_SELF, .path = info->request->target};
	return hop_check_loop(info->request, via, err);
}

static void refuse(struct exchange *x, struct error *err)
{
	err->hop = HOP_CLIENT;
	exchange_refuse(x, err);
}

static void admitted(struct front *f, struct exchange *x)
{
	struct error err;
	bool good = f->config.app ? app_target(x, f->config.via, &err)
				  : front_target(x, f->config.settings, f->config.via, &err);
	if (good)
		f->config.route(f->config.owner, x);
	else
		refuse(x, &err);
}

static void on_check_work(void *arg)
{
	struct checking *c = arg;
	auth_work(&c->try);
}

static void on_checked(void *arg)
{
	struct checking *c = arg;
	struct exchange *x = c->x;
	struct front *f = c->front;
	struct error err;
	if (!x) { /* and maybe the front, too */
		mem_wipe(c, sizeof *c);
		free(c);
		return;
	}
	bool ok = auth_end(f->auth, &c->try, &err);
	free(c);
	((struct visit *)exchange_info(x)->tag)->checking = NULL;
	if (ok)
		admitted(f, x);
	else
		refuse(x, &err);
}

static void check_credentials(struct front *f, struct exchange *x, struct visit *visit)
{
	const struct field *field = head_find(exchange_info(x)->request, "Proxy-Authorization");
	struct checking *c = mem_zero(sizeof *c);
	struct error err;
	enum auth_answer answer =
		auth_begin(f->auth, field ? field->value : (struct span){NULL, 0}, &c->try, &err);
	if (answer == AUTH_WORK) {
		c->front = f; /* one by one: no copy of the password on the stack */
		c->x = x;
		visit->checking = c;
		job_start(f->loop, on_check_work, on_checked, c);
		return;
	}
	free(c);
	if (answer == AUTH_YES)
		admitted(f, x);
	else
		refuse(x, &err);
}

/*
 * Whoever runs the machine is told how things are, be it busy or closed to others: `host --health` knows no password,
 * and Prometheus cannot send Proxy-Authorization. These paths, exactly, and from this machine.
 */
static bool is_probe(const struct front *f, const struct head *h, const struct stream *from)
{
	struct stream_peer peer;
	if (f->config.app || !head_method_is(h, "GET") || head_count(h, "X-Target-URL") ||
	    !(span_is(h->target, SPAN("/health")) || span_is(h->target, SPAN("/health/live")) ||
	      span_is(h->target, SPAN("/metrics"))))
		return false;
	stream_peer(from, &peer);
	const char *transport = stream_transport(from);
	return peer.loopback || (transport && strcmp(transport, "unix") == 0);
}

static void on_request(void *owner, struct server_conn *conn, struct leg *leg, struct part *part)
{
	struct front *f = owner;
	struct exchange *x = exchange_new(f->loop, f->config.role, front_new_id(), leg, part);
	struct exchange_info *info = exchange_info(x);
	info->client = server_conn_stream(conn);
	struct ratelimit *clients = f->config.crew->clients;
	if ((!f->auth && !clients) || is_probe(f, info->request, info->client)) {
		admitted(f, x);
		return;
	}
	struct visit *visit = info->tag = mem_zero(sizeof *visit);
	visit->front = f;
	struct error err;
	if (clients) {
		char key[RATELIMIT_KEY_MAX];
		struct stream_peer peer;
		stream_peer(server_conn_stream(conn), &peer);
		ratelimit_key(&peer, key);
		visit->client = ratelimit_begin(clients, key, loop_now(f->loop), &info->retry_after, &err);
		if (!visit->client) {
			refuse(x, &err);
			return;
		}
	}
	if (f->auth)
		check_credentials(f, x, visit);
	else
		admitted(f, x);
}

void front_done(struct exchange *x)
{
	struct visit *visit = exchange_info(x)->tag;
	if (!visit)
		return;
	if (visit->client)
		ratelimit_done(visit->front->config.crew->clients, visit->client);
	if (visit->checking)
		visit->checking->x = NULL;
	free(visit);
	exchange_info(x)->tag = NULL;
}

static void on_refused(void *owner, struct server_conn *conn, const struct error *err)
{
	struct front *f = owner;
	(void)conn;
	f->config.metrics->refused++;
	metrics_error(f->config.metrics, err);
	log_write(LOG_WARN, "request refused", LOG_ERR(err));
}

/* ---- connections ---- */

static bool is_full(const struct front *f)
{
	return f->conns.count >= f->most;
}

static void on_closed(void *owner, struct server_conn *conn)
{
	struct front *f = owner;
	(void)conn;
	crew_figures(f->config.crew)->connections--;
	f->config.on_closed(f->config.owner);
	for (size_t i = 0; i < f->listener_count; i++)
		listener_resume(f->listeners[i]);
}

void front_accept(void *arg, struct stream *s)
{
	struct front *f = arg;
	struct error err;
	if (f->draining) {
		stream_close(s);
		return;
	}
	if (!access_allows(f->config.settings, s, &err)) {
		f->config.metrics->refused++;
		metrics_error(f->config.metrics, &err);
		log_write(LOG_WARN, "connection refused", LOG_ERR(&err));
		stream_close(s);
		return;
	}
	f->config.metrics->connections++;
	crew_figures(f->config.crew)->connections++;
	server_conn_start(s, &f->conns);
	if (!is_full(f))
		return;
	for (size_t i = 0; i < f->listener_count; i++)
		listener_pause(f->listeners[i]);
}

/* ---- life ---- */

struct front *front_new(struct loop *l, const struct front_config *config, struct error *err)
{
	const struct settings *s = config->settings;
	struct front *f = mem_zero(sizeof *f);
	f->loop = l;
	f->config = *config;
	f->most = crew_share(config->crew, s->limits.connections);
	f->conns = (struct server_conn_config){.limits = {.head_bytes = s->limits.header_bytes,
							  .fields = s->limits.header_count,
							  .target_bytes = s->limits.url_length},
					       .header_ms = s->timeouts.client_header,
					       .idle_ms = s->timeouts.client_idle,
					       .agent = config->role->agent,
					       .on_request = on_request,
					       .on_refused = on_refused,
					       .on_closed = on_closed,
					       .owner = f};
	list_init(&f->conns.conns);
	if (s->access.auth.count && !config->app) {
		f->auth = auth_new(&s->access.auth, err);
		if (!f->auth) {
			front_free(f);
			return NULL;
		}
	}
	return f;
}

void front_add(struct front *f, struct listener *li)
{
	CHECK(f->listener_count < LISTENERS_MAX);
	f->listeners[f->listener_count++] = li;
}

unsigned front_connections(const struct front *f)
{
	return f->conns.count;
}

static void stop_listening(struct front *f)
{
	for (size_t i = 0; i < f->listener_count; i++)
		listener_stop(f->listeners[i]);
	f->listener_count = 0;
}

void front_drain(struct front *f)
{
	f->draining = true;
	stop_listening(f);
	server_conn_drain_all(&f->conns);
}

void front_free(struct front *f)
{
	if (!f)
		return;
	stop_listening(f);
	server_conn_close_all(&f->conns);
	auth_free(f->auth);
	free(f);
}
