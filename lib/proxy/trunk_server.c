#include "proxy/trunk_server.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/bundle.h"

/* Strands of one trunk: fewer are not worth it, and each may come to hold a block or two of what it has not read. */
#define FEWEST 16
#define MOST   1024

struct trunk {
	struct trunk_server *server;
	struct list link;
	uint64_t key[2];
	struct bundle *bundle; /* owned; NULL: its answer is on its way */
	unsigned promised;
};

/* An answer on its way: yes to a trunk or a lane, or no. */
struct answer {
	struct trunk_server *server;
	struct list link;
	struct stream *stream; /* owned */
	struct trunk_hello hello;
	struct trunk *trunk; /* it is to carry: NULL: a lane's, or no */
	struct buf text;
	struct timer timer;
	bool no;
};

struct trunk_server {
	struct loop *loop;
	struct trunk_server_config config;
	struct handover_end *handed; /* NULL: there is no other worker */
	struct list trunks, answers;
	bool draining;
};

/* ---- trunks ---- */

static struct trunk *find(struct trunk_server *t, const uint64_t key[2])
{
	LIST_EACH (it, &t->trunks) {
		struct trunk *k = container_of(it, struct trunk, link);
		if (k->key[0] == key[0] && k->key[1] == key[1])
			return k;
	}
	return NULL;
}

static void drop(struct trunk *k)
{
	crew_figures(k->server->config.crew)->connections--;
	bundle_free(k->bundle);
	list_remove(&k->link);
	free(k);
}

static void on_gone(void *owner, struct bundle *b, const struct error *err)
{
	struct trunk *k = owner;
	struct trunk_server *t = k->server;
	(void)b;
	log_write(err ? LOG_WARN : LOG_DEBUG, "trunk ended", LOG_STR("detail", err ? err->text : NULL));
	k->bundle = NULL;
	drop(k);
	t->config.on_promise(t->config.owner);
}

static void on_strand(void *owner, struct stream *s)
{
	const struct trunk_server_config *config = &((struct trunk *)owner)->server->config;
	config->on_strand(config->owner, s);
}

static struct trunk *promise(struct trunk_server *t, const struct trunk_hello *hello, struct error *err)
{
	unsigned n = t->config.room ? t->config.room(t->config.owner) / 2 : 0;
	if (t->draining || n < FEWEST || find(t, hello->key)) {
		error_set(err, ERR_LIMIT, "no trunk here: connections are taken one by one");
		return NULL;
	}
	struct trunk *k = mem_zero(sizeof *k);
	*k = (struct trunk){
		.server = t, .key = {hello->key[0], hello->key[1]}, .promised = n < MOST ? n : MOST};
	list_append(&t->trunks, &k->link);
	/* Counted like any connection, so that the next one is another worker's: crew_turn. */
	crew_figures(t->config.crew)->connections++;
	t->config.on_promise(t->config.owner);
	return k;
}

static void start(struct trunk *k, struct stream *s)
{
	struct bundle_config config = {.side = BUNDLE_ACCEPTS,
				       .most = k->promised,
				       .on_strand = on_strand,
				       .on_gone = on_gone,
				       .owner = k};
	k->bundle = bundle_new(s, &config);
	if (k->server->draining)
		bundle_leave(k->bundle);
}

/* ---- answers ---- */

static void forget(struct answer *a)
{
	timer_stop(a->server->loop, &a->timer);
	list_remove(&a->link);
	stream_close(a->stream);
	buf_free(&a->text);
	if (a->trunk)
		drop(a->trunk);
	free(a);
}

/* It could not be given: what it promised is free again. */
static void give_up(struct answer *a)
{
	struct trunk_server *t = a->server;
	forget(a);
	t->config.on_promise(t->config.owner);
}

static void on_timeout(struct timer *t)
{
	give_up(container_of(t, struct answer, timer));
}

static void on_answered(void *arg, const struct error *err)
{
	struct answer *a = arg;
	struct trunk *k = a->hello.strand ? find(a->server, a->hello.key) : a->trunk;
	if (err) {
		give_up(a);
		return;
	}
	if (!a->no && k && (a->trunk || k->bundle)) {
		struct stream *s = a->stream;
		a->stream = NULL;
		if (a->trunk)
			start(k, s);
		else
			bundle_give_lane(k->bundle, a->hello.strand, s);
		a->trunk = NULL;
	}
	forget(a);
}

