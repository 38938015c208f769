#include "tunnel_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/be.h"
#include "base/mem.h"
#include "mem_stream.h"
#include "proxy/tunnel_message.h"

struct tunnel_world *tunnel_world_new(const char *const *args)
{
	struct tunnel_world *t = mem_zero(sizeof *t);
	const char *argv[16] = {"tunnel"};
	char *envp[] = {NULL};
	int argc = 1;
	struct error err;
	for (; *args; args++)
		argv[argc++] = *args;
	if (settings_load_from(argc, (char *const *)(uintptr_t)argv, envp, stdout, CMD_TUNNEL, &t->settings,
			       &err) != SETTINGS_RUN)
		fail_msg("%s", err.text);
	t->loop = loop_new();
	t->crew = crew_new(&t->settings, 1);
	t->tunnel = tunnel_new(t->loop, &t->settings, t->crew, &err);
	assert_non_null(t->tunnel);
	return t;
}

void tunnel_world_free(struct tunnel_world *t)
{
	tunnel_free(t->tunnel);
	loop_free(t->loop);
	crew_free(t->crew);
	settings_free(&t->settings);
	free(t);
}

static void on_read(void *arg, struct block *b, const struct error *err)
{
	struct tunnel_enclave *e = arg;
	e->ended = !b && !err;
	e->failed = err;
	if (!b)
		return;
	assert_true(buf_add(&e->in, b->data, b->len));
	block_put(b);
	stream_read(e->s, on_read, e);
}

static void on_written(void *arg, const struct error *err)
{
	struct tunnel_enclave *e = arg;
	e->written = true;
	(void)err;
}

struct tunnel_enclave *tunnel_enclave_over(struct stream *near)
{
	struct tunnel_enclave *e = mem_zero(sizeof *e);
	e->s = near;
	buf_init(&e->out, 65536);
	buf_init(&e->in, 65536);
	stream_read(near, on_read, e);
	return e;
}

struct tunnel_enclave *tunnel_enclave_new(struct tunnel_world *t)
{
	struct stream *near, *far;
	mem_pair(t->loop, 8192, &near, &far);
	tunnel_accept(t->tunnel, far);
	return tunnel_enclave_over(near);
}

void tunnel_enclave_free(struct tunnel_enclave *e)
{
	stream_close(e->s);
	buf_free(&e->out);
	buf_free(&e->in);
	free(e);
}

void tunnel_enclave_send(struct tunnel_enclave *e)
{
	struct span v = buf_span(&e->out);
	e->written = false;
	stream_write(e->s, &v, 1, on_written, e);
}

/* The answer as it stands in e->in; NULL: it is not whole yet. */
static json_t *answer_of(const struct tunnel_enclave *e)
{
	if (e->in.n < TUNNEL_HEADER)
		return NULL;
	size_t n = be_u32(e->in.p);
	return e->in.n < TUNNEL_HEADER + n ? NULL : json_loadb(e->in.p + TUNNEL_HEADER, n, 0, NULL);
}

bool tunnel_enclave_answered(const struct tunnel_enclave *e)
{
	json_t *root = answer_of(e);
	json_decref(root);
	return root != NULL;
}

void tunnel_enclave_assert_answer(const struct tunnel_enclave *e, const char *key, const char *value)
{
	json_t *root = answer_of(e);
	const char *text = json_string_value(json_object_get(root, key));
	assert_non_null(text);
	assert_string_equal(text, value);
	json_decref(root);
}

struct tunnel_enclave *tunnel_enclave_asks(struct tunnel_world *t, const char *host, unsigned port)
{
	struct tunnel_enclave *e = tunnel_enclave_new(t);
	tunnel_request_write(&e->out, host, (uint16_t)port, 0, NULL);
	tunnel_enclave_send(e);
	return e;
}
