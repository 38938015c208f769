#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "proxy/auth.h"
#include "proxy/base64.h"

/* Made with Python's hashlib: alice's is "open:sesame", bob's is empty. */
#define ALICE                                                                                                \
	"alice:pbkdf2-sha256:1000:000102030405060708090a0b0c0d0e0f:"                                         \
	"dc8155d842a2922cc4ca2316b79c305976de868c327eb4f543f583d450f440fa"
#define BOB                                                                                                  \
	"bob:pbkdf2-sha256:1001:0001020304050607:"                                                           \
	"6e5440a3222abd7cf81fd80e60e13675e10cb0b0c6631d68babf4b1ee7b7f5dc"

#define ALICE_RIGHT "Basic YWxpY2U6b3BlbjpzZXNhbWU="
#define ALICE_WRONG "Basic YWxpY2U6d3Jvbmc="
#define BOB_RIGHT   "Basic Ym9iOg=="
#define MALLORY	    "Basic bWFsbG9yeTpvcGVuOnNlc2FtZQ==" /* alice's password */

static struct auth *make(void)
{
	struct text_list secrets = {0};
	struct error err;
	struct auth *a;

	text_list_add(&secrets, ALICE);
	text_list_add(&secrets, BOB);
	a = auth_new(&secrets, &err);
	if (!a)
		fail_msg("%s", err.text);
	text_list_free(&secrets);
	return a;
}

static enum auth_answer begin(struct auth *a, const char *field, struct auth_try *t)
{
	struct error err = {0};
	enum auth_answer answer = auth_begin(a, field ? span_of(field) : (struct span){NULL, 0}, t, &err);

	assert_int_equal(err.kind, answer == AUTH_NO ? ERR_AUTH : ERR_NONE);
	return answer;
}

static bool all_zero(const struct auth_try *t)
{
	static const struct auth_try zero;

	return memcmp(t, &zero, sizeof zero) == 0;
}

/* To the end; says whether the slow part was needed. */
static bool check(struct auth *a, const char *field, bool *worked)
{
	struct auth_try t;
	struct error err = {0};
	enum auth_answer answer = begin(a, field, &t);
	bool ok;

	*worked = answer == AUTH_WORK;
	if (*worked) {
		auth_work(&t);
		ok = auth_end(a, &t, &err);
		assert_int_equal(err.kind, ok ? ERR_NONE : ERR_AUTH);
	} else {
		ok = answer == AUTH_YES;
	}
	assert_true(all_zero(&t));
	return ok;
}

static void right_and_wrong(void **state)
{
	struct auth *a = make();
	bool worked;
	(void)state;

	for (unsigned round = 0; round < 2; round++) { /* the second time from memory */
		assert_true(check(a, ALICE_RIGHT, &worked));
		assert_int_equal(worked, round == 0);
		assert_false(check(a, ALICE_WRONG, &worked));
		assert_int_equal(worked, round == 0);
		assert_true(check(a, BOB_RIGHT, &worked));
		assert_int_equal(worked, round == 0);
		assert_false(check(a, MALLORY, &worked));
		assert_int_equal(worked, round == 0);
	}
	assert_true(check(a, "bAsIc   YWxpY2U6b3BlbjpzZXNhbWU=  ", &worked));
	assert_false(worked);
	auth_free(a);
}

/* Wrong guesses push no right credential out, however many there are. */
static void guessing_does_not_push_out(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct auth *a = make();
	bool worked;
	char field[] = "Basic YWxpY2U6AAAA"; /* "alice:" and three bytes */
	(void)state;

	assert_true(check(a, ALICE_RIGHT, &worked));
	for (unsigned i = 0; i < 600; i++) {
		field[14] = 'a' + (char)(i % 26), field[16] = alphabet[i % 64], field[17] = alphabet[i / 64];
		struct auth_try t;
		if (begin(a, field, &t) == AUTH_WORK)
			assert_false(auth_end(a, &t, NULL)); /* with a hash of zeros: wrong as well */
	}
	assert_true(check(a, ALICE_RIGHT, &worked));
	assert_false(worked);
	auth_free(a);
}

/* The work is the same for a user that there is not, and right for none: not even with a decoy's password. */
static void unknown_user(void **state)
{
	struct auth *a = make();
	struct auth_try t;
	(void)state;

	assert_int_equal(begin(a, MALLORY, &t), AUTH_WORK);
	assert_int_equal(t.iterations, 1000);
	assert_int_equal(t.salt_len, 16);
	auth_work(&t);
	assert_false(auth_end(a, &t, NULL));
	auth_free(a);
}

