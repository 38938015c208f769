/*
 * The three roles as child processes of ours, joined by unix sockets in a directory that nobody else can
 * enter:
 *
 *	DIR/host.sock --> host --> DIR/enclave.sock --> enclave --> DIR/tunnel.sock --> tunnel --> 127.0.0.1
 *
 * They are this same executable. They are ended by their pids and waited for, they die with us should we
 * be killed, and the directory goes with them.
 */
#ifndef DEMO_STACK_H
#define DEMO_STACK_H

#include "base/error.h"
#include "base/loop.h"
#include "base/text_list.h"

struct stack_options {
	const char *ca_pem;	       /* what the enclave trusts */
	const struct text_list *allow; /* HOST:PORT of 127.0.0.1: what tunnel and enclave let out */
};

struct stack;

/*
 * Starts them; they may not be ready yet. died: one of them ended by itself; err names it and its last words.
 */
struct stack *stack_start(struct loop *l, const struct stack_options *options,
			  void (*died)(void *arg, const struct error *err), void *arg, struct error *err);
/* Ends them, within a few seconds; NULL is fine. */
void stack_stop(struct stack *s);

const char *stack_host(const struct stack *s); /* "unix:/tmp/nitroproxy-demo-Xy12ab/host.sock" */
const char *stack_ca(const struct stack *s);   /* the file with ca_pem */

#endif
