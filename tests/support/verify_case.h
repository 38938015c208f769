/* One thing wrong at a time in an otherwise good chain: refused, and for that reason. */
#ifndef TESTS_VERIFY_CASE_H
#define TESTS_VERIFY_CASE_H

#include "mint.h"

#define IN_2026	 1782000000 /* 21 June */
#define ACCEPTED NULL

struct verify_case {
	struct mint root, middle, leaf;
	const char *host;
	int64_t at;
};

extern uint8_t verify_case_alert; /* of the last refusal */

/* Valid for example.com, IN_2026. */
struct verify_case verify_case_good(void);
/* reason: what the error says among others, or ACCEPTED; line: of the test, for its failure. */
void verify_case_expect(int line, const struct verify_case *c, const char *reason);
/* The teardown of a group. */
int verify_case_tear_down(void **state);

/* CASE(reason, what to change in c) */
#define CASE(reason, ...)                                                                                    \
	do {                                                                                                 \
		struct verify_case c = verify_case_good();                                                   \
		__VA_ARGS__;                                                                                 \
		verify_case_expect(__LINE__, &c, reason);                                                    \
	} while (0)

#define DNS(n, text) "\x82" n text
#define IPV4	     "\x87\x04\xc0\x00\x02\x01" /* 192.0.2.1 */

#endif
