#include "demo/stack.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "demo/child.h"

#define ROLES	  3
#define PATH_ROOM 108 /* of a unix socket's address */

struct stack {
	char dir[64], host[PATH_ROOM + 8], ca[PATH_ROOM];
	struct child children[ROLES]; /* in the order they are started */
	struct signal_watch *watch;
	void (*died)(void *arg, const struct error *err);
	void *arg;
};

/* ---- starting ---- */

static bool start_child(struct stack *s, size_t index, const struct text_list *args, struct error *err)
{
	static const char *const roles[ROLES] = {"tunnel", "enclave", "host"};
	char log[PATH_ROOM];
	snprintf(log, sizeof log, "%s/%s.log", s->dir, roles[index]);
	return child_start(&s->children[index], roles[index], args, log, err);
}

static void common(const struct stack *s, struct text_list *args, const char *role, const char *listen)
{
	text_list_add(args, "nitroproxy");
	text_list_add(args, role);
	text_list_add(args, "--listen");
	text_list_addf(args, "unix:%s/%s.sock", s->dir, listen);
	text_list_add(args, "--timeouts-drain");
	text_list_add(args, "1s");
}

static bool start_tunnel(struct stack *s, const struct stack_options *o, struct error *err)
{
	struct text_list args = {NULL, 0};
	common(s, &args, "tunnel", "tunnel");
	text_list_add(&args, "--allow-cidr");
	text_list_add(&args, "127.0.0.1/32");
	for (size_t i = 0; i < o->allow->count; i++) {
		text_list_add(&args, "--allow");
		text_list_add(&args, o->allow->items[i]);
	}
	bool ok = start_child(s, 0, &args, err);
	text_list_free(&args);
	return ok;
}

static bool start_enclave(struct stack *s, const struct stack_options *o, struct error *err)
{
	struct text_list args = {NULL, 0};
	common(s, &args, "enclave", "enclave");
	text_list_add(&args, "--tunnel");
	text_list_addf(&args, "unix:%s/tunnel.sock", s->dir);
	text_list_add(&args, "--ca-file");
	text_list_add(&args, s->ca);
	text_list_add(&args, "--trace");
	for (size_t i = 0; i < o->allow->count; i++) {
		text_list_add(&args, "--policy-allow");
		text_list_add(&args, o->allow->items[i]);
	}
	bool ok = start_child(s, 1, &args, err);
	text_list_free(&args);
	return ok;
}

static bool start_host(struct stack *s, struct error *err)
{
	struct text_list args = {NULL, 0};
	common(s, &args, "host", "host");
	text_list_add(&args, "--enclave");
	text_list_addf(&args, "unix:%s/enclave.sock", s->dir);
	text_list_add(&args, "--trace");
	bool ok = start_child(s, 2, &args, err);
	text_list_free(&args);
	return ok;
}

/* ---- a child that ends by itself ---- */

static void last_line(const struct stack *s, const char *role, char out[160])
{
	char path[PATH_ROOM], line[1024];
	snprintf(path, sizeof path, "%s/%s.log", s->dir, role);
	FILE *log = fopen(path, "re");
	out[0] = 0;
	while (log && fgets(line, sizeof line, log))
		snprintf(out, 160, "%.*s", (int)strcspn(line, "\n"), line);
	if (log)
		fclose(log);
}

static void on_child(void *arg)
{
	struct stack *s = arg;
	struct error err;
	char words[160];
	int status;
	for (size_t i = 0; i < ROLES; i++) {
		const struct child *c = &s->children[i];
		if (!child_ended(&s->children[i], &status))
			continue;
		last_line(s, c->role, words);
		error_set(&err, ERR_UNAVAILABLE, "the %s ended with %s %d: %s", c->role,
			  WIFSIGNALED(status) ? "signal" : "status",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), words);
		s->died(s->arg, &err);
		return;
	}
}

/* ---- ending ---- */

static void remove_directory(const struct stack *s)
{
	DIR *dir = opendir(s->dir);
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(s->dir);
}

/* ---- life ---- */

static bool make_directory(struct stack *s, struct error *err)
{
	/* TMPDIR may be longer than a socket's path can hold. */
	const char *tmp = getenv("TMPDIR");
	if (!tmp || tmp[0] != '/' || strlen(tmp) > 30)
		tmp = "/tmp";
	snprintf(s->dir, sizeof s->dir, "%s/nitroproxy-demo-XXXXXX", tmp);
	if (!mkdtemp(s->dir)) {
		s->dir[0] = 0;
		return error_errno(err, errno, "cannot make a directory in %s", tmp);
	}
	snprintf(s->host, sizeof s->host, "unix:%s/host.sock", s->dir);
	snprintf(s->ca, sizeof s->ca, "%s/ca.pem", s->dir);
	return true;
}

static bool write_ca(const struct stack *s, const char *pem, struct error *err)
{
	FILE *out = fopen(s->ca, "we");
	bool ok = out && fputs(pem, out) >= 0;
	ok = out && fclose(out) == 0 && ok;
	return ok || error_errno(err, errno, "cannot write the CA's certificate");
}

struct stack *stack_start(struct loop *l, const struct stack_options *o,
			  void (*died)(void *arg, const struct error *err), void *arg, struct error *err)
{
	struct stack *s = mem_zero(sizeof *s);
	s->died = died;
	s->arg = arg;
	s->watch = loop_signal(l, SIGCHLD, on_child, s);
	if (make_directory(s, err) && write_ca(s, o->ca_pem, err) && start_tunnel(s, o, err) &&
	    start_enclave(s, o, err) && start_host(s, err))
		return s;
	stack_stop(s);
	return NULL;
}

void stack_stop(struct stack *s)
{
	if (!s)
		return;
	signal_stop(s->watch);
	children_end(s->children, ROLES);
	if (s->dir[0])
		remove_directory(s);
	free(s);
}

const char *stack_host(const struct stack *s)
{
	return s->host;
}

const char *stack_ca(const struct stack *s)
{
	return s->ca;
}
