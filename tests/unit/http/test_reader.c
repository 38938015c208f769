/*
 * Messages out of a stream: the same parts whatever the pieces they come in, what follows a message left
 * where it is, and at whatever byte the stream is cut or fails never an end that was none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "http/reader.h"
#include "support/mem_stream.h"
#include "support/until.h"
#include "support/wire.h"

static const struct parse_limits limits = {512, 20, 512};

struct bench {
	struct loop *loop;
	struct stream *near;
	struct reader r;
	struct wire far;
	struct buf trace; /* "200 {hello} end", "gone", "error truncated" */
	unsigned started;
	bool in_data, over;
	enum error_kind kind;
};

static void on_started(void *owner)
{
	((struct bench *)owner)->started++;
}

static void note(struct bench *b, const char *text)
{
	if (b->in_data)
		buf_add_text(&b->trace, "}");
	b->in_data = false;
	buf_add_text(&b->trace, b->trace.n ? " " : "");
	buf_add_text(&b->trace, text);
}

static void note_data(struct bench *b, struct block *data)
{
	if (!b->in_data)
		note(b, "{");
	b->in_data = true;
	buf_add(&b->trace, data->data, data->len);
	block_put(data);
}

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct bench *b = arg;
	b->over = !part || part->end;
	if (err) {
		b->kind = err->kind;
		note(b, error_kind_name(err->kind));
		return;
	}
	if (!part) {
		note(b, "gone");
		return;
	}
	if (part->head && part->head->kind == HEAD_RESPONSE) {
		char status[12];
		snprintf(status, sizeof status, "%d", part->head->status);
		note(b, status);
	} else if (part->head) {
		char method[16];
		snprintf(method, sizeof method, "%.*s", (int)part->head->method.n, part->head->method.p);
		note(b, method);
	}
	if (part->data)
		note_data(b, part->data);
	if (part->trailers && part->trailers->count)
		note(b, "trailers");
	if (part->end)
		note(b, "end");
	else
		reader_read(&b->r, on_part, b);
}

static void start(struct bench *b, size_t capacity, enum head_kind kind, enum parse_asked asked)
{
	struct stream *far;
	*b = (struct bench){.loop = loop_new()};
	mem_pair(b->loop, capacity, &b->near, &far);
	wire_start(&b->far, far, capacity < 4096 ? capacity : 4096);
	buf_init(&b->trace, 1 << 16);
	reader_init(&b->r, b->near, kind, &limits, on_started, b);
	reader_next(&b->r, asked);
}

static void end(struct bench *b)
{
	reader_cancel(&b->r);
	reader_free(&b->r);
	stream_close(b->near);
	wire_free(&b->far);
	buf_free(&b->trace);
	assert_int_equal(loop_blocks(b->loop)->used, 0);
	loop_free(b->loop);
}

static void read_message(struct bench *b, enum parse_asked asked)
{
	reader_next(&b->r, asked);
	buf_clear(&b->trace);
	b->over = false;
	reader_read(&b->r, on_part, b);
	UNTIL(b->loop, b->over);
}

static void assert_trace(const struct bench *b, const char *expected)
{
	assert_int_equal(b->trace.n, strlen(expected));
	assert_memory_equal(b->trace.p, expected, b->trace.n);
}

#define HOST " HTTP/1.1\r\nHost: x\r\n"

