/* Images: their bytes, what is refused, what is measured, who signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "eif/crc32.h"
#include "eif/eif.h"
#include "eif/eif_sign.h"
#include "nsm/cbor.h"
#include "nsm/cose.h"

static void test_crc(void **state)
{
	(void)state;
	assert_int_equal(crc32_add(0, SPAN("")), 0);
	assert_int_equal(crc32_add(0, SPAN("123456789")), 0xcbf43926); /* the check value of the catalogues */
	for (size_t cut = 0; cut <= 9; cut++) {
		struct span all = SPAN("123456789");
		assert_int_equal(crc32_add(crc32_add(0, (struct span){all.p, cut}), span_from(all, cut)),
				 0xcbf43926);
	}
}

static const struct eif sample = {.flags = EIF_ARM64,
				  .default_memory = 512 << 20,
				  .default_cpus = 2,
				  .kernel = {"kernel", 6},
				  .cmdline = {"reboot=k", 8},
				  .ramdisk = {{"boot", 4}, {"app", 3}, {"more", 4}},
				  .ramdisks = 3,
				  .metadata = {"{}", 2}};

static void write_sample(struct buf *out)
{
	buf_init(out, 4096);
	eif_write(&sample, out);
	assert_false(buf_full(out));
}

static void test_layout(void **state)
{
	(void)state;
	struct buf b;
	write_sample(&b);
	assert_int_equal(b.n, EIF_HEADER + 6 * 12 + 6 + 8 + 4 + 3 + 4 + 2);
	static const char head[] = ".eif\0\4\0\1\0\0\0\0\x20\0\0\0\0\0\0\0\0\0\0\2\0\0\0\6"
				   "\0\0\0\0\0\0\x02\x24" /* the kernel's offset: 548 */
				   "\0\0\0\0\0\0\x02\x36";
	assert_memory_equal(b.p, head, sizeof head - 1);
	assert_memory_equal(b.p + EIF_HEADER,
			    "\0\1\0\0\0\0\0\0\0\0\0\6kernel\0\2\0\0\0\0\0\0\0\0\0\10reboot=k\0\5", 40);
	buf_free(&b);
}

static void test_roundtrip(void **state)
{
	(void)state;
	struct buf b;
	struct eif e;
	struct error err;
	write_sample(&b);
	assert_true(eif_parse(buf_span(&b), &e, &err));
	assert_int_equal(e.version, 4);
	assert_int_equal(e.flags, EIF_ARM64);
	assert_int_equal(e.default_memory, 512 << 20);
	assert_int_equal(e.ramdisks, 3);
	assert_true(span_is(e.kernel, sample.kernel) && span_is(e.cmdline, sample.cmdline));
	assert_true(span_is(e.ramdisk[2], sample.ramdisk[2]) && span_is(e.metadata, sample.metadata));
	assert_null(e.signature.p);
	buf_free(&b);
}

/* Every cut, and every byte changed, is noticed. */
static void test_damage(void **state)
{
	(void)state;
	struct buf b;
	struct eif e;
	struct error err;
	write_sample(&b);
	for (size_t n = 0; n < b.n; n++) {
		char *cut = malloc(n + 1); /* exactly so much, for the sanitizer */
		memcpy(cut, b.p, n);
		assert_false(eif_parse((struct span){cut, n}, &e, &err));
		assert_int_equal(err.kind, ERR_CONFIG);
		free(cut);
	}
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] ^= 0x10;
		assert_false(eif_parse(buf_span(&b), &e, &err));
		b.p[i] ^= 0x10;
	}
	assert_true(eif_parse(buf_span(&b), &e, &err));
	buf_free(&b);
}

/* Changes a byte and makes the checksum right again, so that what the parser says is about the byte. */
static const char *complaint(size_t at, char value)
{
	static struct error err;
	struct buf b;
	struct eif e;
	write_sample(&b);
	b.p[at] = value;
	uint32_t crc = crc32_add(crc32_add(0, (struct span){b.p, 544}), span_from(buf_span(&b), 548));
	for (int i = 0; i < 4; i++)
		b.p[544 + i] = (char)(crc >> (24 - 8 * i));
	bool good = eif_parse(buf_span(&b), &e, &err);
	buf_free(&b);
	return good ? "fine" : err.text;
}

