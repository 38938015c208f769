#include "proxy/tunnel_dial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/race.h"
#include "proxy/tunnel_impl.h"

struct tunnel_dial {
	struct tunnel *tunnel;
	struct tunnel_target *target; /* borrowed */
	struct timer timer;
	struct resolve *resolve; /* what runs now; the other one NULL */
	struct race *race;
	dial_fn *fn;
	void *arg;
};

/* ---- targets ---- */

void tunnel_target_init(struct tunnel_target *target, const char *host, enum hostname_type type,
			uint16_t port)
{
	*target = (struct tunnel_target){.type = type, .port = port};
	snprintf(target->host, sizeof target->host, "%s", host);
	snprintf(target->text, sizeof target->text, type == HOSTNAME_IPV6 ? "[%s]:%u" : "%s:%u", host, port);
}

void tunnel_target_free(struct tunnel_target *target)
{
	list_remove(&target->same);
}

static struct list *bucket_of(struct tunnel *t, const char *text)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (const char *p = text; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	return &t->targets[hash & (TUNNEL_BUCKETS - 1)];
}

static bool count_in(struct tunnel *t, struct tunnel_target *target, struct error *err)
{
	struct list *bucket = bucket_of(t, target->text);
	unsigned open = 0;
	LIST_EACH (it, bucket)
		open += strcmp(container_of(it, struct tunnel_target, same)->text, target->text) == 0;
	if (open >= t->most_of_one)
		return error_set(err, ERR_LIMIT, "%u connections to %.120s are open, which is the limit",
				 open, target->text);
	list_append(bucket, &target->same);
	return true;
}

/* ---- the ends ---- */

void tunnel_dial_cancel(struct tunnel_dial *d)
{
	timer_stop(d->tunnel->loop, &d->timer);
	if (d->resolve)
		resolve_cancel(d->resolve);
	if (d->race)
		race_cancel(d->race);
	free(d);
}

static void finish(struct tunnel_dial *d, struct stream *s, const struct error *err)
{
	dial_fn *fn = d->fn;
	void *arg = d->arg;
	tunnel_dial_cancel(d);
	fn(arg, s, err);
}

/*
 * Whose it is. That an address was tried in vain is the service's (RFC 9209 sections 2.3.8 to 2.3.14: "the
 * next hop"); all else is what the tunnel found before there was a next hop: the name server's no, too
 * (2.3.2: "the intermediary encountered a DNS error").
 */
static bool is_of_service(enum error_kind kind)
{
	return kind == ERR_REFUSED || kind == ERR_UNREACHABLE || kind == ERR_CONNECT_TIMEOUT ||
	       kind == ERR_RESET;
}

static void finish_failed(struct tunnel_dial *d, const struct error *why)
{
	struct error err = *why;
	err.hop = is_of_service(err.kind) ? HOP_SERVICE : HOP_TUNNEL;
	finish(d, NULL, &err);
}

/* ---- an address ---- */

static void on_connected(void *arg, struct stream *s, const struct error *err)
{
	struct tunnel_dial *d = arg;
	d->race = NULL;
	if (!err) {
		finish(d, s, NULL);
		return;
	}
	struct error failure = *err;
	error_wrap(&failure, "cannot connect to %.120s", d->target->text);
	finish_failed(d, &failure);
}

static void on_connect_timeout(struct timer *t)
{
	struct tunnel_dial *d = container_of(t, struct tunnel_dial, timer);
	struct error err;
	error_set(&err, ERR_CONNECT_TIMEOUT, "no address of %.120s answered within %" PRIu64 " ms",
		  d->target->text, d->tunnel->settings->timeouts.connect);
	finish_failed(d, &err);
}

static bool dial(struct tunnel_dial *d, const struct sockaddr_any *found, size_t count, struct error *err)
{
	struct tunnel *t = d->tunnel;
	struct sockaddr_any to[RESOLVE_MAX];
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		if (allow_address(&t->allow, &found[i].sa, err))
			to[n++] = found[i];
	if (n == 0)
		return error_wrap(err, "%.120s", d->target->text);
	timer_start(t->loop, &d->timer, t->settings->timeouts.connect, on_connect_timeout);
	d->race = race_start(t->loop, to, n, d->target->text, on_connected, d);
	return true;
}

/* ---- a name ---- */

static void on_resolved(void *arg, const struct sockaddr_any *found, size_t count, const struct error *err)
{
	struct tunnel_dial *d = arg;
	struct error denied;
	d->resolve = NULL;
	if (err)
		finish_failed(d, err);
	else if (!dial(d, found, count, &denied))
		finish_failed(d, &denied);
}

static void on_resolve_timeout(struct timer *t)
{
	struct tunnel_dial *d = container_of(t, struct tunnel_dial, timer);
	struct error err;
	error_set(&err, ERR_DNS_TIMEOUT, "'%.120s' was not resolved within %" PRIu64 " ms", d->target->host,
		  d->tunnel->settings->timeouts.dns);
	finish_failed(d, &err);
}

static bool find_addresses(struct tunnel_dial *d, struct error *err)
{
	struct tunnel *t = d->tunnel;
	struct tunnel_target *target = d->target;
	struct ip_address ip;
	struct sockaddr_storage sa;
	struct sockaddr_any to;
	if (target->type == HOSTNAME_DNS) {
		timer_start(t->loop, &d->timer, t->settings->timeouts.dns, on_resolve_timeout);
		d->resolve = resolve_start(t->loop, target->host, target->port, on_resolved, d);
		return true;
	}
	CHECK(ip_parse(span_of(target->host), &ip)); /* no thread is needed for that */
	to.len = ip_to_sockaddr(&ip, target->port, &sa);
	memcpy(&to.sa, &sa, to.len);
	return dial(d, &to, 1, err);
}

struct tunnel_dial *tunnel_dial_start(struct tunnel *t, struct tunnel_target *target, dial_fn *fn, void *arg,
				      struct error *err)
{
	if (!allow_name(&t->allow, target->host, target->port, err) || !count_in(t, target, err))
		return NULL;
	struct tunnel_dial *d = mem_zero(sizeof *d);
	*d = (struct tunnel_dial){.tunnel = t, .target = target, .fn = fn, .arg = arg};
	if (find_addresses(d, err))
		return d;
	tunnel_dial_cancel(d);
	return NULL;
}
