/*
 * The application that the enclave is for: started once the proxy listens, started again when it ends, with a
 *pause that doubles from one quarter of a second to half a minute while it does not live for a minute.
 *
 *	RUNNING --ends--> WAITING --pause over--> RUNNING          --app_stop--> gone
 *	        --ends, and it shall end the enclave--> on_end
 *
 * SIGCHLD is this module's: as the first process it also collects what others left behind.
 */
#ifndef INIT_APP_H
#define INIT_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/text_list.h"

struct app_config {			     /* all borrowed */
	const struct text_list *command;     /* program and arguments; none: nothing is started */
	const struct text_list *environment; /* NAME=VALUE, beside PATH, HOME and the proxy's */
	const char *proxy; /* "http://127.0.0.1:8080" for HTTP_PROXY and its kin; NULL: none */
	uint32_t uid;	   /* user and group it runs as, when we may choose */
	bool once;	   /* its end is the enclave's: no second start */
	void (*on_end)(void *arg, int status); /* as wait(2) has it */
	void *arg;
};

struct app;

struct app *app_start(struct loop *l, const struct app_config *config);
/* Asks it to end; it is not started again. */
void app_stop(struct app *a);
void app_free(struct app *a); /* NULL is fine */

bool app_running(const struct app *a);
uint64_t app_restarts(const struct app *a);

#endif
