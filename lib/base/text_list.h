/* A list of texts that owns them. {0} is the empty list. */
#ifndef BASE_TEXT_LIST_H
#define BASE_TEXT_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct text_list {
	char **items; /* owned, each of them too; never NULL within count */
	size_t count;
};

void text_list_add(struct text_list *list, const char *text); /* a copy */
void text_list_addf(struct text_list *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_list_free(struct text_list *list); /* empty again */

#endif
