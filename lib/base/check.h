/* CHECK is for our own mistakes and stays on in release builds; `if` is for the peer's. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stddef.h>
#include <stdint.h>

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (__builtin_expect(!(condition), 0))                                                       \
			check_failed(#condition, __FILE__, __LINE__);                                        \
	} while (0)

_Noreturn void check_failed(const char *condition, const char *file, int line);

#define container_of(ptr, type, member) ((type *)((uintptr_t)(ptr)-offsetof(type, member)))
#define countof(array)			(sizeof(array) / sizeof *(array))

#endif
