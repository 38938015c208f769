#include "confine.h"

#include <libgen.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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

static void tell(const struct sandbox_state *now, const char *impossible)
{
	if (impossible)
		log_write(LOG_WARN, "sandbox", LOG_STR("mode", "off"), LOG_STR("detail", impossible));
	else
		log_write(LOG_INFO, "sandbox", LOG_STR("mode", sandbox_mode_name(now->mode)),
			  LOG_INT("landlock", now->landlock), LOG_BOOL("memory_locked", now->memory_locked),
			  LOG_STR("memory", now->memory_why[0] ? now->memory_why : NULL));
}

bool confine(const struct settings *s, struct error *err)
{
	struct confine c = {.rules = {.mode = s->sandbox}};
	const char *impossible = sandbox_impossible();
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

/* ---- the supervisor ---- */

/*
 * An application that is root has them all again after its exec (capabilities(7): from the bounding set,
 * which stays), so this holds back nobody else.
 */
static bool keep_capabilities(const unsigned *keep, size_t count)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct now[2] = {{0}}, then[2] = {{0}};
	if (syscall(SYS_capget, &head, now) != 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		unsigned word = keep[i] / 32;
		uint32_t bit = 1u << keep[i] % 32;
		then[word].permitted |= now[word].permitted & bit;
		then[word].effective |= now[word].effective & bit;
	}
	return syscall(SYS_capset, &head, then) == 0;
}

void confine_supervisor(const struct settings *s, bool in_enclave)
{
	static const unsigned keep[] = {CAP_KILL,     CAP_SETUID,   CAP_SETGID, /* the application */
					CAP_SYS_TIME, CAP_SYS_BOOT,		/* the machine */
					CAP_IPC_LOCK};				/* the workers' memory */
	if (s->sandbox == SANDBOX_OFF)
		return;
	bool good = s->enclave.app.count || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
	if (in_enclave && !keep_capabilities(keep, countof(keep)))
		good = false;
	if (!good)
		log_write(LOG_WARN, "sandbox",
			  LOG_STR("detail", "the supervisor keeps rights it has no use for"));
}
