/* The loop: tasks in turn, edges of descriptors, jobs in threads, signals; and that it ends when nothing is
 * left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "support/until.h"

/* ---- tasks ---- */

struct note {
	struct task task;
	struct loop *loop;
	unsigned ran, again;
	struct note *cancels;
};

static unsigned order;

static void on_note(struct task *t)
{
	struct note *n = container_of(t, struct note, task);
	assert_false(task_posted(t));
	n->ran = ++order;
	if (n->cancels)
		task_cancel(&n->cancels->task);
	if (n->again && n->again--)
		loop_post(n->loop, t, on_note);
}

static void test_tasks(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct note a = {.loop = l}, b = {.loop = l}, c = {.loop = l}, d = {.loop = l};
	order = 0;
	b.cancels = &c;
	a.again = 3;
	loop_post(l, &a.task, on_note);
	loop_post(l, &b.task, on_note);
	loop_post(l, &c.task, on_note);
	loop_post(l, &d.task, on_note);
	assert_int_equal(order, 0); /* never from inside the call */
	loop_run(l);		    /* ends by itself */
	assert_int_equal(c.ran, 0);
	assert_true(b.ran < d.ran && d.ran < a.ran); /* a's repeats wait for the others */
	assert_int_equal(order, 6);
	task_cancel(&a.task); /* one that is not posted */
	loop_free(l);
}

static void on_asking(struct task *t)
{
	struct note *n = container_of(t, struct note, task);
	n->ran = ++order;
	if (!task_posted(&n->cancels->task))
		loop_post_last(n->loop, &n->cancels->task, on_note);
}

/* Once for many, behind all that they cause, in the same turn. */
static void test_last(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct note last = {.loop = l}, a = {.loop = l, .cancels = &last}, b = a, c = {.loop = l, .again = 4};
	order = 0;
	loop_post_last(l, &last.task, on_note);
	loop_post(l, &a.task, on_asking);
	loop_post(l, &c.task, on_note); /* five rounds */
	loop_post(l, &b.task, on_asking);
	assert_int_equal(order, 0);
	loop_step(l, 10000); /* does not wait, for there was something to do */
	assert_true(a.ran && b.ran);
	assert_int_equal(c.ran, 7);
	assert_int_equal(last.ran, 8);
	assert_false(loop_step(l, 0));

	/* It is something that is left to be done, also when it is all; it can post itself again, and be cancelled. */
	order = 0;
	last.again = 1;
	loop_post_last(l, &last.task, on_note);
	assert_true(task_posted(&last.task));
	loop_run(l);
	assert_int_equal(order, 2);
	loop_post_last(l, &last.task, on_note);
	task_cancel(&last.task);
	assert_false(loop_step(l, 0));
	assert_int_equal(order, 2);
	loop_free(l);
}

static void on_last_for_ever(struct task *t)
{
	struct note *n = container_of(t, struct note, task);
	n->ran++;
	loop_post_last(n->loop, t, on_last_for_ever);
}

/* One that posts itself to the end of the turn is run once a turn. */
static void test_last_without_end(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct note n = {.loop = l};
	for (unsigned turns = 1; turns < 5; turns++) {
		if (turns == 1)
			loop_post_last(l, &n.task, on_last_for_ever);
		loop_step(l, 10000);
		assert_int_equal(n.ran, turns);
	}
	task_cancel(&n.task);
	loop_free(l);
}

static void on_for_ever(struct task *t)
{
	struct note *n = container_of(t, struct note, task);
	n->ran++;
	loop_post(n->loop, t, on_for_ever);
}

static void on_timer(struct timer *t)
{
	t->fn = NULL;
}

/* One that posts itself without end lets timers and descriptors in. */
static void test_task_without_end(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct note n = {.loop = l};
	struct timer t = {0};
	loop_post(l, &n.task, on_for_ever);
	timer_start(l, &t, 2, on_timer);
	UNTIL(l, !t.fn);
	assert_true(n.ran > 2);
	task_cancel(&n.task);
	loop_free(l);
}

/* ---- watches ---- */

struct eye {
	struct watch watch;
	struct loop *loop;
	unsigned seen, times;
	struct eye *blinds;
};

static void on_see(struct watch *w, unsigned events)
{
	struct eye *e = container_of(w, struct eye, watch);
	e->seen |= events;
	e->times++;
	if (e->blinds && e->blinds->watch.fd >= 0) {
		loop_unwatch(e->loop, &e->blinds->watch);
	}
}

