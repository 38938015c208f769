#include "tls_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "mem_stream.h"

static void write_file(char path[64], const char *text)
{
	snprintf(path, 64, "/tmp/np-ca-XXXXXX");
	int fd = mkstemp(path);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

void tls_world_init(struct tls_world *w, const struct tls_options *client, const struct tls_options *server)
{
	struct error err;
	static unsigned worlds;
	char name[32];
	snprintf(name, sizeof name, "test CA %u", ++worlds);
	*w = (struct tls_world){.ca = cert_ca_new(name, time(NULL), 30, &err)};
	CHECK(w->ca);
	write_file(w->ca_path, cert_ca_pem(w->ca));
	buf_init(&w->chain, CERT_PEM_MAX);
	buf_init(&w->key, CERT_PEM_MAX);
	const char *hosts[] = {PAIR_HOST, "127.0.0.1", NULL};
	CHECK(cert_issue(w->ca, hosts, time(NULL), 7, &w->chain, &w->key, &err));

	struct tls_options s = server ? *server : (struct tls_options){.no_tickets = true};
	s.role = TLS_SERVER;
	s.chain_pem = buf_span(&w->chain);
	s.key_pem = buf_span(&w->key);
	const char *files[] = {w->ca_path, NULL};
	struct tls_options c = client ? *client : (struct tls_options){0};
	c.ca_files = c.ca_files ? c.ca_files : files;
	w->server = tls_conf_new(&s, &err);
	w->client = tls_conf_new(&c, &err);
	CHECK(w->server && w->client);
}

void tls_world_free(struct tls_world *w)
{
	tls_conf_free(w->client);
	tls_conf_free(w->server);
	cert_ca_free(w->ca);
	buf_free(&w->chain);
	buf_free(&w->key);
	unlink(w->ca_path);
}

static void on_started(void *arg, struct stream *s, const struct error *err)
{
	struct tls_side *side = arg;
	CHECK(side->starting && !side->s && !s == !!err);
	side->starting = NULL;
	side->s = s;
	side->failed = err != NULL;
	if (err)
		side->err = *err;
}

void tls_pair_start(struct tls_pair *p, struct loop *l, struct tls_world *w, size_t capacity,
		    const struct tls_start *client_extra)
{
	*p = (struct tls_pair){.loop = l};
	buf_init(&p->client.got, 8u << 20);
	buf_init(&p->server.got, 8u << 20);
	mem_pair(l, capacity, &p->lower_client, &p->lower_server);
	struct tls_start c = client_extra ? *client_extra : (struct tls_start){0};
	c.conf = c.conf ? c.conf : w->client;
	c.lower = p->lower_client;
	c.host = c.host ? c.host : PAIR_HOST;
	c.port = c.port ? c.port : 443;
	p->client.starting = tls_start(&c, on_started, &p->client);
	struct tls_start s = {.conf = w->server, .lower = p->lower_server};
	p->server.starting = tls_start(&s, on_started, &p->server);
}

void tls_pair_settle(struct tls_pair *p)
{
	while (loop_step(p->loop, 0))
		;
}

static void close_side(struct tls_side *side)
{
	if (side->starting)
		tls_cancel(side->starting);
	stream_close(side->s);
	buf_free(&side->got);
}

void tls_pair_free(struct tls_pair *p)
{
	close_side(&p->client);
	close_side(&p->server);
	tls_pair_settle(p);
	CHECK(loop_blocks(p->loop)->used == 0);
}

static void on_read(void *arg, struct block *b, const struct error *err)
{
	struct tls_side *side = arg;
	side->reads++;
	if (err)
		side->err = *err;
	side->failed |= err != NULL;
	side->ended |= !b && !err;
	if (!b)
		return;
	CHECK(buf_add_span(&side->got, block_span(b)));
	block_put(b);
	stream_read(side->s, on_read, side);
}

void tls_side_read(struct tls_side *side)
{
	stream_read(side->s, on_read, side);
}

static void on_written(void *arg, const struct error *err)
{
	struct tls_side *side = arg;
	side->written = true;
	if (err)
		side->err = *err;
	side->failed |= err != NULL;
}

void tls_side_write(struct tls_side *side, struct span bytes)
{
	side->written = false;
	stream_write(side->s, &bytes, 1, on_written, side);
}

void tls_side_shutdown(struct tls_side *side)
{
	side->written = false;
	stream_shutdown(side->s, on_written, side);
}
