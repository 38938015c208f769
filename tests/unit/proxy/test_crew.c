/* What the workers of one role share, and what each has for itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/crew.h"

static struct crew *make(unsigned count)
{
	const struct settings s = {.limits = {.client_connections = 2, .attestation_rate = 5}};
	return crew_new(&s, count);
}

/* The rest of a test as that worker, in a process of its own. */
static void as_worker(struct crew *c, unsigned index, void (*work)(struct crew *c))
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		crew_join(c, index);
		crew_figures(c)->serving = 1;
		work(c);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void count_some(struct crew *c)
{
	struct figures *f = crew_figures(c);
	f->metrics.by_class[2] += 10 + c->index;
	f->metrics.latency[3]++;
	f->pool.opened++;
	f->pool.open += 2;
	f->connections += 3;
	f->log_dropped++;
}

static void test_sum(void **state)
{
	(void)state;
	struct crew *c = make(3);
	struct figures all;
	for (unsigned i = 0; i < 3; i++)
		as_worker(c, i, count_some);
	crew_total(c, &all);
	assert_int_equal(all.metrics.by_class[2], 33);
	assert_int_equal(all.metrics.latency[3], 3);
	assert_int_equal(all.pool.opened, 3);
	assert_int_equal(all.pool.open, 6);
	assert_int_equal(all.connections, 9);
	assert_int_equal(all.serving, 3);
	crew_left(c, 1); /* what it had open is gone, what it has counted is not */
	crew_total(c, &all);
	assert_int_equal(all.metrics.by_class[2], 33);
	assert_int_equal(all.pool.opened, 3);
	assert_int_equal(all.pool.open, 4);
	assert_int_equal(all.connections, 6);
	assert_int_equal(all.serving, 2);
	as_worker(c, 1, count_some); /* its successor counts on */
	crew_total(c, &all);
	assert_int_equal(all.metrics.by_class[2], 44);
	assert_int_equal(all.log_dropped, 4);
	assert_int_equal(all.pool.open, 6);
	crew_free(c);
}

static void test_share(void **state)
{
	(void)state;
	static const struct {
		unsigned workers, limit, share;
	} cases[] = {{1, 10, 10}, {4, 10, 3}, {4, 8, 2}, {4, 1, 1}, {3, UINT32_MAX, 1431655765}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct crew *c = make(cases[i].workers);
		assert_int_equal(crew_share(c, cases[i].limit), cases[i].share);
		crew_free(c);
	}
}

/* The next connection is for who has fewest; who does not serve is not waited for. */
static void test_turn(void **state)
{
	(void)state;
	struct crew *c = make(3);
	struct figures *f[3];
	for (unsigned i = 0; i < 3; i++) {
		c->index = i;
		f[i] = crew_figures(c);
		f[i]->serving = 1;
	}
	c->index = 0;
	assert_true(crew_turn(c)); /* all alike: whoever comes first */
	f[0]->connections = 2;
	f[1]->connections = 1;
	f[2]->connections = 1;
	f[2]->ingress.open = 3;
	assert_false(crew_turn(c));
	c->index = 1;
	assert_true(crew_turn(c));
	c->index = 2;
	assert_false(crew_turn(c));
	f[1]->serving = 0;
	c->index = 0;
	assert_true(crew_turn(c));
	crew_free(c);
}

static void test_alive(void **state)
{
	(void)state;
	struct crew *c = make(2);
	assert_false(crew_all_alive(c));
	for (c->index = 0; c->index < 2; c->index++)
		crew_figures(c)->beats++;
	assert_true(crew_all_alive(c));
	c->index = 0;
	crew_figures(c)->beats++;
	assert_false(crew_all_alive(c)); /* the other has stopped */
	crew_free(c);
}

static void expect_told(struct crew *c, const char *want)
{
	struct buf b;
	buf_init(&b, 1000);
	crew_told(c, &b);
	assert_string_equal(buf_text(&b), want);
	buf_free(&b);
}

static void tell_something(struct crew *c)
{
	crew_tell(c, SPAN("figures"));
}

static void hear_it(struct crew *c)
{
	expect_told(c, "figures");
}

static void test_told(void **state)
{
	(void)state;
	struct crew *c = make(2);
	expect_told(c, "");
	as_worker(c, 0, tell_something);
	as_worker(c, 1, hear_it);
	expect_told(c, "figures");
	crew_join(c, 0); /* who told it is gone */
	expect_told(c, "");
	crew_free(c);
}

static bool begin(struct crew *c)
{
	struct error err;
	unsigned again;
	return ratelimit_begin(c->clients, "192.0.2.1", 1000, &again, &err);
}

static void hold_one(struct crew *c)
{
	if (!begin(c))
		_exit(2);
}

static void hold_none(struct crew *c)
{
	if (begin(c))
		_exit(2);
}

/*
 * A client has two requests at a time in all, not with each worker; those of a worker that died end with it.
 */
static void test_limit_is_one(void **state)
{
	(void)state;
	struct crew *c = make(3);
	as_worker(c, 0, hold_one);
	as_worker(c, 1, hold_one);
	as_worker(c, 2, hold_none);
	as_worker(c, 0, hold_one);
	as_worker(c, 2, hold_none);
	crew_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sum),  cmocka_unit_test(test_share),
		cmocka_unit_test(test_turn), cmocka_unit_test(test_alive),
		cmocka_unit_test(test_told), cmocka_unit_test(test_limit_is_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
