#include "policy_ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void policy_given(struct policy *p, const char *text)
{
	struct error err;

	if (!policy_load_text(p, "test", span_of(text), &err))
		fail_msg("%s", err.text);
}

struct policy_verdict policy_ask(const struct policy *p, const char *method, const char *host, uint16_t port,
				 const char *path)
{
	struct policy_request r = {host, port, span_of(method), span_of(path)};
	struct policy_verdict v;

	policy_judge(p, &r, &v);
	assert_int_equal(v.denied, v.why.kind == ERR_DENIED);
	return v;
}

bool policy_passes(const char *policy, const char *method, const char *host, uint16_t port, const char *path)
{
	struct policy p;

	policy_given(&p, policy);
	struct policy_verdict v = policy_ask(&p, method, host, port, path);
	policy_free(&p);
	return v.pass;
}
