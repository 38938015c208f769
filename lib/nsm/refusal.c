#include "nsm/refusal.h"

#include <stdarg.h>
#include <stdio.h>

bool refuse(struct refusal *r, enum refusal_reason reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	r->reason = reason;
	vsnprintf(r->text, sizeof r->text, fmt, ap);
	va_end(ap);
	return false;
}

const char *refusal_name(enum refusal_reason reason)
{
	static const char *const names[REFUSE_REASONS] = {
#define X(reason, name) [REFUSE_##reason] = name,
		REFUSALS(X)
#undef X
	};
	return names[reason];
}
