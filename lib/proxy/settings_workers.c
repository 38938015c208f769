/* How many workers there shall be: the setting, or what suits the machine. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/settings_impl.h"

#define FEW_CPUS 2  /* a worker more would only take turns with the other roles and the applications */
#define AUTO_MAX 16 /* each has its own pools: connections are kept idle by every one of them */

static unsigned cpus(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/*
 * Attested ingress: the key that ends TLS is born in the process and never leaves it, and a client that
 * verified it must find it again with the next connection. Receipts: likewise with the key that signs them.
 * The software NSM: its root is made in the process, too.
 */
static const char *why_one(const struct settings *s)
{
	if (s->command != CMD_ENCLAVE)
		return NULL;
	if (s->ingress.enclave_listen[0])
		return "ingress.enclave_listen is set, and the key that ends TLS there is in one process";
	if (s->receipts)
		return "receipts is true, and the key that signs them is in one process";
	return s->nsm == NSM_SOFTWARE ? "nsm is software, and its root is in one process" : NULL;
}

unsigned settings_workers(const struct settings *s)
{
	if (why_one(s))
		return 1;
	if (strcmp(s->workers, "auto") != 0)
		return (unsigned)strtoul(s->workers, NULL, 10);
	unsigned n = cpus();
	return n <= FEW_CPUS ? 1 : n < AUTO_MAX ? n : AUTO_MAX;
}

bool settings_check_workers(const struct settings *s, struct error *err)
{
	const char *why = why_one(s);
	if (!why || strcmp(s->workers, "auto") == 0 || strcmp(s->workers, "1") == 0)
		return true;
	return error_set(err, ERR_CONFIG, "workers: is %s, must be 1 or auto: %s", s->workers, why);
}
