/* "Did you mean": the known name that is nearest to an unknown one, if it is near. */
#include <stdio.h>
#include <string.h>

#include "base/opt_impl.h"
#include "base/quote.h"

#define NEAR_MAX 64

static size_t min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance, one row of the matrix at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), row[NEAR_MAX + 1];
	if (n > NEAR_MAX || m > NEAR_MAX)
		return NEAR_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t above = row[j];
			row[j] = min2(min2(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[m];
}

/* A third of the word may be wrong. */
struct opt_near opt_near_to(const char *word)
{
	return (struct opt_near){.word = word, .best = min2(strlen(word) / 3 + 2, 6)};
}

void opt_near_try(struct opt_near *n, const char *name)
{
	size_t d = distance(n->word, name);
	if (d >= n->best)
		return;
	n->best = d;
	snprintf(n->name.text, sizeof n->name.text, "%s", name);
}

bool opt_near_unknown(struct error *err, const char *what, const char *dashes, const char *word,
		      const struct opt_near *n)
{
	char full[OPT_NAME_MAX * 2];
	snprintf(full, sizeof full, "%s%s", dashes, word);
	struct quoted q = quote_clip(span_of(full));
	if (!n->name.text[0])
		return error_set(err, ERR_CONFIG, "unknown %s %s", what, q.text);
	return error_set(err, ERR_CONFIG, "unknown %s %s; did you mean \"%s%s\"?", what, q.text, dashes,
			 n->name.text);
}