static void test_refused(void **state)
{
	(void)state;
	assert_string_equal(complaint(EIF_HEADER + 12, 'K'), "fine");
	assert_non_null(strstr(complaint(5, 5), "version 5"));
	assert_non_null(strstr(complaint(26, 1), "sections"));
	assert_non_null(strstr(complaint(27, 5), "behind the last section"));
	assert_non_null(strstr(complaint(27, 7), "does not begin"));
	assert_non_null(strstr(complaint(28, 1), "does not begin"));
	assert_non_null(strstr(complaint(284, 1), "behind the end"));
	assert_non_null(strstr(complaint(EIF_HEADER + 11, 7), "another size"));
	assert_non_null(strstr(complaint(EIF_HEADER + 1, 9), "unknown type 9"));
	assert_non_null(strstr(complaint(EIF_HEADER + 1, 2), "two command lines"));
	assert_non_null(strstr(complaint(EIF_HEADER + 1, 3), "wants a kernel"));
}

/* ---- measurements ---- */

static void extended(const char *content, uint8_t pcr[SHA384_SIZE])
{
	char in[2 * SHA384_SIZE] = {0};
	digest_sha384(span_of(content), SPAN(""), (uint8_t *)in + SHA384_SIZE);
	digest_sha384((struct span){in, sizeof in}, SPAN(""), pcr);
}

static void test_measure(void **state)
{
	(void)state;
	struct eif_measurements m;
	struct error err;
	uint8_t want[SHA384_SIZE];
	assert_true(eif_measure(&sample, &m, &err));
	extended("kernelreboot=kbootappmore", want);
	assert_memory_equal(m.pcr0, want, sizeof want);
	extended("kernelreboot=kboot", want);
	assert_memory_equal(m.pcr1, want, sizeof want);
	extended("appmore", want);
	assert_memory_equal(m.pcr2, want, sizeof want);
	memset(want, 0, sizeof want);
	assert_memory_equal(m.pcr8, want, sizeof want);
}

/* ---- signing ---- */

/* Made for this test: openssl ecparam -name secp384r1 -genkey; openssl req -x509 -days 36500 */
#include "signer_pem.h"

/* The DER's digest by: openssl x509 -in .. -outform DER | sha384sum */
static void test_sign(void **state)
{
	(void)state;
	struct eif e = sample;
	struct eif_measurements m;
	struct error err;
	struct buf section, pem;
	uint8_t fingerprint[SHA384_SIZE], want[SHA384_SIZE];
	buf_init(&section, 65536);
	buf_init(&pem, EIF_CERTIFICATE_MAX);
	assert_true(eif_measure(&e, &m, &err));
	assert_true(eif_sign(m.pcr0, span_of(certificate), span_of(private_key), &section, &err));
	e.signature = buf_span(&section);
	assert_true(eif_measure(&e, &m, &err));
	assert_true(digest_from_hex(span_of(certificate_sha384), fingerprint, sizeof fingerprint));
	eif_extend(fingerprint, want);
	assert_memory_equal(m.pcr8, want, sizeof want);
	assert_true(eif_signer(e.signature, &pem, &err));
	assert_true(span_is(buf_span(&pem), span_of(certificate)));
	buf_free(&section);
	buf_free(&pem);
}

static void test_signer_refused(void **state)
{
	(void)state;
	struct error err;
	struct buf out;
	const uint8_t pcr0[SHA384_SIZE] = {1};
	buf_init(&out, 65536);
	assert_false(eif_sign(pcr0, span_of(certificate), span_of(other_key), &out, &err));
	assert_non_null(strstr(err.text, "not that of its certificate"));
	assert_false(eif_sign(pcr0, span_of(private_key), span_of(private_key), &out, &err));
	assert_false(eif_sign(pcr0, span_of(certificate), SPAN("-----BEGIN"), &out, &err));
	assert_int_equal(out.n, 0);

	struct eif e = sample;
	struct eif_measurements m;
	static const char *const bad[] = {"",
					  "\x81",
					  "\x81\xa1",
					  "\x80",
					  "\x81\xa1\x61x\x80",
					  "\x81\xa2\x73signing_certificate\x99\xff\xff\x01",
					  "\x81\xa2\x73signing_certificate\x82\x19\x01\x01\x01"};
	for (size_t i = 0; i < countof(bad); i++) {
		e.signature = span_of(bad[i]);
		assert_false(eif_measure(&e, &m, &err));
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc),	  cmocka_unit_test(test_layout),
		cmocka_unit_test(test_roundtrip), cmocka_unit_test(test_damage),
		cmocka_unit_test(test_refused),	  cmocka_unit_test(test_measure),
		cmocka_unit_test(test_sign),	  cmocka_unit_test(test_signer_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
