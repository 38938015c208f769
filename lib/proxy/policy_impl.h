/* Between policy_parse.c, which makes rules, and policy.c, which keeps and applies them. */
#ifndef PROXY_POLICY_IMPL_H
#define PROXY_POLICY_IMPL_H

#include "proxy/policy.h"

#define POLICY_CONNECT "CONNECT"

#define POLICY_METHOD_MAX  32 /* bytes of one */
#define POLICY_MAX_METHODS 32 /* in a rule */
/* "allow ", target, path with every byte escaped, methods with what stands between them, and a 0. */
#define POLICY_RULE_TEXT_MAX                                                                                 \
	(6 + PATTERN_TEXT_MAX + 3 * POLICY_MAX_PATH + POLICY_MAX_METHODS * (POLICY_METHOD_MAX + 1) + 1)

/* *r needs policy_rule_free whatever the outcome. */
bool policy_rule_parse(struct policy_rule *r, bool deny, struct span text, struct error *err);
void policy_rule_free(struct policy_rule *r);
bool policy_rule_names_method(const struct policy_rule *r, struct span method);

/* What a file says beside its rules. */
struct policy_file {
	bool has_mode, has_default;
	enum policy_mode mode;
	enum policy_default otherwise;
};

typedef bool policy_rule_fn(void *arg, bool deny, struct span rule, struct error *err);
/* Calls fn for each rule; errors get name and line in front. */
bool policy_file_parse(struct policy_file *f, const char *name, struct span text, policy_rule_fn *fn,
		       void *arg, struct error *err);

#endif
