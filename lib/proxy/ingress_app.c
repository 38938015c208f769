#include "proxy/ingress_app.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/client_conn.h"
#include "net/dial.h"
#include "nsm/digest.h"

#define AGENT	   "nitroproxy-ingress"
#define CONNECT_MS 5000
#define CLIENT_KEY "X-Nitroproxy-Client-Key"

struct ingress_app {
	struct loop *loop;
	struct ingress_app_config config;
	struct address address;
	struct parse_limits limits;
	struct exchange_role role;
};

/* A connection that is being made. */
struct reaching {
	struct ingress_app *app;
	struct dial *dial;
	exchange_open_fn *fn;
	void *arg;
};

/* ---- connections ---- */

static void on_over(void *owner, struct client_conn *http)
{
	(void)owner;
	client_conn_free(http);
}

static void on_dialled(void *arg, struct stream *s, const struct error *err)
{
	struct reaching r = *(struct reaching *)arg;
	free(arg);
	if (err) {
		r.fn(r.arg, NULL, false, err);
		return;
	}
	struct client_conn_events events = {.on_idle = on_over, .on_dead = on_over};
	struct client_conn *http = client_conn_new(s, &r.app->limits, &events);
	r.fn(r.arg, client_conn_leg(http), false, NULL);
}

static void *on_open(void *owner, struct exchange *x, bool fresh, exchange_open_fn *fn, void *arg)
{
	struct ingress_app *a = owner;
	struct reaching *r = mem_zero(sizeof *r);
	(void)x;
	(void)fresh;
	*r = (struct reaching){.app = a, .fn = fn, .arg = arg};
	r->dial = dial_start(a->loop, &a->address, CONNECT_MS, on_dialled, r);
	return r;
}

static void on_cancel(void *owner, void *opening)
{
	struct reaching *r = opening;
	(void)owner;
	dial_cancel(r->dial);
	free(r);
}

/* ---- heads ---- */

static bool on_response(void *owner, struct exchange *x, struct head *h, struct error *err)
{
	struct ingress_app *a = owner;
	if (h->status == 101 && !exchange_info(x)->request->upgrade)
		return error_set(err, ERR_UPGRADE,
				 "the application switched protocols without being asked to");
	hop_clean(h, a->config.via);
	return true;
}

/* What this process vouches for must not come from anybody else. */
static bool add_ours(struct exchange *x, const uint8_t *client_key)
{
	struct head *h = exchange_info(x)->request;
	struct buf *text = exchange_text(x);
	char hex[2 * SHA256_SIZE + 1];
	head_remove(h, "X-Forwarded-Proto");
	head_remove(h, CLIENT_KEY);
	if (!head_add(h, SPAN("X-Forwarded-Proto"), SPAN("https")))
		return false;
	if (!client_key)
		return true;
	digest_to_hex(client_key, SHA256_SIZE, hex);
	return buf_add_text(text, hex) && head_add(h, SPAN(CLIENT_KEY), buf_span(text));
}

void ingress_app_forward(struct ingress_app *a, struct exchange *x, const uint8_t *client_key)
{
	struct error err;
	hop_clean(exchange_info(x)->request, a->config.via);
	if (add_ours(x, client_key)) {
		exchange_forward(x);
		return;
	}
	error_set_hop(&err, ERR_HEAD_SIZE, HOP_CLIENT, "the request has too many fields");
	exchange_refuse(x, &err);
}

/* ---- life ---- */

static void on_done(void *owner, struct exchange *x)
{
	struct ingress_app *a = owner;
	a->config.on_done(a->config.owner, x);
}

struct ingress_app *ingress_app_new(struct loop *l, const struct ingress_app_config *config,
				    struct error *err)
{
	const struct settings *s = config->settings;
	struct ingress_app *a = mem_zero(sizeof *a);
	a->loop = l;
	a->config = *config;
	a->limits = PARSE_LIMITS_MAX;
	a->role = (struct exchange_role){.agent = AGENT,
					 .self = HOP_ENCLAVE,
					 .next = HOP_SERVICE,
					 .ms = exchange_ms(s),
					 .open = on_open,
					 .cancel = on_cancel,
					 .on_response = on_response,
					 .on_done = on_done,
					 .owner = a};
	list_init(&a->role.running);
	if (address_parse(s->ingress.app, &a->address, err))
		return a;
	free(a);
	return NULL;
}

struct exchange_role *ingress_app_role(struct ingress_app *a)
{
	return &a->role;
}

bool ingress_app_busy(const struct ingress_app *a)
{
	return !list_empty(&a->role.running);
}

void ingress_app_free(struct ingress_app *a)
{
	if (!a)
		return;
	exchange_abandon_all(&a->role);
	free(a);
}
