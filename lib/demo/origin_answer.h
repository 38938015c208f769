/* One request to the origin and its answer; see origin.h for what can be asked. */
#ifndef DEMO_ORIGIN_ANSWER_H
#define DEMO_ORIGIN_ANSWER_H

#include "base/list.h"
#include "http/leg.h"

/* Takes the leg, and part with its data. all: where it is linked while it runs. */
void answer_start(struct loop *l, struct list *all, const char *authority, struct leg *leg,
		  const struct part *part);
/* At once, all of them. */
void answer_cut_all(struct list *all);

#endif
