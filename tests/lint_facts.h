/* What tests/lint.sh tells the analyzers, which see one source file at a time and so do not know what we
 * promise. */
#include "base/error.h"

/* All return false: without this they follow every failure on as if it had been a success. */
#define error_set(...)	   ((void)error_set(__VA_ARGS__), false)
#define error_set_hop(...) ((void)error_set_hop(__VA_ARGS__), false)
#define error_errno(...)   ((void)error_errno(__VA_ARGS__), false)
#define error_wrap(...)	   ((void)error_wrap(__VA_ARGS__), false)