static void malformed(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"Basic",
		"Basic ",
		"Bearer YWxpY2U6b3BlbjpzZXNhbWU=",
		"BasicYWxpY2U6b3BlbjpzZXNhbWU=",
		"Basic YWxpY2U6b3BlbjpzZXNhbWU",
		"Basic YWxpY2U6b3BlbjpzZXNhbWV=",
		"Basic YWxpY2U6b3Blb!pzZXNhbWU=",
		"Basic YWxp Y2U6b3BlbjpzZXNhbWU=",
		"Basic YWxpY2U=" /* no colon */,
		"Basic YWxpY2U6YQpi" /* a\nb */,
		"Basic ====",
		"Basic YQ==YQ==",
		"Digest username=alice",
	};
	struct auth *a = make();
	struct auth_try t;
	char longest[AUTH_MAX_CREDENTIAL * 2];
	(void)state;

	assert_int_equal(begin(a, NULL, &t), AUTH_NO);
	for (size_t i = 0; i < countof(rows); i++)
		if (begin(a, rows[i], &t) != AUTH_NO)
			fail_msg("\"%s\" was taken", rows[i]);
	memset(longest, 'A', sizeof longest);
	memcpy(longest, "Basic ", 6);
	longest[6 + AUTH_MAX_CREDENTIAL / 3 * 4 + 4] = 0;
	assert_int_equal(begin(a, longest, &t), AUTH_NO);
	auth_free(a);
}

static void bad_secrets(void **state)
{
	static const char salt[] = "0001020304050607",
			  hash[] = "6e5440a3222abd7cf81fd80e60e13675e10cb0b0c6631d68babf4b1ee7b7f5dc";
	static const char *const rows[] = {
		"%s",
		"bob",
		"bob:hunter2",
		":pbkdf2-sha256:1000:%s:%s",
		"bob:sha256:1000:%s:%s",
		"bob:pbkdf2-sha256:999:%s:%s",
		"bob:pbkdf2-sha256:10000001:%s:%s",
		"bob:pbkdf2-sha256:+1000:%s:%s",
		"bob:pbkdf2-sha256::%s:%s",
		"bob:pbkdf2-sha256:1000:%s0:%s",
		"bob:pbkdf2-sha256:1000:g%s:%s",
		"bob:pbkdf2-sha256:1000:%s:%s00",
		"bob:pbkdf2-sha256:1000:%s:%s:",
		"bob:pbkdf2-sha256:1000:%s:0%s",
		"bob:pbkdf2-sha256:1000:%.14s:%s",
		"bob:pbkdf2-sha256:1000:%s:%.62s",
	};
	struct text_list twice = {0};
	struct error err;
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct text_list secrets = {0};

		text_list_add(&secrets, ALICE);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		text_list_addf(&secrets, rows[i], salt, hash);
#pragma GCC diagnostic pop
		err = (struct error){0};
		if (auth_new(&secrets, &err))
			fail_msg("\"%s\" was taken", secrets.items[1]);
		assert_int_equal(err.kind, ERR_CONFIG);
		assert_memory_equal(err.text, "secret 2: ", 10);
		assert_null(strstr(err.text, hash)); /* no secret in an error text */
		text_list_free(&secrets);
	}
	text_list_add(&twice, BOB);
	text_list_add(&twice, BOB);
	assert_null(auth_new(&twice, &err));
	assert_non_null(strstr(err.text, "already"));
	text_list_free(&twice);
}

static void base64(void **state)
{
	static const char *const good[][2] = {{"Zg==", "f"},	      {"Zm8=", "fo"},
					      {"Zm9v", "foo"},	      {"Zm9vYg==", "foob"},
					      {"Zm9vYmFy", "foobar"}, {"+/+/", "\xfb\xff\xbf"}};
	static const char *const bad[] = {"",	  "Z",	  "Zg",	      "Zg=",	"Zh==", "Zm9=", "Z===",
					  "====", "=m9v", "Zg==Zg==", "Zm9v\n", "-_-_", "Zm=v"};
	char out[16];
	size_t n;
	(void)state;

	for (size_t i = 0; i < countof(good); i++) {
		assert_true(base64_decode(span_of(good[i][0]), out, strlen(good[i][1]), &n));
		assert_int_equal(n, strlen(good[i][1]));
		assert_memory_equal(out, good[i][1], n);
		assert_false(base64_decode(span_of(good[i][0]), out, n - 1, &n));
	}
	for (size_t i = 0; i < countof(bad); i++)
		if (base64_decode(span_of(bad[i]), out, sizeof out, &n))
			fail_msg("\"%s\" was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_and_wrong), cmocka_unit_test(guessing_does_not_push_out),
		cmocka_unit_test(unknown_user),	   cmocka_unit_test(malformed),
		cmocka_unit_test(bad_secrets),	   cmocka_unit_test(base64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