/* `says`, and if the other side ends behind it: `ends`. */
static const struct {
	enum head_kind kind;
	enum parse_asked asked;
	const char *says;
	bool ends;
	const char *parts;
} rows[] = {
	{HEAD_REQUEST, ASKED_OTHER, "GET /" HOST "\r\n", false, "GET end"},
	{HEAD_REQUEST, ASKED_OTHER, "\r\nGET /" HOST "\r\n", false, "GET end"},
	{HEAD_REQUEST, ASKED_OTHER, "PUT /" HOST "Content-Length: 5\r\n\r\nhello", false, "PUT {hello} end"},
	{HEAD_REQUEST, ASKED_OTHER,
	 "PUT /" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n",
	 false, "PUT {hello} trailers end"},
	{HEAD_REQUEST, ASKED_OTHER, "PUT /" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false,
	 "PUT end"},
	{HEAD_RESPONSE, ASKED_OTHER, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, "200 {ok} end"},
	{HEAD_RESPONSE, ASKED_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", false, "200 end"},
	{HEAD_RESPONSE, ASKED_OTHER, "HTTP/1.1 204 None\r\n\r\n", false, "204 end"},
	{HEAD_RESPONSE, ASKED_OTHER,
	 "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hint\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
	 "1\r\n\r\nx",
	 false, "100 103 200 {x} end"},
	{HEAD_RESPONSE, ASKED_OTHER, "HTTP/1.1 200 OK\r\n\r\nuntil the end", true, "200 {until the end} end"},
	{HEAD_RESPONSE, ASKED_OTHER, "HTTP/1.1 200 OK\r\n\r\n", true, "200 end"},
	{HEAD_RESPONSE, ASKED_CONNECT, "HTTP/1.1 200 OK\r\n\r\nraw bytes", true, "200 {raw bytes} end"},
	/* what is none */
	{HEAD_REQUEST, ASKED_OTHER, "GET / HTTP/1.1\r\n\r\n", false, "bad_request"},
	{HEAD_REQUEST, ASKED_OTHER, "PUT /" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", false,
	 "bad_request"},
	{HEAD_REQUEST, ASKED_OTHER, "PUT /" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false,
	 "PUT bad_request"},
	{HEAD_RESPONSE, ASKED_OTHER, "220 mail\r\n\r\n", false, "bad_response"},
};

/* A head that comes together with a bad first chunk is not given out any more. */
static void assert_parts(const struct bench *b, size_t row)
{
	const char *parts = rows[row].parts;
	bool together = strcmp(parts, "PUT bad_request") == 0 && b->trace.n < strlen(parts);
	assert_trace(b, together ? "bad_request" : parts);
}

static void parts_whatever_the_pieces(void **state)
{
	static const size_t capacities[] = {1, 7, 4096};
	(void)state;
	for (size_t i = 0; i < 3 * countof(rows); i++) {
		size_t row = i / 3, capacity = capacities[i % 3];
		struct bench b;
		start(&b, capacity, rows[row].kind, rows[row].asked);
		wire_say(&b.far, rows[row].says);
		if (rows[row].ends)
			wire_end(&b.far);
		read_message(&b, rows[row].asked);
		assert_parts(&b, row);
		if (!b.kind) /* told only of a head that comes in pieces */
			assert_int_equal(b.started > 0, capacity < 4096);
		end(&b);
	}
}

/* Two messages in one block: the second waits in the stream until it is asked for. */
static void what_follows_is_left(void **state)
{
	(void)state;
	for (size_t first = 0; first < countof(rows); first++) {
		if (rows[first].ends || rows[first].kind != HEAD_REQUEST || strstr(rows[first].parts, "bad"))
			continue;
		struct bench b;
		start(&b, 4096, HEAD_REQUEST, ASKED_OTHER);
		wire_say(&b.far, rows[first].says);
		wire_say(&b.far, "PUT /" HOST "Content-Length: 3\r\n\r\nyou");
		wire_end(&b.far);
		read_message(&b, ASKED_OTHER);
		assert_trace(&b, rows[first].parts);
		read_message(&b, ASKED_OTHER);
		assert_trace(&b, "PUT {you} end");
		read_message(&b, ASKED_OTHER);
		assert_trace(&b, "gone");
		end(&b);
	}
}

/* The other side ends, or fails, behind each byte. */
static void broken_at_each_byte(void (*breakage)(struct stream *s, uint64_t n), bool fails)
{
	for (size_t row = 0; row < countof(rows); row++) {
		bool by_end = rows[row].ends && rows[row].asked != ASKED_HEAD;
		const char *head_end = strstr(rows[row].says, "\r\n\r\n");
		size_t head = (size_t)(head_end - rows[row].says) + 4, whole = strlen(rows[row].says);
		if (strstr(rows[row].parts, "bad"))
			continue;
		for (uint64_t n = 0; n < whole; n++) {
			struct bench b;
			start(&b, 4096, rows[row].kind, rows[row].asked);
			breakage(b.far.s, n);
			wire_say(&b.far, rows[row].says);
			read_message(&b, rows[row].asked);
			struct span got = buf_span(&b.trace);
			bool ended = got.n >= 3 && memcmp(got.p + got.n - 3, "end", 3) == 0;
			bool gone = got.n >= 4 && memcmp(got.p + got.n - 4, "gone", 4) == 0;
			bool empty = n == 0 || (n <= 2 && rows[row].says[0] == '\r');
			if (fails)
				assert_int_equal(b.kind, ERR_RESET);
			else if (by_end && n >= head) /* nobody can tell: TLS has to, or a reset */
				assert_true(ended);
			else if (n == 0 || strncmp(rows[row].says + n, "HTTP/1.1", 8) == 0)
				assert_true(gone); /* between two heads */
			else if (!empty)
				assert_int_equal(b.kind, rows[row].kind == HEAD_REQUEST ? ERR_CLIENT_GONE
											: ERR_TRUNCATED);
			assert_true(!ended || (by_end && !fails));
			end(&b);
		}
	}
}

static void cut_at_each_byte(void **state)
{
	(void)state;
	broken_at_each_byte(mem_cut, false);
}

static void fails_at_each_byte(void **state)
{
	(void)state;
	broken_at_each_byte(mem_fail, true);
}

/* A head at the limit, and one byte more; in one piece or in many. */
static void a_head_has_a_limit(void **state)
{
	(void)state;
	for (size_t i = 0; i < 6; i++) {
		static const size_t capacities[] = {1, 7, 4096};
		char head[600];
		struct bench b;
		bool over = i >= 3;
		size_t size = limits.head_bytes + over;
		int n = snprintf(head, sizeof head, "GET /" HOST "X: ");
		memset(head + n, 'a', size - (size_t)n - 4);
		memcpy(head + size - 4, "\r\n\r\n", 5);
		start(&b, capacities[i % 3], HEAD_REQUEST, ASKED_OTHER);
		wire_say(&b.far, head);
		read_message(&b, ASKED_OTHER);
		assert_trace(&b, over ? "head_size" : "GET end");
		end(&b);
	}
}

/* Given up at each step of the loop, and taken up again: not a byte is lost or doubled. */
static void cancelled_at_each_step(void **state)
{
	(void)state;
	for (int steps = 0; steps < 40; steps++) {
		struct bench b;
		start(&b, 3, HEAD_REQUEST, ASKED_OTHER);
		wire_say(&b.far, "PUT /" HOST "Content-Length: 5\r\n\r\nhello");
		reader_read(&b.r, on_part, &b);
		for (int i = 0; i < steps; i++)
			loop_step(b.loop, 0);
		if (!b.over) {
			reader_cancel(&b.r);
			loop_step(b.loop, 0);
			reader_read(&b.r, on_part, &b);
		}
		UNTIL(b.loop, b.over);
		assert_trace(&b, "PUT {hello} end");
		end(&b);
	}
}

/* Behind a switch whatever comes is handed on as it is. */
static void raw_until_the_end(void **state)
{
	(void)state;
	struct bench b;
	start(&b, 7, HEAD_REQUEST, ASKED_OTHER);
	wire_say(&b.far, "GET /" HOST "\r\n");
	read_message(&b, ASKED_OTHER);
	reader_go_raw(&b.r);
	buf_clear(&b.trace);
	b.over = false;
	wire_say(&b.far, "GET / HTTP/1.1\r\n\r\nContent-Length: 5");
	wire_end(&b.far);
	reader_read(&b.r, on_part, &b);
	UNTIL(b.loop, b.over);
	assert_trace(&b, "{GET / HTTP/1.1\r\n\r\nContent-Length: 5} end");
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_whatever_the_pieces), cmocka_unit_test(what_follows_is_left),
		cmocka_unit_test(cut_at_each_byte),	     cmocka_unit_test(fails_at_each_byte),
		cmocka_unit_test(a_head_has_a_limit),	     cmocka_unit_test(cancelled_at_each_step),
		cmocka_unit_test(raw_until_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
