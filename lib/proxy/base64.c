#include "proxy/base64.h"

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/*
 *	 a......b......c......d......      four characters of six bits
 *	 111111 112222 222233 333333       three bytes; the bits behind "=" must be 0
 */
bool base64_decode(struct span text, char *out, size_t room, size_t *len)
{
	size_t pad = 0;

	*len = 0;
	if (text.n == 0 || text.n % 4 != 0)
		return false;
	while (pad < 2 && text.p[text.n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < text.n; i += 4) {
		size_t bytes = i + 4 == text.n ? 3 - pad : 3;
		unsigned bits = 0;

		for (size_t j = 0; j < 4; j++) {
			int v = j > bytes ? 0 : value_of(text.p[i + j]);
			if (v < 0)
				return false;
			bits = bits << 6 | (unsigned)v;
		}
		if (bits & ((1u << (24 - 8 * bytes)) - 1) || *len + bytes > room)
			return false;
		for (size_t j = 0; j < bytes; j++)
			out[(*len)++] = (char)(bits >> (16 - 8 * j));
	}
	return true;
}

void base64_encode(struct span bytes, struct buf *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
		unsigned bits = 0;
		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < n ? (uint8_t)bytes.p[i + j] : 0);
		char four[4];
		for (size_t j = 0; j < 4; j++)
			four[j] = j > n ? '=' : digits[bits >> (18 - 6 * j) & 63];
		buf_add(out, four, sizeof four);
	}
}
