#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "net/address.h"
#include "net/socket.h"

static void taken(void **state)
{
	static const struct {
		const char *text;
		enum address_kind kind;
		uint32_t port, cid;
		const char *host, *path;
	} rows[] = {
		{"tcp:127.0.0.1:8080", ADDRESS_TCP, 8080, 0, "127.0.0.1", ""},
		{"tcp:[::1]:0", ADDRESS_TCP, 0, 0, "::1", ""},
		{"tcp:*:65535", ADDRESS_TCP, 65535, 0, "", ""},
		{"tcp:example.org:443", ADDRESS_TCP, 443, 0, "example.org", ""},
		{"8080", ADDRESS_TCP, 8080, 0, "127.0.0.1", ""},
		{"localhost:80", ADDRESS_TCP, 80, 0, "localhost", ""},
		{"unix:/run/a.sock", ADDRESS_UNIX, 0, 0, "", "/run/a.sock"},
		{"vsock:any:5000", ADDRESS_VSOCK, 5000, VMADDR_CID_ANY, "", ""},
		{"vsock:parent:5001", ADDRESS_VSOCK, 5001, 3, "", ""},
		{"vsock:16:4294967294", ADDRESS_VSOCK, 4294967294u, 16, "", ""},
		{"hybrid:/run/v.sock:52", ADDRESS_HYBRID, 52, 0, "", "/run/v.sock"},
		{"hybrid:/run/a:b:52", ADDRESS_HYBRID, 52, 0, "", "/run/a:b"},
	};
	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		struct address a;
		struct error err;
		if (!address_parse(rows[i].text, &a, &err))
			fail_msg("%s", err.text);
		assert_int_equal(a.kind, rows[i].kind);
		assert_int_equal(a.port, rows[i].port);
		assert_int_equal(a.cid, rows[i].cid);
		assert_string_equal(a.host, rows[i].host);
		assert_string_equal(a.path, rows[i].path);
		assert_string_equal(a.text, rows[i].text);
	}
}

static void refused(void **state)
{
	static const char *const rows[] = {
		"",
		"tcp:",
		"tcp:127.0.0.1",
		"tcp:127.0.0.1:65536",
		"tcp:127.0.0.1:",
		"tcp:::1:80",
		"tcp:127.0.0.1:-1",
		"tcp:a: 80",
		"127.0.0.1:0x50",
		"unix:",
		"vsock:5000",
		"vsock:here:5000",
		"vsock::5000",
		"vsock:-1:5000",
		"vsock:3:4294967295",
		"hybrid:/a",
		"vsock:16:50000000000",
		"hybrid::5000",
		"vsock:4294967295:1",
	};
	char path[200];
	struct address a;
	struct error err;
	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		if (address_parse(rows[i], &a, &err))
			fail_msg("'%s' was taken", rows[i]);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
	/* sun_path holds 108 bytes with its 0; a hybrid listener needs room for "_4294967294" more. */
	memset(path, 'a', sizeof path);
	memcpy(path, "unix:", 5);
	path[5 + 107] = '\0';
	assert_true(address_parse(path, &a, &err));
	path[5 + 107] = 'a';
	path[5 + 108] = '\0';
	assert_false(address_parse(path, &a, &err));
	memset(path, 'a', sizeof path);
	memcpy(path, "hybrid:", 7);
	memcpy(path + 7 + 96, ":4294967294", 12);
	assert_true(address_parse(path, &a, &err));
	struct sockaddr_any to;
	assert_true(socket_address(&a, true, &to));
	assert_int_equal(strlen(to.un.sun_path), 96 + 11);
	memset(path, 'a', sizeof path);
	memcpy(path, "hybrid:", 7);
	memcpy(path + 7 + 97, ":4294967294", 12);
	assert_false(address_parse(path, &a, &err));
	/* Longer than any address. */
	char *text = malloc(2000);
	memset(text, 'a', 1999);
	text[1999] = '\0';
	assert_false(address_parse(text, &a, &err));
	free(text);
}

static void as_socket_addresses(void **state)
{
	struct address a;
	struct sockaddr_any to;
	(void)state;
	assert_true(address_parse("tcp:*:80", &a, NULL) && socket_address(&a, true, &to));
	assert_int_equal(to.sa.sa_family, AF_INET6); /* which takes IPv4 as well */
	assert_true(address_parse("vsock:any:9", &a, NULL) && socket_address(&a, true, &to));
	assert_int_equal(to.vm.svm_cid, VMADDR_CID_ANY);
	assert_int_equal(to.vm.svm_port, 9);
	assert_true(address_parse("hybrid:/v:9", &a, NULL) && socket_address(&a, false, &to));
	assert_string_equal(to.un.sun_path, "/v");
	assert_true(socket_address(&a, true, &to));
	assert_string_equal(to.un.sun_path, "/v_9");
	assert_true(address_parse("tcp:example.org:80", &a, NULL));
	assert_false(socket_address(&a, false, &to)); /* a name must be resolved */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken),
		cmocka_unit_test(refused),
		cmocka_unit_test(as_socket_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
