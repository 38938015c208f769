#include "verify_url.h"

struct asking {
	const struct target *to;
	struct span nonce;
	struct verify_answer *answer;
	struct stream *stream;
	bool good;
	struct error *err;
};

static void finish(struct asking *q, const struct error *err)
{
	q->good = !err;
	if (err)
		*q->err = *err;
	stream_close(q->stream);
	q->stream = NULL;
}

static void on_answer(void *arg, const struct error *err)
{
	finish(arg, err);
}

static void on_channel(void *arg, struct stream *s, const uint8_t *key, const struct error *err)
{
	struct asking *q = arg;
	q->stream = s;
	if (err) {
		finish(q, err);
		return;
	}
	q->answer->secure = key != NULL;
	if (key)
		memcpy(q->answer->key, key, SHA256_SIZE);
	verify_ask_start(s, q->to, q->nonce, &q->answer->evidence, on_answer, q);
}

bool verify_url(const struct target *to, const struct tls_conf *tls, struct span nonce,
		struct verify_answer *answer, struct error *err)
{
	struct asking q = {.to = to, .nonce = nonce, .answer = answer, .err = err};
	struct loop *l = loop_new();
	verify_channel_start(l, to, tls, on_channel, &q);
	loop_run(l);
	loop_free(l);
	return q.good || error_wrap(err, "asking for evidence");
}
