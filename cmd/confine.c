#include "confine.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "net/address.h"
#include "net/socket.h"

struct confine {
	struct sandbox_rules rules;
	char log_directory[4096], socket_directory[3][sizeof(((struct address *)0)->path)];
	size_t sockets;
	char *read_directory[2 + SETTINGS_CLIENT_CA_MAX]; /* owned */
	size_t reads;
};

/*
 * Where getaddrinfo looks, and what it loads: nsswitch.conf(5) names modules, resolv.conf often is a link
 * into /run and is replaced while we run, so that directories are named and not files.
 */
static void allow_names(struct sandbox_rules *r)
{
	static const char *const directories[] = {"/etc",	"/run",		"/var/lib/sss",
						  "/lib",	"/lib64",	"/usr/lib",
						  "/usr/lib64", "/dev/urandom", "/usr/share/zoneinfo"};
	r->allow |= SANDBOX_NAMES;
	for (size_t i = 0; i < countof(directories); i++)
		sandbox_path(r, directories[i], SANDBOX_READ);
}

static void next_hop(struct sandbox_rules *r, const char *text)
{
	struct address a;
	struct sockaddr_any literal;
	if (!address_parse(text, &a, NULL) || a.kind != ADDRESS_TCP)
		return;
	r->dial = true;
	if (!socket_address(&a, false, &literal))
		allow_names(r);
}

/* A unix socket is unlinked when its listener ends. */
static void listening(struct confine *c, const char *text)
{
	struct address a;
	if (!address_parse(text, &a, NULL) || (a.kind != ADDRESS_UNIX && a.kind != ADDRESS_HYBRID))
		return;
	char *copy = c->socket_directory[c->sockets++];
	memcpy(copy, a.path, sizeof a.path);
	sandbox_path(&c->rules, dirname(copy), SANDBOX_REMOVE);
}

/* What the ingress looks at again, wherever it is a file that is replaced: so the directory is named. */
static void ingress_files(struct confine *c, const struct settings *s)
{
	const char *files[2 + SETTINGS_CLIENT_CA_MAX] = {s->ingress.certificate, s->ingress.key};
	for (size_t i = 0; i < s->ingress.client_ca.count; i++)
		files[2 + i] = s->ingress.client_ca.items[i];
	for (size_t i = 0; i < countof(files); i++) {
		if (!files[i] || !files[i][0])
			continue;
		char *copy = c->read_directory[c->reads++] = mem_text(files[i]);
		c->rules.allow |= SANDBOX_FILES;
		sandbox_path(&c->rules, dirname(copy), SANDBOX_READ);
	}
}

static void log_file(struct confine *c, const char *file)
{
	size_t n = strlen(file);
	if (!n || n >= sizeof c->log_directory)
		return;
	memcpy(c->log_directory, file, n + 1);
	c->rules.allow |= SANDBOX_LOG_FILE;
	sandbox_path(&c->rules, dirname(c->log_directory), SANDBOX_WRITE);
}

/* lib/init: the clock follows the hypervisor's, and the first process has others to look after. */
static void machine(struct sandbox_rules *r, const struct settings *s)
{
	if (getpid() == 1 || s->enclave.init)
		r->allow |= SANDBOX_INIT | SANDBOX_CLOCK;
	else if (access("/dev/nsm", F_OK) == 0)
		r->allow |= SANDBOX_CLOCK;
}

static void tell(const struct sandbox_state *now, const char *impossible)
{
	if (impossible)
		log_write(LOG_WARN, "sandbox", LOG_STR("mode", "off"), LOG_STR("detail", impossible));
	else
		log_write(LOG_INFO, "sandbox", LOG_STR("mode", sandbox_mode_name(now->mode)),
			  LOG_INT("landlock", now->landlock), LOG_BOOL("memory_locked", now->memory_locked),
			  LOG_STR("memory", now->memory_why[0] ? now->memory_why : NULL));
}

static const char *why_not(const struct settings *s)
{
	/* It is a child of this process, started again when it ends, and would inherit every restriction. */
	if (s->command == CMD_ENCLAVE && s->enclave.app.count)
		return "enclave.app is set, and what it runs would be held back too";
	return sandbox_impossible();
}

bool confine(const struct settings *s, struct error *err)
{
	struct confine c = {.rules = {.mode = s->sandbox}};
	const char *impossible = why_not(s);
	if (impossible)
		c.rules.mode = SANDBOX_OFF;
	log_file(&c, s->logging.file);
	switch (s->command) {
	case CMD_HOST:
		next_hop(&c.rules, s->host_proxy.enclave);
		next_hop(&c.rules, s->ingress.enclave);
		listening(&c, s->host_proxy.listen);
		listening(&c, s->ingress.listen);
		break;
	case CMD_ENCLAVE:
		next_hop(&c.rules, s->enclave.tunnel);
		listening(&c, s->enclave.listen);
		next_hop(&c.rules, s->ingress.app);
		listening(&c, s->enclave.http_listen);
		listening(&c, s->ingress.enclave_listen);
		ingress_files(&c, s);
		machine(&c.rules, s);
		c.rules.lock_memory = !sandbox_impossible(); /* a shadow of all memory is not to be locked */
		break;
	case CMD_TUNNEL:
		c.rules.dial = true;
		allow_names(&c.rules);
		listening(&c, s->tunnel.listen);
		break;
	case CMD_DEMO:
		break;
	}
	bool entered = sandbox_enter(&c.rules, err);
	for (size_t i = 0; i < c.reads; i++)
		free(c.read_directory[i]);
	if (!entered)
		return error_wrap(err, "sandbox (\"sandbox\": \"off\" does without)");
	tell(sandbox_state(), s->sandbox == SANDBOX_OFF ? NULL : impossible);
	return true;
}
