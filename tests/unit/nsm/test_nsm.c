/*
 * Requests as the NSM's API writes them, and what becomes of every kind of answer: an NSM that says what
 * the test tells it to, since the real one never lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "nsm/nsm.h"

struct scripted {
	struct nsm nsm;
	struct span answer; /* p NULL: the call fails */
	char request[NSM_REQUEST_MAX];
	size_t request_len;
};

static bool scripted_call(struct nsm *n, struct span request, struct buf *response, struct error *err)
{
	struct scripted *s = container_of(n, struct scripted, nsm);
	assert_int_equal(response->n, 0);
	assert_int_equal(response->cap, NSM_RESPONSE_MAX);
	memcpy(s->request, request.p, request.n);
	s->request_len = request.n;
	if (!s->answer.p)
		return error_set(err, ERR_IO, "no device");
	return buf_add_span(response, s->answer);
}

static struct scripted scripted(struct span answer)
{
	return (struct scripted){.nsm = {.call = scripted_call}, .answer = answer};
}

static void assert_request(const struct scripted *s, struct span want)
{
	assert_true(span_is((struct span){s->request, s->request_len}, want));
}

static void test_describe(void **state)
{
	(void)state;
	struct scripted s = scripted(SPAN("\xa1\x6b"
					  "DescribeNSM\xa7"
					  "\x6d"
					  "version_major\x01\x6d"
					  "version_minor\x02\x6d"
					  "version_patch\x03"
					  "\x69"
					  "module_id\x64"
					  "i-01\x68"
					  "max_pcrs\x18\x20"
					  "\x6b"
					  "locked_pcrs\x83\x00\x01\x0f\x66"
					  "digest\x66"
					  "SHA384"));
	struct nsm_description d;
	struct error err;
	assert_true(nsm_describe(&s.nsm, &d, &err));
	assert_request(&s, SPAN("\x6b"
				"DescribeNSM"));
	assert_int_equal(d.major * 100 + d.minor * 10 + d.patch, 123);
	assert_string_equal(d.module_id, "i-01");
	assert_int_equal(d.max_pcrs, 32);
	assert_int_equal(d.locked, 0x8003);
}

static void test_random(void **state)
{
	(void)state;
	struct scripted s = scripted(SPAN("\xa1\x69"
					  "GetRandom\xa1\x66"
					  "random\x43"
					  "abc"));
	struct error err;
	struct buf out;
	buf_init(&out, 5);
	assert_true(nsm_random(&s.nsm, &out, &err));
	assert_request(&s, SPAN("\x69"
				"GetRandom"));
	assert_true(span_is(buf_span(&out), SPAN("abc")));
	assert_false(nsm_random(&s.nsm, &out, &err)); /* no room for more */
	assert_int_equal(err.kind, ERR_LIMIT);
	buf_free(&out);
	s = scripted(SPAN("\xa1\x69"
			  "GetRandom\xa1\x66"
			  "random\x40")); /* nothing is not random */
	assert_false(nsm_random(&s.nsm, &out, &err));
	assert_int_equal(err.kind, ERR_PROTOCOL);
}

static void test_pcrs(void **state)
{
	(void)state;
	struct nsm_pcr pcr;
	struct error err;
	struct scripted s = scripted(SPAN("\xa1\x6b"
					  "DescribePCR\xa2\x64"
					  "lock\xf5\x64"
					  "data\x42\x01\x02"));
	assert_true(nsm_describe_pcr(&s.nsm, 16, &pcr, &err));
	assert_request(&s, SPAN("\xa1\x6b"
				"DescribePCR\xa1\x65"
				"index\x10"));
	assert_true(pcr.locked && pcr.size == 2 && pcr.value[1] == 2);

	s = scripted(SPAN("\xa1\x69"
			  "ExtendPCR\xa1\x64"
			  "data\x42\x03\x04"));
	assert_true(nsm_extend_pcr(&s.nsm, 300, SPAN("x"), &pcr, &err));
	assert_request(&s, SPAN("\xa1\x69"
				"ExtendPCR\xa2\x65"
				"index\x19\x01\x2c\x64"
				"data\x41"
				"x"));
	assert_true(pcr.size == 2 && pcr.value[1] == 4);

	s = scripted(SPAN("\x67"
			  "LockPCR"));
	assert_true(nsm_lock_pcr(&s.nsm, 3, &err));
	assert_request(&s, SPAN("\xa1\x67"
				"LockPCR\xa1\x65"
				"index\x03"));
	s = scripted(SPAN("\x68"
			  "LockPCRs"));
	assert_true(nsm_lock_pcrs(&s.nsm, 16, &err));
	assert_request(&s, SPAN("\xa1\x68"
				"LockPCRs\xa1\x65"
				"range\x10"));
}

static void test_attest(void **state)
{
	(void)state;
	static const char big[1025];
	struct scripted s = scripted(SPAN("\xa1\x6b"
					  "Attestation\xa1\x68"
					  "document\x43"
					  "doc"));
	struct nsm_evidence e = {.nonce = SPAN("n"), .public_key = SPAN("")};
	struct error err;
	struct buf out;
	buf_init(&out, 16);
	assert_true(nsm_attest(&s.nsm, &e, &out, &err));
	assert_request(&s, SPAN("\xa1\x6b"
				"Attestation\xa3\x69"
				"user_data\xf6\x65"
				"nonce\x41n\x6a"
				"public_key\x40"));
	assert_true(span_is(buf_span(&out), SPAN("doc")));

	e = (struct nsm_evidence){{big, 512}, {big, 512}, {big, 1024}};
	assert_true(nsm_attest(&s.nsm, &e, &out, &err));
	assert_int_equal(s.request_len, 1 + 12 + 1 + 10 + 515 + 6 + 515 + 11 + 1027);
	static const struct nsm_evidence too_big[] = {
		{.user_data = {big, 513}}, {.nonce = {big, 513}}, {.public_key = {big, 1025}}};
	for (size_t i = 0; i < countof(too_big); i++) {
		s.request_len = 0;
		assert_false(nsm_attest(&s.nsm, &too_big[i], &out, &err));
		assert_int_equal(err.kind, ERR_BAD_REQUEST);
		assert_int_equal(s.request_len, 0); /* not even asked */
	}
	buf_free(&out);
}

