/* Policies as text, and what they say to one request. */
#ifndef TESTS_POLICY_ASK_H
#define TESTS_POLICY_ASK_H

#include "proxy/policy.h"

/* Rules that are wrong fail the test. The caller frees the policy. */
void policy_given(struct policy *p, const char *text);
struct policy_verdict policy_ask(const struct policy *p, const char *method, const char *host, uint16_t port,
				 const char *path);
/* The same for a policy that nothing else is asked. */
bool policy_passes(const char *policy, const char *method, const char *host, uint16_t port, const char *path);

#endif
