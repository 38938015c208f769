#include "base/text_list.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static void take(struct text_list *list, char *text)
{
	list->items = mem_resize(list->items, (list->count + 1) * sizeof *list->items);
	list->items[list->count++] = text;
}

void text_list_add(struct text_list *list, const char *text)
{
	take(list, mem_text(text));
}

void text_list_addf(struct text_list *list, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	take(list, mem_text(text));
}

void text_list_free(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct text_list){NULL, 0};
}
