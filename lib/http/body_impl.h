/* Between body.c and body_chunked.c: nobody else includes this. */
#ifndef HTTP_BODY_IMPL_H
#define HTTP_BODY_IMPL_H

#include "http/body.h"

/* Up to n bytes of data: says how many. */
static inline size_t body_take(struct body *body, size_t n)
{
	if (n > body->left)
		n = (size_t)body->left;
	body->left -= n;
	return n;
}

/*
 * Reads at `in`, writes the payload at `out`, which is not behind it. Sets body->ended, *eaten and *kept, the
 * latter two also when it fails.
 */
bool body_feed_chunked(struct body *body, struct span in, size_t *eaten, uint8_t *out, size_t *kept,
		       struct error *err);

#endif
