/* The parts of sandbox.c: the filter of system calls, and the one of files. */
#ifndef BASE_SANDBOX_IMPL_H
#define BASE_SANDBOX_IMPL_H

#include <linux/filter.h>

#include "base/sandbox.h"

#define SANDBOX_PROGRAM 1024 /* instructions; the kernel takes 4096 */

/* sandbox_calls.c: the filter as a program; its length. `refuse` is the verdict on what no row allows. */
size_t sandbox_program(struct sock_filter *out, unsigned allow, uint32_t refuse);

/* sandbox_landlock.c: the version in force, 0 where the kernel has none, -1 with err. */
int sandbox_landlock(const struct sandbox_rules *r, struct error *err);

#endif
