/* Frame headers and ERROR payloads: each bound, each type, nothing from the peer let through uncleaned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "net/frame.h"

static void test_bytes(void **state)
{
	(void)state;
	static const uint8_t want[FRAME_HEADER] = {0x00, 0x01, 0x00, 0x00, FRAME_DATA};
	uint8_t header[FRAME_HEADER];
	frame_header(header, FRAME_DATA, 65536);
	assert_memory_equal(header, want, sizeof want);
}

static bool ok(unsigned type, size_t length)
{
	uint8_t header[FRAME_HEADER];
	enum frame_type t = 0;
	size_t n = 0;
	struct error err = {0};
	frame_header(header, (enum frame_type)type, length);
	bool parsed = frame_header_parse(header, &t, &n, &err);
	assert_int_equal(err.kind, parsed ? ERR_NONE : ERR_PROTOCOL);
	if (parsed)
		assert_true(t == type && n == length);
	return parsed;
}

static void test_bounds(void **state)
{
	(void)state;
	static const struct {
		unsigned type;
		size_t min, max;
	} rows[] = {
		{FRAME_REQUEST, 9, 49160}, {FRAME_RESPONSE, 1, 49152},	  {FRAME_DATA, 1, 65536},
		{FRAME_END, 0, 16384},	   {FRAME_ERROR, 1, 512},	  {FRAME_PING, 0, 0},
		{FRAME_PONG, 1, 16384},	   {FRAME_WATCH, 0, 0},		  {FRAME_LOG, 1, 16384},
		{FRAME_METRICS, 1, 65536}, {FRAME_REQUEST_RAW, 9, 49160}, {FRAME_RESPONSE_RAW, 1, 49152},
	};
	for (size_t i = 0; i < countof(rows); i++) {
		assert_true(ok(rows[i].type, rows[i].min));
		assert_true(ok(rows[i].type, rows[i].max));
		assert_false(ok(rows[i].type, rows[i].max + 1));
		assert_false(ok(rows[i].type, 0xffffffff));
		if (rows[i].min)
			assert_false(ok(rows[i].type, rows[i].min - 1));
	}
	for (unsigned type = 0; type < 256; type++)
		if (type < FRAME_REQUEST || type > FRAME_RESPONSE_RAW)
			assert_false(ok(type, 1));
}

static void test_error(void **state)
{
	(void)state;
	struct error in, out;
	struct buf text;
	buf_init(&text, FRAME_ERROR_MAX);
	error_set_hop(&in, ERR_TLS_CERTIFICATE, HOP_SERVICE, "%0199d", 7); /* the longest there is */
	frame_error_write(&text, &in);
	assert_false(buf_full(&text));
	frame_error_parse(buf_span(&text), &out);
	assert_int_equal(out.kind, in.kind);
	assert_int_equal(out.hop, in.hop);
	assert_string_equal(out.text, in.text);
	buf_free(&text);
}

static void test_error_from_a_stranger(void **state)
{
	(void)state;
	struct error e;
	frame_error_parse(SPAN("no such kind\nmars\na\nb\r\x1b[31m\x7f"), &e);
	assert_int_equal(e.kind, ERR_PROTOCOL);
	assert_int_equal(e.hop, HOP_NONE);
	assert_string_equal(e.text, "a?b??[31m?");
	frame_error_parse(SPAN("reset"), &e);
	assert_int_equal(e.kind, ERR_RESET);
	assert_string_equal(e.text, "");
	frame_error_parse(SPAN("\n\n"), &e);
	assert_int_equal(e.kind, ERR_PROTOCOL);
	char longer[FRAME_ERROR_MAX];
	memset(longer, 'x', sizeof longer);
	memcpy(longer, "io\nhost\n", 8);
	frame_error_parse((struct span){longer, sizeof longer}, &e);
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_error_from_a_stranger),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
