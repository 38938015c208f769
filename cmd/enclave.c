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
	enclave_machine_stop_app(&p->machine);
	enclave_drain(p->enclave, on_drained, p);
}

static void on_app_end(void *arg, int status)
{
	struct enclave_process *p = arg;
	(void)status; /* the log has it */
	daemon_drain(&p->daemon, "the application has ended");
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
	p->enclave = enclave_new(d->loop, &d->settings, err);
	if (!p->enclave)
		return false;
	enclave_log_start(p->enclave);
	enclave_machine_watch(&p->machine, d->loop, p->enclave);
	if (!listen_all(p, err))
		return false;
	enclave_machine_ready(&p->machine, d->loop, &d->settings, on_app_end, p);
	return true;
}

int cmd_enclave(int argc, char **argv)
{
	struct enclave_process p = {0};
	struct error err;
	int status;
	enclave_machine_begin(&p.machine, argc, argv);
	if (!daemon_start(&p.daemon, argc, argv, CMD_ENCLAVE, &status)) {
		enclave_machine_end(&p.machine);
		return status;
	}
	if (start(&p, &err))
		status = daemon_run(&p.daemon, on_drain, &p);
	else
		status = daemon_failed(&p.daemon, &err);
	if (p.enclave)
		enclave_free(p.enclave);
	enclave_machine_free(&p.machine);
	daemon_end(&p.daemon);
	enclave_machine_end(&p.machine);
	return status;
}
