#include "tls/session.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

struct session {
	struct list link;
	int64_t expires;
	size_t key_len, len;
	char bytes[]; /* key, then session */
};

struct session_cache {
	struct list sessions; /* newest first */
	size_t count, max;
};

static struct session *session_of(struct list *link)
{
	return container_of(link, struct session, link);
}

static bool has_key(const struct session *s, struct span key)
{
	return span_is((struct span){s->bytes, s->key_len}, key);
}

static void discard(struct session_cache *c, struct session *s)
{
	list_remove(&s->link);
	c->count--;
	mem_wipe(s->bytes, s->key_len + s->len);
	free(s);
}

struct session_cache *session_cache_new(size_t max)
{
	struct session_cache *c = mem_zero(sizeof *c);
	list_init(&c->sessions);
	c->max = max;
	return c;
}

void session_cache_free(struct session_cache *c)
{
	if (!c)
		return;
	LIST_EACH (link, &c->sessions)
		discard(c, session_of(link));
	free(c);
}

static void keep_newest(struct session_cache *c, struct span key, size_t n)
{
	size_t seen = 0;
	LIST_EACH (link, &c->sessions)
		if (has_key(session_of(link), key) && ++seen > n)
			discard(c, session_of(link));
}

void session_put(struct session_cache *c, struct span key, struct span session, int64_t expires)
{
	if (session.n > SESSION_MAX_BYTES || !c->max)
		return;
	keep_newest(c, key, SESSION_MAX_PER_TARGET - 1);
	if (c->count == c->max)
		discard(c, session_of(c->sessions.prev));
	struct session *s = mem_alloc(sizeof *s + key.n + session.n);
	*s = (struct session){.expires = expires, .key_len = key.n, .len = session.n};
	memcpy(s->bytes, key.p, key.n);
	memcpy(s->bytes + key.n, session.p, session.n);
	list_prepend(&c->sessions, &s->link);
	c->count++;
}

size_t session_take(struct session_cache *c, struct span key, int64_t now, uint8_t buf[SESSION_MAX_BYTES])
{
	size_t n = 0;
	LIST_EACH (link, &c->sessions) {
		struct session *s = session_of(link);
		if (!n && s->expires > now && has_key(s, key)) {
			memcpy(buf, s->bytes + s->key_len, s->len);
			n = s->len;
			discard(c, s);
		} else if (s->expires <= now) {
			discard(c, s);
		}
	}
	return n;
}

void session_forget(struct session_cache *c, struct span key)
{
	keep_newest(c, key, 0);
}

size_t session_count(const struct session_cache *c)
{
	return c->count;
}
