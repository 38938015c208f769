/* One loop and one world (support/tls_pair.h) for all tests of a file; setup and teardown are the group's. */
#ifndef UNIT_TLS_ONE_WORLD_H
#define UNIT_TLS_ONE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/tls_pair.h"

static struct loop *loop;
static struct tls_world world;

static inline int setup(void **state)
{
	(void)state;
	loop = loop_new();
	tls_world_init(&world, NULL, NULL);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	tls_world_free(&world);
	loop_free(loop);
	return 0;
}

/* Both sides have shaken hands. */
static inline void secure(struct tls_pair *p)
{
	tls_pair_settle(p);
	assert_non_null(p->client.s);
	assert_non_null(p->server.s);
}

#endif