static void test_edges(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct eye e = {.loop = l};
	struct error err;
	int fd[2];
	char byte;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_true(loop_watch(l, &e.watch, fd[0], WATCH_IN, on_see, &err));
	loop_step(l, 2); /* that it can be written is not asked for */
	assert_int_equal(e.times, 0);
	loop_rewatch(l, &e.watch, WATCH_IN | WATCH_OUT);
	UNTIL(l, e.seen & WATCH_OUT);
	assert_false(e.seen & (WATCH_IN | WATCH_HUP));
	assert_int_equal(write(fd[1], "a", 1), 1);
	UNTIL(l, e.seen & WATCH_IN);
	unsigned times = e.times;
	loop_step(l, 2); /* nothing new: no second report of the same byte */
	assert_int_equal(e.times, times);
	assert_int_equal(read(fd[0], &byte, 1), 1);
	shutdown(fd[1], SHUT_WR);
	UNTIL(l, e.seen & WATCH_HUP);
	loop_unwatch(l, &e.watch);
	assert_false(loop_step(l, 0));
	close(fd[0]);
	close(fd[1]);
	assert_false(loop_watch(l, &e.watch, fd[0], WATCH_IN, on_see, &err)); /* EBADF */
	loop_free(l);
}

/* Both are ready in one batch, and whoever comes first takes the other's watch away. */
static void test_unwatch_in_batch(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct eye a = {.loop = l}, b = {.loop = l};
	struct error err;
	int fd[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	a.blinds = &b;
	b.blinds = &a;
	assert_true(loop_watch(l, &a.watch, fd[0], WATCH_IN | WATCH_OUT, on_see, &err));
	assert_true(loop_watch(l, &b.watch, fd[1], WATCH_IN | WATCH_OUT, on_see, &err));
	UNTIL(l, a.times + b.times);
	loop_step(l, 2);
	assert_true(!a.times || !b.times);
	loop_unwatch(l, a.times ? &a.watch : &b.watch);
	close(fd[0]);
	close(fd[1]);
	loop_free(l);
}

/* ---- jobs ---- */

struct work {
	atomic_int worked;
	int gate[2];
	bool done, dropped;
};

static void on_work(void *arg)
{
	struct work *w = arg;
	char byte;
	w->worked = (int)read(w->gate[0], &byte, 1);
}

static void on_worked(void *arg)
{
	((struct work *)arg)->done = true;
}

static void on_dropped(void *arg)
{
	((struct work *)arg)->dropped = true;
}

static void test_job(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct work w = {0}, v = {0};
	assert_int_equal(pipe(w.gate), 0);
	job_start(l, on_work, on_worked, &w);
	loop_step(l, 2);
	assert_false(w.done);
	assert_int_equal(write(w.gate[1], "ab", 2), 2);
	UNTIL(l, w.done);
	assert_int_equal(w.worked, 1);

	/* One that is abandoned while it runs is dropped when it has ended; loop_free waits for it. */
	v.gate[0] = w.gate[0];
	struct job *j = job_start(l, on_work, on_worked, &v);
	while (!v.worked) /* reads the b: it has run, and the loop does not know yet */
		sched_yield();
	job_abandon(j, on_dropped);
	loop_free(l);
	assert_true(v.dropped && !v.done);
	close(w.gate[0]);
	close(w.gate[1]);
}

static void on_signal(void *arg)
{
	++*(unsigned *)arg;
}

static void test_signal(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	unsigned got = 0;
	struct signal_watch *s = loop_signal(l, SIGUSR2, on_signal, &got);
	assert_false(loop_step(l, 0)); /* keeps no loop alive */
	raise(SIGUSR2);
	for (int i = 0; i < 100 && !got; i++)
		loop_step(l, 1);
	assert_int_equal(got, 1);
	signal_stop(s);
	loop_free(l);
}

static void on_stop(struct task *t)
{
	struct note *n = container_of(t, struct note, task);
	loop_stop(n->loop);
}

static void test_stop(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct note n = {.loop = l};
	struct timer t = {0};
	timer_start(l, &t, 1000000, on_timer);
	loop_post(l, &n.task, on_stop);
	loop_run(l); /* not until the timer's time */
	assert_true(timer_active(&t));
	timer_stop(l, &t);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tasks), cmocka_unit_test(test_task_without_end),
		cmocka_unit_test(test_last),  cmocka_unit_test(test_last_without_end),
		cmocka_unit_test(test_edges), cmocka_unit_test(test_unwatch_in_batch),
		cmocka_unit_test(test_job),   cmocka_unit_test(test_signal),
		cmocka_unit_test(test_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
