/*
 * The application that the enclave is for: started once the proxy listens, kept running as keep.h has it. Its
 * owner, who waits for the ends of all processes, hands in the time and what has ended.
 *
 *	RUNNING --ends--> WAITING --pause over--> RUNNING          --app_stop--> gone
 *	        --ends, and it shall end the enclave--> app_over
 */
#ifndef INIT_APP_H
#define INIT_APP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text_list.h"

struct app_config {			     /* all borrowed for the call */
	const struct text_list *command;     /* program and arguments */
	const struct text_list *environment; /* NAME=VALUE, beside PATH, HOME and the proxy's */
	const char *proxy; /* "http://127.0.0.1:8080" for HTTP_PROXY and its kin; NULL: none */
	uint32_t uid;	   /* user and group it runs as, when we may choose */
	bool once;	   /* its end is the enclave's: no second start */
};

struct app;

struct app *app_new(const struct app_config *config, uint64_t now_ms);
void app_free(struct app *a); /* does not end it; NULL is fine */

/* Starts it when it is due. In how many milliseconds to come again; UINT64_MAX: when something has ended. */
uint64_t app_tend(struct app *a, uint64_t now_ms);
/* That process has ended, with a status as wait(2) has it. False: it was not the application. */
bool app_ended(struct app *a, pid_t pid, int status, uint64_t now_ms);

/* Asks it to end, or makes it; it is not started again. */
void app_stop(struct app *a, int signal_number);

bool app_running(const struct app *a);
bool app_over(const struct app *a); /* it has ended and was to end the enclave */
uint64_t app_restarts(const struct app *a);

#endif
