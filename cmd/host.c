/* nitroproxy host: the HTTP proxy on the instance. */
#include "proxy/host.h"

#include <unistd.h>

#include "base/log.h"
#include "cmd.h"
#include "daemon.h"
#include "host_health.h"
#include "proxy/settings_table.h"

struct host_process {
	struct daemon daemon;
	struct host *host;
};

static void on_drained(void *arg)
{
	struct host_process *p = arg;
	daemon_drained(&p->daemon);
}

static void on_drain(void *arg)
{
	struct host_process *p = arg;
	host_drain(p->host, on_drained, p);
}

static bool start(struct host_process *p, struct error *err)
{
	struct daemon *d = &p->daemon;
	p->host = host_new(d->loop, &d->settings, d->crew, err);
	if (!p->host)
		return false;
	struct listener *li =
		daemon_listen(d, "http", d->settings.host_proxy.listen, host_accept, p->host, err);
	if (!li)
		return false;
	host_add(p->host, li);
	if (d->settings.ingress.listen[0]) {
		li = daemon_listen(d, "ingress", d->settings.ingress.listen, host_accept_ingress, p->host,
				   err);
		if (!li)
			return false;
		host_add_ingress(p->host, li);
	}
	if (d->crew->index == 0)
		log_write(LOG_INFO, "enclave", LOG_STR("address", d->settings.host_proxy.enclave));
	return true;
}

int cmd_host(int argc, char **argv)
{
	struct host_process p = {0};
	struct error err;
	int status;
	if (opts_action(&settings_table, argc, argv, environ, CMD_HOST, "health"))
		return host_health(argc, argv);
	if (!daemon_start(&p.daemon, argc, argv, CMD_HOST, NULL, &status))
		return status;
	if (start(&p, &err))
		status = daemon_run(&p.daemon, on_drain, &p);
	else
		status = daemon_failed(&p.daemon, &err);
	if (p.host)
		host_free(p.host);
	daemon_end(&p.daemon);
	return status;
}
