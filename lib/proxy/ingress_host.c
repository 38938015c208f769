#include "proxy/ingress_host.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/dial.h"
#include "net/relay.h"

struct passage {
	struct ingress_host *host;
	struct list link;
	struct stream *client; /* owned until it is relayed */
	struct dial *dial;
	struct relay *relay;
	uint64_t started;
};

struct ingress_host {
	struct loop *loop;
	const struct settings *settings;
	struct address enclave;
	struct listener *listener;
	struct list passages;
	bool paused;
	struct ingress_host_stats *stats; /* borrowed, from the crew */
	uint32_t most;
	void (*on_over)(void *owner);
	void *owner;
};

static void drop(struct passage *p)
{
	struct ingress_host *h = p->host;
	if (p->dial)
		dial_cancel(p->dial);
	if (p->relay)
		relay_cancel(p->relay);
	stream_close(p->client);
	list_remove(&p->link);
	free(p);
	h->stats->open--;
	if (h->paused && h->listener) {
		h->paused = false;
		listener_resume(h->listener);
	}
}

static void over(struct passage *p)
{
	struct ingress_host *h = p->host;
	drop(p);
	h->on_over(h->owner);
}

static void on_relayed(void *arg, const struct relay_result *r)
{
	struct passage *p = arg;
	struct ingress_host *h = p->host;
	p->relay = NULL;
	h->stats->up += r->a_to_b;
	h->stats->down += r->b_to_a;
	log_write(LOG_INFO, "ingress", LOG_UINT("up", r->a_to_b), LOG_UINT("down", r->b_to_a),
		  LOG_MS("ms", (loop_now(h->loop) - p->started) * 1000),
		  LOG_STR("error", r->err ? error_kind_name(r->err->kind) : NULL));
	over(p);
}

static void on_dialled(void *arg, struct stream *s, const struct error *err)
{
	struct passage *p = arg;
	struct ingress_host *h = p->host;
	p->dial = NULL;
	if (err) {
		h->stats->failed++;
		log_write(LOG_WARN, "ingress: the enclave is not reached", LOG_ERR(err));
		over(p);
		return;
	}
	struct stream *client = p->client;
	p->client = NULL;
	p->relay =
		relay_start(client, s, &(struct relay_options){.idle_ms = h->settings->timeouts.tunnel_idle},
			    on_relayed, p);
}

void ingress_host_accept(void *arg, struct stream *s)
{
	struct ingress_host *h = arg;
	struct passage *p = mem_zero(sizeof *p);
	p->host = h;
	p->client = s;
	p->started = loop_now(h->loop);
	list_append(&h->passages, &p->link);
	h->stats->accepted++;
	p->dial = dial_start(h->loop, &h->enclave, h->settings->timeouts.enclave_connect, on_dialled, p);
	if (++h->stats->open < h->most)
		return;
	h->paused = true;
	listener_pause(h->listener);
}

struct ingress_host *ingress_host_new(struct loop *l, const struct settings *s, struct crew *crew,
				      void (*on_over)(void *owner), void *owner, struct error *err)
{
	struct ingress_host *h = mem_zero(sizeof *h);
	*h = (struct ingress_host){.loop = l,
				   .settings = s,
				   .stats = &crew_figures(crew)->ingress,
				   .most = crew_share(crew, s->limits.connections),
				   .on_over = on_over,
				   .owner = owner};
	list_init(&h->passages);
	if (address_parse(s->ingress.enclave, &h->enclave, err))
		return h;
	free(h);
	return NULL;
}

void ingress_host_add(struct ingress_host *h, struct listener *li)
{
	h->listener = li;
}

void ingress_host_drain(struct ingress_host *h)
{
	if (h->listener)
		listener_stop(h->listener);
	h->listener = NULL;
}

uint64_t ingress_host_open(const struct ingress_host *h)
{
	return h->stats->open;
}

void ingress_host_free(struct ingress_host *h)
{
	if (!h)
		return;
	ingress_host_drain(h);
	LIST_EACH (it, &h->passages)
		drop(container_of(it, struct passage, link));
	free(h);
}
