/* nitroproxy enclave: the role inside the enclave. */
#include "proxy/enclave.h"

#include "base/log.h"
#include "cmd.h"
#include "daemon.h"

struct enclave_process {
	struct daemon daemon;
	struct enclave *enclave;
};

static void on_drained(void *arg)
{
	struct enclave_process *p = arg;
	daemon_drained(&p->daemon);
}

static void on_drain(void *arg)
{
	struct enclave_process *p = arg;
	enclave_drain(p->enclave, on_drained, p);
}

static bool start(struct enclave_process *p, struct error *err)
{
	struct daemon *d = &p->daemon;
	const struct settings *s = &d->settings;
	p->enclave = enclave_new(d->loop, s, err);
	if (!p->enclave)
		return false;
	enclave_log_start(p->enclave);
	struct listener *li = daemon_listen(d, "frames", s->enclave.listen, enclave_accept, p->enclave, err);
	if (!li)
		return false;
	enclave_add(p->enclave, li);
	if (!s->enclave.http_listen[0])
		return true;
	li = daemon_listen(d, "http", s->enclave.http_listen, enclave_accept_http, p->enclave, err);
	if (!li)
		return false;
	enclave_add_http(p->enclave, li);
	return true;
}

int cmd_enclave(int argc, char **argv)
{
	struct enclave_process p = {0};
	struct error err;
	int status;
	if (!daemon_start(&p.daemon, argc, argv, CMD_ENCLAVE, &status))
		return status;
	if (start(&p, &err))
		status = daemon_run(&p.daemon, on_drain, &p);
	else
		status = daemon_failed(&p.daemon, &err);
	if (p.enclave)
		enclave_free(p.enclave);
	daemon_end(&p.daemon);
	return status;
}
