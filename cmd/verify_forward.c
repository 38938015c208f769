#include "verify_forward.h"

#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/reply.h"
#include "net/listener.h"
#include "net/relay.h"
#include "tls/entropy.h"
#include "verify_ask.h"

#define AGENT	   "nitroproxy-verify"
#define VISITS_MAX 1024
#define KEYS_MAX   4 /* believed at a time: one, and its successors */
#define IDLE_MS	   600000
#define NONCE_SIZE 32

struct belief {
	uint8_t key[SHA256_SIZE];
	uint64_t until; /* on the loop's clock; 0: none */
};

struct forward {
	struct loop *loop;
	const struct verify_args *args;
	const struct target *to;
	struct tls_conf *tls;
	struct listener *listener;
	struct signal_watch *term, *interrupt;
	struct list visits;
	unsigned count;
	struct belief beliefs[KEYS_MAX];
};

struct visit {
	struct forward *forward;
	struct list link;
	struct stream *client, *enclave; /* owned until they are relayed */
	struct verify_channel *channel;
	struct verify_ask *ask;
	struct relay *relay;
	struct verify_evidence evidence;
	uint8_t key[SHA256_SIZE], nonce[NONCE_SIZE];
	struct buf refusal;
};

/* ---- what is believed ---- */

static bool is_believed(const struct forward *f, const uint8_t *key)
{
	for (size_t i = 0; i < KEYS_MAX; i++)
		if (f->beliefs[i].until > loop_now(f->loop) &&
		    memcmp(f->beliefs[i].key, key, SHA256_SIZE) == 0)
			return true;
	return false;
}

/* In the place of the same key, or of the one that would be forgotten first. */
static void believe(struct forward *f, const uint8_t *key)
{
	struct belief *place = &f->beliefs[0];
	for (size_t i = 0; i < KEYS_MAX; i++) {
		struct belief *b = &f->beliefs[i];
		if (b->until && memcmp(b->key, key, SHA256_SIZE) == 0) {
			place = b;
			break;
		}
		if (b->until < place->until)
			place = b;
	}
	memcpy(place->key, key, SHA256_SIZE);
	place->until = loop_now(f->loop) + VERIFY_FORWARD_BELIEF_S * UINT64_C(1000);
}

/* ---- the end of a visit ---- */

static void drop(struct visit *v)
{
	struct forward *f = v->forward;
	if (v->channel)
		verify_channel_cancel(v->channel);
	if (v->ask) {
		verify_ask_cancel(v->ask);
		v->enclave = NULL;
	}
	if (v->relay)
		relay_cancel(v->relay);
	stream_close(v->client);
	stream_close(v->enclave);
	verify_evidence_free(&v->evidence);
	buf_free(&v->refusal);
	list_remove(&v->link);
	if (f->count-- == VISITS_MAX)
		listener_resume(f->listener);
	free(v);
}

static void on_told(void *arg, const struct error *err)
{
	(void)err;
	drop(arg);
}

/* The client's request has not been read: it need not be HTTP, but nearly always is. */
static void turn_away(struct visit *v, const struct error *why)
{
	log_write(LOG_WARN, "connection refused", LOG_ERR(why));
	stream_close(v->enclave);
	v->enclave = NULL;
	buf_init(&v->refusal, REPLY_MAX);
	reply_error(&v->refusal, why, AGENT);
	struct span text = buf_span(&v->refusal);
	stream_write(v->client, &text, 1, on_told, v);
}

/* ---- its way ---- */

static void on_relayed(void *arg, const struct relay_result *result)
{
	struct visit *v = arg;
	v->relay = NULL;
	log_write(LOG_DEBUG, "connection", LOG_UINT("up", result->a_to_b), LOG_UINT("down", result->b_to_a));
	drop(v);
}

static void carry(struct visit *v)
{
	struct stream *client = v->client, *enclave = v->enclave;
	v->client = v->enclave = NULL;
	v->relay = relay_start(client, enclave, &(struct relay_options){.idle_ms = IDLE_MS}, on_relayed, v);
}

static bool is_good(struct visit *v, struct error *err)
{
	struct verify_args args = *v->forward->args;
	struct verify_shown shown = {.document = buf_span(&v->evidence.document),
				     .claims = buf_span(&v->evidence.claims),
				     .key = v->key};
	struct verify_result r;
	args.wish.nonce = (struct span){(const char *)v->nonce, sizeof v->nonce};
	if (!verify_judge(&args, &shown, &r, err))
		return false;
	return r.good || error_set_hop(err, ERR_TLS_CERTIFICATE, HOP_ENCLAVE, "%s", r.why.text);
}

static void on_answer(void *arg, const struct error *err)
{
	struct visit *v = arg;
	struct error why;
	v->ask = NULL;
	if (err) {
		turn_away(v, err);
	} else if (!is_good(v, &why)) {
		turn_away(v, &why);
	} else {
		believe(v->forward, v->key);
		carry(v);
	}
}

static void on_channel(void *arg, struct stream *s, const uint8_t *key, const struct error *err)
{
	struct visit *v = arg;
	v->channel = NULL;
	v->enclave = s;
	if (err) {
		turn_away(v, err);
		return;
	}
	memcpy(v->key, key, SHA256_SIZE);
	if (is_believed(v->forward, key)) {
		carry(v);
		return;
	}
	entropy_fill(v->nonce, sizeof v->nonce);
	v->ask = verify_ask_start(s, v->forward->to, (struct span){(const char *)v->nonce, sizeof v->nonce},
				  &v->evidence, on_answer, v);
}

static void on_accept(void *arg, struct stream *s)
{
	struct forward *f = arg;
	struct visit *v = mem_zero(sizeof *v);
	v->forward = f;
	v->client = s;
	list_append(&f->visits, &v->link);
	verify_evidence_init(&v->evidence);
	if (++f->count == VISITS_MAX)
		listener_pause(f->listener);
	v->channel = verify_channel_start(f->loop, f->to, f->tls, on_channel, v);
}

/* ---- life ---- */

static void on_signal(void *arg)
{
	loop_stop(((struct forward *)arg)->loop);
}

static bool start(struct forward *f, struct error *err)
{
	struct address a;
	f->tls = verify_channel_tls(f->args->client_certificate, f->args->client_key, err);
	if (!f->tls || !address_parse(f->args->forward, &a, err))
		return false;
	f->listener = listener_start(f->loop, &a, on_accept, f, err);
	return f->listener != NULL;
}

bool verify_forward(const struct verify_args *args, const struct target *to, struct error *err)
{
	struct forward f = {.loop = loop_new(), .args = args, .to = to};
	list_init(&f.visits);
	signal(SIGPIPE, SIG_IGN);
	bool good = start(&f, err);
	if (good) {
		f.term = loop_signal(f.loop, SIGTERM, on_signal, &f);
		f.interrupt = loop_signal(f.loop, SIGINT, on_signal, &f);
		log_write(LOG_INFO, "forwarding", LOG_STR("from", listener_name(f.listener)),
			  LOG_STR("to", args->url));
		loop_run(f.loop);
		LIST_EACH (it, &f.visits)
			drop(container_of(it, struct visit, link));
		listener_stop(f.listener);
		signal_stop(f.term);
		signal_stop(f.interrupt);
	}
	tls_conf_free(f.tls);
	loop_free(f.loop);
	return good;
}
