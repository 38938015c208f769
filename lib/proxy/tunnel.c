#include "proxy/tunnel.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proxy/tunnel_impl.h"

/* Half of the pipe pages that a user may have (pipe(7)): the rest is for others of the same user. */
#define PIPES 128

/* ---- admission ---- */

static unsigned room(void *owner)
{
	const struct tunnel *t = owner;
	uint64_t taken = t->stats->open + trunk_server_promised(t->trunks);
	return taken < t->most ? (unsigned)(t->most - taken) : 0;
}

static void admit(struct tunnel *t)
{
	bool full = room(t) == 0;
	for (size_t i = 0; i < t->listener_count; i++)
		if (full)
			listener_pause(t->listeners[i]);
		else
			listener_resume(t->listeners[i]);
}

static void check_drained(struct tunnel *t);

static void on_promise(void *owner)
{
	admit(owner);
	check_drained(owner);
}

/* ---- life ---- */

struct tunnel *tunnel_new(struct loop *l, const struct settings *s, struct crew *crew, struct error *err)
{
	struct tunnel *t = mem_zero(sizeof *t);
	t->loop = l;
	t->settings = s;
	t->pipes = splice_pool_new(PIPES);
	t->crew = crew;
	t->stats = &crew_figures(crew)->tunnel;
	t->most = crew_share(crew, s->limits.connections);
	t->most_of_one = crew_share(crew, s->limits.connections_per_target);
	list_init(&t->conns);
	struct trunk_server_config trunks = {.crew = crew,
					     .wire = TRUNK_TUNNEL,
					     .room = s->trunk ? room : NULL,
					     .answer_ms = s->timeouts.tunnel_request,
					     .on_strand = tunnel_accept,
					     .on_promise = on_promise,
					     .owner = t};
	t->trunks = trunk_server_new(l, &trunks);
	for (size_t i = 0; i < countof(t->targets); i++)
		list_init(&t->targets[i]);
	if (allow_init(&t->allow, &s->tunnel.allow, &s->tunnel.allow_cidr, err))
		return t;
	tunnel_free(t);
	return NULL;
}

static void stop_listening(struct tunnel *t)
{
	while (t->listener_count)
		listener_stop(t->listeners[--t->listener_count]);
}

void tunnel_free(struct tunnel *t)
{
	if (!t)
		return;
	stop_listening(t);
	t->on_drained = NULL;
	task_cancel(&t->drained);
	LIST_EACH (it, &t->conns)
		tunnel_conn_cut(tunnel_conn_of(it));
	trunk_server_free(t->trunks);
	splice_pool_free(t->pipes);
	allow_free(&t->allow);
	free(t);
}

void tunnel_add_listener(struct tunnel *t, struct listener *li)
{
	CHECK(t->listener_count < TUNNEL_LISTENERS);
	t->listeners[t->listener_count++] = li;
	allow_add_listener(&t->allow, &listener_address(li)->sa);
	if (room(t) == 0)
		listener_pause(li);
}

void tunnel_accept(void *arg, struct stream *s)
{
	struct tunnel *t = arg;
	t->stats->accepted++;
	t->stats->open++;
	crew_figures(t->crew)->connections++;
	tunnel_conn_new(t, s);
	admit(t);
}

void tunnel_conn_gone(struct tunnel *t)
{
	t->stats->open--;
	crew_figures(t->crew)->connections--;
	admit(t);
	check_drained(t);
}

static void on_drained(struct task *task)
{
	struct tunnel *t = container_of(task, struct tunnel, drained);
	t->on_drained(t->drained_arg);
}

static void check_drained(struct tunnel *t)
{
	if (t->on_drained && t->stats->open == 0 && !trunk_server_busy(t->trunks) &&
	    !task_posted(&t->drained))
		loop_post(t->loop, &t->drained, on_drained);
}

void tunnel_drain(struct tunnel *t, void (*done)(void *arg), void *arg)
{
	CHECK(!t->on_drained);
	stop_listening(t);
	trunk_server_drain(t->trunks);
	t->on_drained = done;
	t->drained_arg = arg;
	LIST_EACH (it, &t->conns)
		tunnel_conn_drain(tunnel_conn_of(it));
	check_drained(t);
}

/* ---- what there is to know ---- */

bool tunnel_allows_all(const struct tunnel *t)
{
	return allow_all_names(&t->allow);
}

const struct tunnel_stats *tunnel_stats(const struct tunnel *t)
{
	return t->stats;
}

void tunnel_status(const struct tunnel *t, struct buf *out)
{
	struct figures all;
	const struct tunnel_stats *s = &all.tunnel;
	uint64_t uptime = (monotonic_us() - crew_started_us(t->crew)) / 1000000;
	crew_total(t->crew, &all);
	const char *comma = "";
	buf_printf(out, "{\"status\":\"ok\",\"version\":\"%s\",\"uptime\":%" PRIu64 ",\"allow\":\"%s\"",
		   NP_VERSION, uptime, tunnel_allows_all(t) ? "everything" : "listed");
	buf_printf(out, ",\"workers\":%" PRIu64 ",\"restarts\":%" PRIu64, all.serving,
		   crew_care(t->crew)->restarts);
	buf_printf(out, ",\"open\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"connected\":%" PRIu64, s->open,
		   s->accepted, s->connected);
	buf_printf(out, ",\"bytes_up\":%" PRIu64 ",\"bytes_down\":%" PRIu64 ",\"errors\":{", s->bytes_up,
		   s->bytes_down);
	for (int kind = 1; kind < ERR_KINDS; kind++) {
		if (!s->errors[kind])
			continue;
		buf_printf(out, "%s\"%s\":%" PRIu64, comma, error_kind_name((enum error_kind)kind),
			   s->errors[kind]);
		comma = ",";
	}
	buf_add_text(out, "}}\n");
}