static bool agree(struct answer *a, struct error *err)
{
	struct trunk_server *t = a->server;
	if (bundle_carries(a->stream)) /* it could come to carry itself */
		return error_set(err, ERR_PROTOCOL, "a strand is neither a trunk nor a lane");
	if (a->hello.strand)
		return find(t, a->hello.key) ||
		       error_set(err, ERR_PROTOCOL, "there is no trunk with that key");
	a->trunk = promise(t, &a->hello, err);
	return a->trunk;
}

static void respond(struct trunk_server *t, struct stream *s, const struct trunk_hello *hello)
{
	struct answer *a = mem_zero(sizeof *a);
	struct error err;
	*a = (struct answer){.server = t, .stream = s, .hello = *hello};
	list_append(&t->answers, &a->link);
	buf_init(&a->text, TUNNEL_HEADER + TUNNEL_MESSAGE_MAX);
	a->no = !agree(a, &err);
	if (a->no)
		trunk_refusal_write(&a->text, t->config.wire, &err);
	else
		trunk_answer_write(&a->text, t->config.wire,
				   &(struct trunk_offer){.strands = a->trunk ? a->trunk->promised : 1,
							 .workers = t->config.crew->count});
	struct span v = buf_span(&a->text);
	timer_start(t->loop, &a->timer, t->config.answer_ms, on_timeout);
	stream_write(s, &v, 1, on_answered, a);
}

/* ---- lanes that others have accepted ---- */

/* A lane on its way round. */
struct note {
	struct trunk_hello hello;
	unsigned asked; /* workers who do not know its trunk */
};

static bool pass_on(struct trunk_server *t, struct stream *s, const struct note *n)
{
	const struct crew *c = t->config.crew;
	struct note note = {.hello = n->hello, .asked = n->asked + 1};
	return note.asked < c->count && handover_give(c->handover, (c->index + 1) % c->count, s,
						      (struct span){(const char *)&note, sizeof note});
}

static void take(struct trunk_server *t, struct stream *s, const struct note *n)
{
	bool elsewhere = n->hello.strand && !bundle_carries(s) && !find(t, n->hello.key);
	if (!elsewhere || !pass_on(t, s, n))
		respond(t, s, &n->hello);
}

static void on_handed(void *arg, struct stream *s, struct span text)
{
	struct note note;
	CHECK(text.n == sizeof note);
	memcpy(&note, text.p, sizeof note);
	take(arg, s, &note);
}

void trunk_server_take(struct trunk_server *t, struct stream *s, const struct trunk_hello *hello)
{
	take(t, s, &(struct note){.hello = *hello});
}

static void listen_to_others(struct trunk_server *t)
{
	const struct crew *c = t->config.crew;
	struct error err;
	if (c->handover)
		t->handed = handover_listen(c->handover, t->loop, c->index, on_handed, t, &err);
	if (c->handover && !t->handed)
		log_write(LOG_WARN, "bulk stays on trunks", LOG_ERR(&err));
}

/* ---- life ---- */

struct trunk_server *trunk_server_new(struct loop *l, const struct trunk_server_config *config)
{
	struct trunk_server *t = mem_zero(sizeof *t);
	t->loop = l;
	t->config = *config;
	list_init(&t->trunks);
	list_init(&t->answers);
	listen_to_others(t);
	return t;
}

void trunk_server_drain(struct trunk_server *t)
{
	t->draining = true;
	LIST_EACH (it, &t->trunks) {
		struct trunk *k = container_of(it, struct trunk, link);
		if (k->bundle)
			bundle_leave(k->bundle);
	}
}

bool trunk_server_busy(const struct trunk_server *t)
{
	LIST_EACH (it, &t->trunks)
		if (container_of(it, struct trunk, link)->bundle)
			return true;
	return false;
}

unsigned trunk_server_promised(const struct trunk_server *t)
{
	unsigned n = 0;
	LIST_EACH (it, &t->trunks) {
		const struct trunk *k = container_of(it, struct trunk, link);
		if (!k->bundle)
			n += k->promised;
		else if (!bundle_leaving(k->bundle))
			n += k->promised - bundle_count(k->bundle);
	}
	return n;
}

void trunk_server_free(struct trunk_server *t)
{
	if (!t)
		return;
	handover_stop(t->handed);
	LIST_EACH (it, &t->answers)
		forget(container_of(it, struct answer, link));
	LIST_EACH (it, &t->trunks)
		drop(container_of(it, struct trunk, link));
	free(t);
}
