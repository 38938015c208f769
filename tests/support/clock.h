/*
 * The clock of a test's process: it goes as the machine's does, and can be put forward. Whoever calls one of these has
 * clock_gettime replaced for all that the test is linked with.
 */
#ifndef TESTS_CLOCK_H
#define TESTS_CLOCK_H

#include <time.h>

void clock_forward(time_t seconds);
/* As the machine's again. */
void clock_reset(void);

#endif
