/*
 * An enclave has no resolver, and a static glibc binary must not load one (it would dlopen the
 * machine's NSS modules): in the enclave build only literal addresses are understood.
 */
#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"

/* No option lets glibc wait less for a name server (resolv.conf(5), timeout). */
#define SILENCE_MIN_MS 1000

struct resolve {
	struct job *job;
	char *host;
	char port[8];
	/* written by the thread, read in the loop when it has ended */
	int result, system_error;
	uint64_t took_ms;
	struct sockaddr_any found[RESOLVE_MAX];
	size_t count;
	resolve_fn *fn;
	void *arg;
};

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void on_work(void *arg)
{
	struct resolve *r = arg;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
#ifdef NP_ENCLAVE_BUILD
	hints.ai_flags |= AI_NUMERICHOST;
#endif
	uint64_t started = now_ms();
	r->result = getaddrinfo(r->host, r->port, &hints, &list);
	r->system_error = errno;
	r->took_ms = now_ms() - started;
	if (r->result != 0)
		return;
	for (struct addrinfo *a = list; a && r->count < RESOLVE_MAX; a = a->ai_next) {
		if (a->ai_addrlen > sizeof r->found[0].un)
			continue;
		memcpy(&r->found[r->count].sa, a->ai_addr, a->ai_addrlen);
		r->found[r->count++].len = a->ai_addrlen;
	}
	freeaddrinfo(list);
}

static void drop(void *arg)
{
	struct resolve *r = arg;
	free(r->host);
	free(r);
}

static void on_done(void *arg)
{
	struct resolve *r = arg;
	struct error err;
	bool ok = r->result == 0 && r->count > 0;
	if (!ok && r->result == EAI_AGAIN && r->took_ms >= SILENCE_MIN_MS)
		error_set(&err, ERR_DNS_TIMEOUT, "no name server answered for '%s'", r->host);
	else if (!ok && r->result == EAI_AGAIN) /* SERVFAIL, or nobody at its port: that is quick */
		error_set(&err, ERR_DNS, "the name server cannot say for '%s'", r->host);
	else if (!ok && r->result == EAI_SYSTEM)
		error_errno(&err, r->system_error, "cannot resolve '%s'", r->host);
	else if (!ok)
		error_set(&err, ERR_DNS, "cannot resolve '%s': %s", r->host,
			  r->result ? gai_strerror(r->result) : "it has no address");
	r->fn(r->arg, r->found, r->count, ok ? NULL : &err);
	drop(r);
}

struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, resolve_fn *fn, void *arg)
{
	struct resolve *r = mem_zero(sizeof *r);
	r->host = mem_text(host);
	r->fn = fn;
	r->arg = arg;
	snprintf(r->port, sizeof r->port, "%u", port);
	r->job = job_start(l, on_work, on_done, r);
	return r;
}

void resolve_cancel(struct resolve *r)
{
	job_abandon(r->job, drop);
}
