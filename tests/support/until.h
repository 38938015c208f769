/* Turns the loop until something holds; a test that would wait for ever fails instead. */
#ifndef TESTS_UNTIL_H
#define TESTS_UNTIL_H

#include "base/loop.h"

#define UNTIL(loop, condition)                                                                               \
	do {                                                                                                 \
		int turns_ = 0;                                                                              \
		while (!(condition)) {                                                                       \
			if (turns_++ == 20000)                                                               \
				fail_msg("never came true: %s", #condition);                                 \
			loop_step(loop, 10);                                                                 \
		}                                                                                            \
	} while (0)

#endif
