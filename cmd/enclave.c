/* nitroproxy enclave: the role inside the enclave. */
#include "proxy/enclave.h"

#include "base/log.h"
#include "cmd.h"
#include "daemon.h"
#include "enclave_machine.h"

struct enclave_process {
	struct daemon daemon;
	struct enclave *enclave;
	struct enclave_machine machine;
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

static bool listen_all(struct enclave_process *p, struct error *err)
{
	struct daemon *d = &p->daemon;
	const struct settings *s = &d->settings;
	struct listener *li = daemon_listen(d, "frames", s->enclave.listen, enclave_accept, p->enclave, err);
	if (!li)
		return false;
	enclave_add(p->enclave, li);
	if (s->enclave.http_listen[0]) {
		li = daemon_listen(d, "http", s->enclave.http_listen, enclave_accept_http, p->enclave, err);
		if (!li)
			return false;
		enclave_add_http(p->enclave, li);
	}
	if (s->ingress.enclave_listen[0]) {
		li = daemon_listen(d, "ingress", s->ingress.enclave_listen, enclave_accept_ingress,
				   p->enclave, err);
		if (!li)
			return false;
		enclave_add_ingress(p->enclave, li);
	}
	return true;
}

static bool start(struct enclave_process *p, struct error *err)
{
	struct daemon *d = &p->daemon;
	p->enclave = enclave_new(d->loop, &d->settings, d->crew, err);
	if (!p->enclave)
		return false;
	if (d->crew->index == 0)
		enclave_log_start(p->enclave);
	enclave_machine_surround(&p->machine, p->enclave, d->crew);
	return listen_all(p, err);
}

int cmd_enclave(int argc, char **argv)
{
	struct enclave_process p = {0};
	struct error err;
	int status;
	enclave_machine_begin(&p.machine, argc, argv);
	const struct duties duties = enclave_machine_duties(&p.machine);
	if (!daemon_start(&p.daemon, argc, argv, CMD_ENCLAVE, &duties, &status)) {
		enclave_machine_end(&p.machine);
		return status;
	}
	if (start(&p, &err))
		status = daemon_run(&p.daemon, on_drain, &p);
	else
		status = daemon_failed(&p.daemon, &err);
	if (p.enclave)
		enclave_free(p.enclave);
	daemon_end(&p.daemon);
	enclave_machine_end(&p.machine);
	return status;
}
