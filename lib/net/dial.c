/*
 *	TCP name --resolve--> addresses --race--.
 *	anything else ----------connect----------+--> stream --hybrid: CONNECT/OK--> done
 */
#include "net/dial.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/connect.h"
#include "net/hybrid.h"
#include "net/race.h"
#include "net/resolve.h"

struct dial {
	struct loop *loop;
	struct address to;
	struct timer timer;
	/* what runs now; all NULL: the result is posted */
	struct resolve *resolve;
	struct race *race;
	struct connect *connect;
	struct hybrid *hybrid;
	struct task failing;
	struct error err;
	dial_fn *fn;
	void *arg;
};

static void stop(struct dial *d)
{
	timer_stop(d->loop, &d->timer);
	task_cancel(&d->failing);
	if (d->resolve)
		resolve_cancel(d->resolve);
	if (d->race)
		race_cancel(d->race);
	if (d->connect)
		connect_cancel(d->connect);
	if (d->hybrid)
		hybrid_cancel(d->hybrid);
	d->resolve = NULL;
	d->race = NULL;
	d->connect = NULL;
	d->hybrid = NULL;
}

void dial_cancel(struct dial *d)
{
	stop(d);
	free(d);
}

static void finish(struct dial *d, struct stream *s, const struct error *why)
{
	dial_fn *fn = d->fn;
	void *arg = d->arg;
	struct error err;
	if (why) {
		err = *why;
		error_wrap(&err, "cannot reach %s", d->to.text);
	}
	dial_cancel(d);
	fn(arg, s, why ? &err : NULL);
}

static void on_failing(struct task *t)
{
	struct dial *d = container_of(t, struct dial, failing);
	finish(d, NULL, &d->err);
}

static void on_timeout(struct timer *t)
{
	struct dial *d = container_of(t, struct dial, timer);
	stop(d);
	error_set(&d->err, ERR_CONNECT_TIMEOUT, "no connection in time");
	loop_post(d->loop, &d->failing, on_failing);
}

static void on_hybrid(void *arg, struct stream *s, const struct error *err)
{
	struct dial *d = arg;
	d->hybrid = NULL;
	finish(d, s, err);
}

static void on_connected(void *arg, struct stream *s, const struct error *err)
{
	struct dial *d = arg;
	d->connect = NULL;
	d->race = NULL;
	if (s && d->to.kind == ADDRESS_HYBRID)
		d->hybrid = hybrid_start(s, d->to.port, on_hybrid, d);
	else
		finish(d, s, err);
}

static void on_resolved(void *arg, const struct sockaddr_any *found, size_t count, const struct error *err)
{
	struct dial *d = arg;
	d->resolve = NULL;
	if (err)
		finish(d, NULL, err);
	else
		d->race = race_start(d->loop, found, count, d->to.text, on_connected, d);
}

struct dial *dial_start(struct loop *l, const struct address *to, uint64_t timeout_ms, dial_fn *fn, void *arg)
{
	struct dial *d = mem_zero(sizeof *d);
	d->loop = l;
	d->to = *to;
	d->fn = fn;
	d->arg = arg;
	timer_start(l, &d->timer, timeout_ms, on_timeout);
	struct sockaddr_any addr;
	if (socket_address(to, false, &addr))
		d->connect = connect_start(l, &addr, d->to.text, on_connected, d);
	else
		d->resolve = resolve_start(l, to->host, (uint16_t)to->port, on_resolved, d);
	return d;
}
