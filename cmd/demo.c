/* nitroproxy demo: sends the checks through a proxy and tells what came of them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "demo/origin.h"
#include "demo/run.h"
#include "proxy/settings.h"

#define COULD_NOT_RUN 2

struct demo {
	struct loop *loop;
	struct settings settings;
	struct report report;
	bool progress; /* a line on the terminal is rewritten */
	int status;
};

static int complain(const struct error *err)
{
	fprintf(stderr, "nitroproxy demo: %s\n", err->text);
	return COULD_NOT_RUN;
}

static void on_signal(void *arg)
{
	struct demo *d = arg;
	d->status = COULD_NOT_RUN;
	loop_stop(d->loop);
}

/* ---- the checks ---- */

static void clear_progress(const struct demo *d)
{
	if (d->progress)
		fputs("\r\033[K", stderr);
}

static void on_progress(void *arg, size_t index, size_t count, const char *what)
{
	const struct demo *d = arg;
	if (!d->progress)
		return;
	if (count)
		fprintf(stderr, "\r\033[K  %zu/%zu  %s", index + 1, count, what);
	else
		fprintf(stderr, "\r\033[K  %s", what);
}

static void on_end(void *arg, const struct error *err)
{
	struct demo *d = arg;
	clear_progress(d);
	d->status = err ? complain(err) : report_number(&d->report, VERDICT_FAILED) > 0;
	loop_stop(d->loop);
}

static bool wants_colour(void)
{
	const char *no = getenv("NO_COLOR"); /* no-color.org: set, and not empty */
	return isatty(STDOUT_FILENO) && !(no && no[0]);
}

static void write_reports(struct demo *d)
{
	const struct text_list *files = &d->settings.demo.report;
	struct error err;
	report_text(&d->report, wants_colour(), stdout);
	for (size_t i = 0; i < files->count; i++)
		if (!report_write(&d->report, files->items[i], &err)) {
			error_wrap(&err, "%s", files->items[i]);
			d->status = complain(&err);
		} else {
			printf("  report     %s\n", files->items[i]);
		}
}

static bool reports_ok(const struct text_list *files, struct error *err)
{
	for (size_t i = 0; i < files->count; i++)
		if (!report_path_ok(files->items[i], err))
			return error_wrap(err, "--report %s", files->items[i]);
	return true;
}

static int run_checks(struct demo *d)
{
	struct error err;
	struct run_events events = {.on_progress = on_progress, .on_end = on_end, .arg = d};
	if (!reports_ok(&d->settings.demo.report, &err))
		return complain(&err);
	d->progress = isatty(STDERR_FILENO);
	struct run *r = run_start(d->loop, &d->settings, &events, &d->report, &err);
	if (!r) {
		clear_progress(d);
		return complain(&err);
	}
	loop_run(d->loop);
	clear_progress(d);
	run_free(r);
	if (d->status != COULD_NOT_RUN)
		write_reports(d);
	return d->status;
}

/* ---- --serve-origin ---- */

static bool write_ca(const char *path, const char *pem, struct error *err)
{
	FILE *out = fopen(path, "we");
	bool ok = out && fputs(pem, out) >= 0;
	ok = out && fclose(out) == 0 && ok;
	return ok || error_set(err, ERR_CONFIG, "cannot write the CA's certificate to %s", path);
}

static struct origin *start_origin(struct demo *d, struct error *err)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "::1", NULL};
	const char *path = d->settings.demo.origin_ca;
	struct cert_ca *ca = cert_ca_new("nitroproxy demo CA", time(NULL), 30, err);
	if (!ca)
		return NULL;
	struct origin *o = NULL;
	if (!path[0] || write_ca(path, cert_ca_pem(ca), err))
		o = origin_start(d->loop,
				 &(struct origin_options){
					 .address = d->settings.demo.serve_origin, .names = names, .ca = ca},
				 err);
	cert_ca_free(ca);
	return o;
}

static int serve(struct demo *d)
{
	struct error err;
	struct origin *o = start_origin(d, &err);
	if (!o)
		return complain(&err);
	printf("https://localhost:%u is up, on %s\n", origin_port(o), origin_address(o));
	fflush(stdout);
	loop_run(d->loop);
	origin_stop(o);
	return 0; /* being told to end is how it ends */
}

int cmd_demo(int argc, char **argv)
{
	struct demo *d = calloc(1, sizeof *d);
	struct error err;
	if (!d)
		return COULD_NOT_RUN;
	int status = 0;
	switch (settings_load(argc, argv, CMD_DEMO, &d->settings, &err)) {
	case SETTINGS_ERROR:
		status = complain(&err);
		break;
	case SETTINGS_PRINTED:
		break;
	case SETTINGS_RUN:
		signal(SIGPIPE, SIG_IGN);
		d->loop = loop_new();
		struct signal_watch *term = loop_signal(d->loop, SIGTERM, on_signal, d);
		struct signal_watch *interrupt = loop_signal(d->loop, SIGINT, on_signal, d);
		status = d->settings.demo.serve_origin[0] ? serve(d) : run_checks(d);
		signal_stop(term);
		signal_stop(interrupt);
		loop_free(d->loop);
		break;
	}
	settings_free(&d->settings);
	free(d);
	return status;
}
