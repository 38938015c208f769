/* Blocking work in libuv's threads, and signals: the other things a loop brings in. */
#include <stdlib.h>

#include "base/loop_impl.h"
#include "base/mem.h"

struct job {
	uv_work_t uv;
	void (*work)(void *arg);
	void (*done)(void *arg); /* called in the loop; replaced when the job is abandoned */
	void *arg;
};

static void on_work(uv_work_t *uv)
{
	struct job *j = container_of(uv, struct job, uv);
	j->work(j->arg);
}

static void on_worked(uv_work_t *uv, int status)
{
	(void)status; /* a job that never ran is dropped like one that did */
	struct job *j = container_of(uv, struct job, uv);
	struct loop *l = uv->loop->data;
	l->jobs--;
	void (*done)(void *arg) = j->done;
	void *arg = j->arg;
	free(j);
	done(arg);
}

struct job *job_start(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	struct job *j = mem_zero(sizeof *j);
	j->work = work;
	j->done = done;
	j->arg = arg;
	l->jobs++;
	CHECK(uv_queue_work(&l->uv, &j->uv, on_work, on_worked) == 0);
	return j;
}

void job_abandon(struct job *j, void (*drop)(void *arg))
{
	j->done = drop;
	uv_cancel((uv_req_t *)&j->uv); /* fails when it runs already: then drop comes later */
}

struct signal_watch {
	uv_signal_t uv;
	void (*fn)(void *arg);
	void *arg;
};

static void on_signal(uv_signal_t *uv, int signum)
{
	(void)signum;
	struct signal_watch *s = container_of(uv, struct signal_watch, uv);
	s->fn(s->arg);
}

struct signal_watch *loop_signal(struct loop *l, int signum, void (*fn)(void *arg), void *arg)
{
	struct signal_watch *s = mem_zero(sizeof *s);
	s->fn = fn;
	s->arg = arg;
	CHECK(uv_signal_init(&l->uv, &s->uv) == 0);
	CHECK(uv_signal_start(&s->uv, on_signal, signum) == 0);
	uv_unref((uv_handle_t *)&s->uv); /* waiting for a signal keeps no loop alive */
	uv_rouse(l);
	return s;
}

static void on_signal_closed(uv_handle_t *h)
{
	free(container_of(h, struct signal_watch, uv));
}

void signal_stop(struct signal_watch *s)
{
	uv_rouse(s->uv.loop->data);
	uv_close((uv_handle_t *)&s->uv, on_signal_closed);
}
