#include "base/log.h"
#include "proxy/access.h"
#include "proxy/enclave_impl.h"

static void on_frame_request(void *owner, struct channel_server *c, uint64_t id, struct leg *leg,
			     struct part *part)
{
	struct enclave *e = owner;
	struct error err;
	(void)c;
	struct exchange *x = exchange_new(e->loop, &e->role, id, leg, part);
	if (front_target(x, e->settings, &e->via, &err)) {
		enclave_route(e, x);
		return;
	}
	err.hop = HOP_CLIENT;
	exchange_refuse(x, &err);
}

static void on_refused(void *owner, struct channel_server *c, const struct error *err)
{
	struct enclave *e = owner;
	(void)c;
	e->figures->metrics.refused++;
	metrics_error(&e->figures->metrics, err);
	log_write(LOG_WARN, "frames refused", LOG_ERR(err));
}

static unsigned room(void *owner)
{
	const struct enclave *e = owner;
	unsigned most = crew_share(e->crew, e->settings->limits.connections);
	unsigned taken = e->channels.count + trunk_server_promised(e->trunks);
	return taken < most ? most - taken : 0;
}

static void admit(struct enclave *e)
{
	if (!e->frames)
		return;
	if (room(e) == 0)
		listener_pause(e->frames);
	else
		listener_resume(e->frames);
}

static void on_promise(void *owner)
{
	admit(owner);
	enclave_check_drained(owner);
}

static void on_channel_closed(void *owner, struct channel_server *c)
{
	struct enclave *e = owner;
	(void)c;
	e->figures->connections--;
	enclave_check_drained(e);
	admit(e);
}

static void on_trunk(void *owner, struct stream *s, const struct trunk_hello *hello)
{
	struct enclave *e = owner;
	trunk_server_take(e->trunks, s, hello);
}

static void on_watch(void *owner, struct stream *s)
{
	struct enclave *e = owner;
	signals_out_watch(e->signals, s);
}

static void on_ping(void *owner)
{
	struct enclave *e = owner;
	enclave_status_ask(e->status);
}

void enclave_accept(void *arg, struct stream *s)
{
	struct enclave *e = arg;
	struct error err;
	if (!access_allows(e->settings, s, &err)) {
		on_refused(e, NULL, &err);
		stream_close(s);
		return;
	}
	e->figures->metrics.connections++;
	e->figures->connections++;
	channel_server_start(s, &e->channels);
	admit(e);
}

void enclave_add(struct enclave *e, struct listener *frames)
{
	e->frames = frames;
}

void enclave_channels_init(struct enclave *e)
{
	e->channels = (struct channel_server_config){
		/* The host adds to what its clients sent: a target with its scheme, and Via. */
		.limits = PARSE_LIMITS_MAX,	.on_request = on_frame_request,
		.on_refused = on_refused,	.on_ping = on_ping,
		.on_watch = on_watch,		.on_trunk = on_trunk,
		.on_closed = on_channel_closed, .owner = e};
	list_init(&e->channels.conns);
	const struct settings *s = e->settings;
	struct trunk_server_config trunks = {.crew = e->crew,
					     .wire = TRUNK_FRAMES,
					     .room = s->trunk ? room : NULL,
					     .answer_ms = s->timeouts.enclave_connect,
					     .on_strand = enclave_accept,
					     .on_promise = on_promise,
					     .owner = e};
	e->trunks = trunk_server_new(e->loop, &trunks);
}
