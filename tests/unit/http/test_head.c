#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/head.h"

static void test_fields(void **state)
{
	(void)state;
	struct head h;
	head_init_request(&h, SPAN("GET"), SPAN("/"));
	head_add(&h, SPAN("A"), SPAN("1"));
	head_add(&h, SPAN("b"), SPAN("2"));
	head_add(&h, SPAN("a"), SPAN("3"));
	assert_int_equal(head_count(&h, "a"), 2);
	assert_true(span_is(head_find(&h, "a")->value, SPAN("1")));
	assert_null(head_find(&h, "ab"));
	assert_int_equal(head_remove(&h, "A"), 2);
	assert_int_equal(h.count, 1);
	assert_true(span_is(h.fields[0].name, SPAN("b")));
	assert_int_equal(head_remove(&h, "A"), 0);
	while (h.count < HEAD_MAX_FIELDS)
		assert_true(head_add(&h, SPAN("x"), SPAN("y")));
	assert_false(head_add(&h, SPAN("x"), SPAN("y")));
	assert_int_equal(h.count, HEAD_MAX_FIELDS);
}

/* A head knows by length and first letter what it cannot have: in neither case may that hide what it has. */
static void test_any_case(void **state)
{
	(void)state;
	for (char c = 'a'; c <= 'z'; c++)
		for (size_t n = 1; n <= 20; n++) {
			char lower[20], upper[20];
			struct head h;
			memset(lower, c, n);
			memset(upper, c - 'a' + 'A', n);
			struct span spellings[] = {{lower, n}, {upper, n}};
			for (int i = 0; i < 2; i++) {
				head_init_request(&h, SPAN("GET"), SPAN("/"));
				assert_null(head_find_span(&h, spellings[i]));
				head_add(&h, spellings[i], SPAN("v"));
				assert_non_null(head_find_span(&h, spellings[1 - i]));
				assert_int_equal(head_count_span(&h, spellings[1 - i]), 1);
				assert_true(head_list_has_span(&h, spellings[1 - i], SPAN("V")));
			}
		}
}

static void test_lists(void **state)
{
	(void)state;
	struct head h;
	struct head_list it = {0};
	struct span element;
	static const char *const want[] = {"a", "b c", "d", "e"};
	head_init_response(&h, 200, SPAN("OK"));
	head_add(&h, SPAN("List"), SPAN(" a ,,\tb c,"));
	head_add(&h, SPAN("Other"), SPAN("x"));
	head_add(&h, SPAN("list"), SPAN(""));
	head_add(&h, SPAN("LIST"), SPAN(",d,e"));
	for (size_t i = 0; i < countof(want); i++) {
		assert_true(head_list_next(&h, "List", &it, &element));
		assert_true(span_is(element, span_of(want[i])));
	}
	assert_false(head_list_next(&h, "List", &it, &element));
	assert_true(head_list_has(&h, "list", "E"));
	assert_false(head_list_has(&h, "list", "x"));
	assert_false(head_list_has(&h, "list", "b"));
	assert_false(head_list_has(&h, "lis", "a"));
}

static void test_methods_and_statuses(void **state)
{
	(void)state;
	static const char *const repeatable[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};
	static const char *const once[] = {"POST", "PATCH", "CONNECT", "get", "Put", "XGET", "GETX"};
	static const int bodyless[] = {100, 101, 103, 199, 204, 304},
			 with_body[] = {200, 203, 205, 301, 303, 500};
	struct head h;
	for (size_t i = 0; i < countof(repeatable); i++) {
		head_init_request(&h, span_of(repeatable[i]), SPAN("/"));
		assert_true(head_method_idempotent(&h));
	}
	for (size_t i = 0; i < countof(once); i++) {
		head_init_request(&h, span_of(once[i]), SPAN("/"));
		assert_false(head_method_idempotent(&h));
	}
	for (size_t i = 0; i < countof(bodyless); i++) {
		assert_true(head_status_bodyless(bodyless[i]));
		assert_false(head_status_bodyless(with_body[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_any_case),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_methods_and_statuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