static void test_errors(void **state)
{
	(void)state;
	static const struct {
		struct span answer;
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{SPAN("\xa1\x65"
		      "Error\x6d"
		      "InputTooLarge"),
		 ERR_BAD_REQUEST, "the NSM refused LockPCR: InputTooLarge"},
		{SPAN("\xa1\x65"
		      "Error\x6d"
		      "ReadOnlyIndex"),
		 ERR_DENIED, "the NSM refused LockPCR: ReadOnlyIndex"},
		{SPAN("\xa1\x65"
		      "Error\x6d"
		      "InternalError"),
		 ERR_UNAVAILABLE, "the NSM refused LockPCR: InternalError"},
		{SPAN("\xa1\x65"
		      "Error\x64"
		      "evil"),
		 ERR_PROTOCOL, "the NSM refused LockPCR with an unknown code"},
		{SPAN("\xa1\x65"
		      "Error\x01"),
		 ERR_PROTOCOL, "the NSM's answer to LockPCR is not what it should be"},
		{{NULL, 0}, ERR_IO, "no device"},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		struct scripted s = scripted(cases[i].answer);
		struct error err;
		assert_false(nsm_lock_pcr(&s.nsm, 1, &err));
		assert_int_equal(err.kind, cases[i].kind);
		assert_string_equal(err.text, cases[i].text);
	}
}

/* Whole answers of another kind, cut ones, and fields of another type: all are one and the same complaint. */
static void test_malformed(void **state)
{
	(void)state;
	static const struct span answers[] = {
		SPAN(""),
		SPAN("\x01"),
		SPAN("\x6b"
		     "DescribePCR"),
		SPAN("\xa0"),
		SPAN("\xa1\x67"
		     "LockPCR\xa0"),
		SPAN("\xa1\x6b"
		     "DescribePCR\xf6"),
		SPAN("\xa1\x6b"
		     "DescribePCR\xa1\x64"
		     "lock\xf5"),
		SPAN("\xa1\x6b"
		     "DescribePCR\xa1\x64"
		     "data\x41x"),
		SPAN("\xa1\x6b"
		     "DescribePCR\xa2\x64"
		     "lock\x01\x64"
		     "data\x41x"),
		SPAN("\xa1\x6b"
		     "DescribePCR\xa2\x64"
		     "lock\xf5\x64"
		     "data\x61x"),
		SPAN("\xa1\x6b"
		     "DescribePCR\xa2\x64"
		     "lock\xf5\x64"
		     "data\x40"),
		SPAN("\xa1\x6b"
		     "DescribePCR\xa2\x64"
		     "lock\xf5\x64"
		     "data\x58\x41"
		     "12345678901234567890123456789012345678901234567890123456789012345"),
		SPAN("\xa1\x6b"
		     "DescribePCR\xa2\x01\xf5\x64"
		     "data\x41x"),
		SPAN("\xa2\x6b"
		     "DescribePCR\xa2\x64"
		     "lock\xf5\x64"
		     "data\x41x\x01\x02"),
		SPAN("\xa1\x6b"
		     "DescribePCR\xbf\x64"
		     "lock\xf5\x64"
		     "data\x41x\xff"),
		SPAN("\xa1\x6b"
		     "DescribePCR\xa2\x64"
		     "lock\xf5\x64"
		     "data\x41x\x00"),
	};
	struct nsm_pcr pcr;
	struct nsm_description d;
	struct error err;
	for (size_t i = 0; i < countof(answers); i++) {
		struct scripted s = scripted(answers[i]);
		assert_false(nsm_describe_pcr(&s.nsm, 1, &pcr, &err));
		assert_int_equal(err.kind, ERR_PROTOCOL);
		assert_false(nsm_describe(&s.nsm, &d, &err));
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
	struct scripted s = scripted(SPAN("\xa1\x67"
					  "LockPCR\xa0")); /* a body where there is none */
	assert_false(nsm_lock_pcr(&s.nsm, 1, &err));
	assert_int_equal(err.kind, ERR_PROTOCOL);
}

/* A device that is not there, and one that is no NSM. */
static void test_no_device(void **state)
{
	(void)state;
	struct error err;
	assert_null(nsm_open("/nonexistent/nsm", &err));
	assert_non_null(strstr(err.text, "cannot open the NSM device /nonexistent/nsm"));
	struct nsm *n = nsm_open("/dev/null", &err);
	assert_non_null(n);
	assert_false(n->software);
	assert_false(nsm_lock_pcr(n, 1, &err));
	assert_non_null(strstr(err.text, "the NSM device"));
	nsm_close(n);
	nsm_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describe),  cmocka_unit_test(test_random),
		cmocka_unit_test(test_pcrs),	  cmocka_unit_test(test_attest),
		cmocka_unit_test(test_errors),	  cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_no_device),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
