/* The real table: precedence, what follows from what, warnings. That files and documents say what it says:
 * test_settings_shipped.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/config.h"
#include "base/mem.h"
#include "proxy/settings.h"
#include "proxy/settings_table.h"
#include "support/load_settings.h"

static const char *with_file(const char *args)
{
	static char line[256];
	snprintf(line, sizeof line, "x --config %s %s", file, args);
	return line;
}

static bool has(const struct text_list *list, const char *part)
{
	for (size_t i = 0; i < list->count; i++)
		if (strstr(list->items[i], part))
			return true;
	return false;
}

static void test_table(void **state)
{
	(void)state;
	const struct opt_table *t = &settings_table;
	for (const struct opt *r = t->rows; r < t->rows + t->count; r++) {
		/* One sentence for help and tables. */
		size_t n = strlen(r->help);
		assert_true(n > 5 && n < 120 && r->help[n - 1] != '.');
		assert_true(r->help[0] < 'a' || r->help[0] > 'z' || strncmp(r->help, "vsock", 5) == 0);
		/* Sections stand together, for they are printed together. */
		const char *dot = strchr(r->path, '.');
		bool left = false;
		for (const struct opt *q = r + 1; dot && q < t->rows + t->count; q++) {
			bool same = strncmp(q->path, r->path, (size_t)(dot - r->path) + 1) == 0;
			assert_false(left && same);
			left = left || !same;
		}
		/* No two rows of one command share a flag or a letter, nor any two an environment name. */
		for (const struct opt *q = r + 1; q < t->rows + t->count; q++) {
			assert_string_not_equal(q->path, r->path);
			assert_false(q->env && r->env && strcmp(q->env, r->env) == 0);
			if (!(q->commands & r->commands))
				continue;
			assert_false(q->letter && q->letter == r->letter);
			assert_false(q->flag && r->flag && strcmp(q->flag, r->flag) == 0);
		}
	}
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(load_host("host", ""), SETTINGS_RUN);
	assert_string_equal(s.host_proxy.listen, "tcp:127.0.0.1:8080");
	assert_string_equal(s.host_proxy.enclave, "vsock:16:5000");
	assert_string_equal(s.enclave.listen, "vsock:any:5000");
	assert_string_equal(s.enclave.tunnel, "vsock:parent:5001");
	assert_string_equal(s.tunnel.listen, "vsock:any:5001");
	assert_int_equal(s.host_proxy.retry_delay, 250);
	assert_int_equal(s.timeouts.response_header, 30000);
	assert_int_equal(s.logging.max_size, 10 << 20);
	assert_int_equal(s.logging.level, LOG_INFO);
	assert_int_equal(s.tls.min_version, TLS_1_3);
	assert_true(s.tls.verify_certificates);
	assert_int_equal(s.tls.cipher_suites.count, 9);
	assert_int_equal(s.warnings.count, 0);
	assert_int_equal(s.insecure.count, 0);
}

/* The flags that scripts rely on. */
static void test_flags(void **state)
{
	(void)state;
	assert_int_equal(load(CMD_TUNNEL,
			      "tunnel --listen unix:/t --allow a.example:443 --allow *.b.example:* "
			      "--allow-cidr 127.0.0.0/8 --log-level debug",
			      ""),
			 SETTINGS_RUN);
	assert_string_equal(s.tunnel.listen, "unix:/t");
	assert_int_equal(s.tunnel.allow.count, 2);
	assert_string_equal(s.tunnel.allow.items[1], "*.b.example:*");
	assert_string_equal(s.tunnel.allow_cidr.items[0], "127.0.0.0/8");
	assert_int_equal(s.logging.level, LOG_DEBUG);
	assert_int_equal(load(CMD_ENCLAVE,
			      "enclave --listen unix:/e --http-listen 127.0.0.1:1 --tunnel unix:/t --ca-file "
			      "/a --ca-file /b",
			      ""),
			 SETTINGS_RUN);
	assert_string_equal(s.enclave.listen, "unix:/e");
	assert_string_equal(s.enclave.http_listen, "127.0.0.1:1");
	assert_string_equal(s.enclave.tunnel, "unix:/t");
	assert_int_equal(s.tls.ca_file.count, 2);
	assert_int_equal(load_host("host --port 0 --enclave unix:/e --timeouts-response-header 1ms", ""),
			 SETTINGS_RUN);
	assert_string_equal(s.host_proxy.listen, "tcp:127.0.0.1:0");
	assert_string_equal(s.host_proxy.enclave, "unix:/e");
	assert_int_equal(s.timeouts.response_header, 1);
	assert_int_equal(load_host("host --listen unix:/h", ""), SETTINGS_RUN);
	assert_string_equal(s.host_proxy.listen, "unix:/h");
	assert_int_equal(load(CMD_ENCLAVE, "enclave --policy-allow a.example:443;b.example:443", ""),
			 SETTINGS_RUN);
	assert_int_equal(s.policy.allow.count, 2);
}

static void test_precedence(void **state)
{
	(void)state;
	write_file(
		"{\"host_proxy\": {\"port\": 1, \"max_retries\": 1}, \"logging\": {\"level\": \"ERROR\"}}");
	assert_int_equal(load_host(with_file(""), ""), SETTINGS_RUN);
	assert_int_equal(s.host_proxy.port, 1);
	assert_int_equal(s.logging.level, LOG_ERROR);
	assert_int_equal(load_host(with_file(""), "HOST_PROXY_PORT=2 LOG_LEVEL=warning"), SETTINGS_RUN);
	assert_int_equal(s.host_proxy.port, 2);
	assert_int_equal(s.logging.level, LOG_WARN);
	assert_int_equal(load_host(with_file("--port 3"), "HOST_PROXY_PORT=2 LOG_LEVEL=debug"), SETTINGS_RUN);
	assert_int_equal(s.host_proxy.port, 3);
	assert_int_equal(s.host_proxy.max_retries, 1);
	assert_string_equal(s.host_proxy.listen, "tcp:127.0.0.1:3");
	char env[128];
	snprintf(env, sizeof env, "NITROPROXY_CONFIG=%s", file);
	assert_int_equal(load_host("host", env), SETTINGS_RUN);
	assert_int_equal(s.host_proxy.port, 1);

	write_file("HOST_PROXY_PORT=4\nNITROPROXY_HOST_PROXY_MAX_RETRIES=5\n");
	char args[128];
	snprintf(args, sizeof args, "host --env-file %s", file);
	assert_int_equal(load_host(args, "HOST_PROXY_PORT=6"), SETTINGS_RUN);
	assert_int_equal(s.host_proxy.port, 6);
	assert_int_equal(s.host_proxy.max_retries, 5);
}

static void test_legacy(void **state)
{
	(void)state;
	write_file("{\"enclave\": {\"cid\": 3, \"port\": 5000, \"memory_mb\": 1024, \"cpu_count\": 4, "
		   "\"debug_mode\": false},"
		   "\"host_proxy\": {\"port\": 8080, \"max_retries\": 3, \"retry_delay\": 1, \"timeout\": 7},"
		   "\"tls\": {\"min_version\": \"TLSv1.3\", \"verify_certificates\": true,"
		   "  \"cipher_suites\": [\"TLS_AES_256_GCM_SHA384\"]},"
		   "\"logging\": {\"level\": \"INFO\", \"format\": \"json\", \"file\": \"/x\", \"max_size\": "
		   "\"10MB\","
		   "  \"backup_count\": 5},"
		   "\"demo\": {\"test_endpoints\": [\"https://a.example/get\"], \"request_timeout\": 30,"
		   "  \"concurrent_requests\": 5}}");
	assert_int_equal(load_host(with_file(""), ""), SETTINGS_RUN);
	assert_int_equal(s.host_proxy.retry_delay, 1000);
	assert_int_equal(s.timeouts.response_header, 7000);
	assert_int_equal(s.enclave.memory_mb, 1024);
	assert_int_equal(s.logging.format, LOG_JSON);
	assert_int_equal(s.demo.request_timeout, 30000);
	assert_true(has(&s.warnings, "CID is 3"));
	assert_int_equal(load_host(with_file("--timeouts-response-header 9s"), ""), SETTINGS_RUN);
	assert_int_equal(s.timeouts.response_header, 9000);
}

static void test_derived_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *json, *args, *env, *listen, *enclave;
	} cases[] = {
		{"{}", "", "ENCLAVE_CID=20 ENCLAVE_PORT=6000", "tcp:127.0.0.1:8080", "vsock:20:6000"},
		/* what is set wins over a port of the same source */
		{"{\"host_proxy\":{\"listen\":\"tcp:0.0.0.0:99\",\"port\":1,\"enclave\":\"unix:/e\"}}", "",
		 "", "tcp:0.0.0.0:99", "unix:/e"},
		/* a stronger source moves the port, and the port alone */
		{"{\"host_proxy\":{\"listen\":\"tcp:0.0.0.0:99\",\"enclave\":\"vsock:17:7000\"}}", "",
		 "HOST_PROXY_PORT=9090 ENCLAVE_CID=21", "tcp:0.0.0.0:9090", "vsock:21:7000"},
		{"{\"host_proxy\":{\"listen\":\"tcp:[::1]:99\",\"enclave\":\"hybrid:/v:7000\"}}", "-p 5",
		 "ENCLAVE_PORT=8", "tcp:[::1]:5", "hybrid:/v:8"},
		{"{\"host_proxy\":{\"listen\":\"tcp:*:99\"}}", "-p 5", "", "tcp:*:5", "vsock:16:5000"},
		{"{\"host_proxy\":{\"port\":1}}", "--listen tcp:127.0.0.1:2", "", "tcp:127.0.0.1:2",
		 "vsock:16:5000"},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		write_file(cases[i].json);
		assert_int_equal(load_host(with_file(cases[i].args), cases[i].env), SETTINGS_RUN);
		assert_string_equal(s.host_proxy.listen, cases[i].listen);
		assert_string_equal(s.host_proxy.enclave, cases[i].enclave);
	}
	write_file("{\"host_proxy\": {\"listen\": \"unix:/h\", \"enclave\": \"unix:/e\"}}");
	assert_int_equal(load_host(with_file(""), "HOST_PROXY_PORT=5 ENCLAVE_CID=17"), SETTINGS_RUN);
	assert_true(has(&s.warnings, "host_proxy.port has no effect: host_proxy.listen is unix:/h"));
	assert_true(has(&s.warnings, "enclave.cid has no effect: host_proxy.enclave is unix:/e"));
}

static void test_errors(void **state)
{
	(void)state;
	static const struct {
		enum command command;
		const char *args, *env, *text;
	} cases[] = {
		{CMD_HOST, "host --port 65536", "", "--port: \"65536\" is not a number from 0 to 65535"},
		{CMD_HOST, "host --tunnel unix:/t", "",
		 "--tunnel is an option of \"enclave\", not of \"host\""},
		{CMD_TUNNEL, "tunnel --port 1", "", "--port is an option of \"host\", not of \"tunnel\""},
		{CMD_HOST, "host --prot 1", "", "unknown option \"--prot\"; did you mean \"--port\"?"},
		{CMD_HOST, "host --enclave-memory-mb 1", "", "unknown option \"--enclave-memory-mb\""},
		{CMD_HOST, "host 8080", "", "unexpected argument \"8080\""},
		{CMD_HOST, "host --listen tcp:x", "",
		 "--listen: \"tcp:x\" is not valid: address 'tcp:x': the port is missing"},
		{CMD_HOST, "host --config /nonexistent", "",
		 "cannot open \"/nonexistent\": No such file or directory"},
		{CMD_HOST, "host", "ENCLAVE_CID=4294967295",
		 "environment: ENCLAVE_CID: \"4294967295\" is not a number from 0 to 4294967294"},
		{CMD_HOST, "host", "LOG_LEVEL=loud",
		 "environment: LOG_LEVEL: \"loud\" is not error, warn, info or debug"},
		{CMD_HOST, "host", "DEBUG_MODE=2", "environment: DEBUG_MODE: \"2\" is not true or false"},
		{CMD_HOST, "host", "NITROPROXY_TLS_MIN_VERSION=TLSv1.1",
		 "environment: NITROPROXY_TLS_MIN_VERSION: \"TLSv1.1\" is not TLSv1.3 or TLSv1.2"},
		{CMD_HOST, "host", "NITROPROXY_HOST_PROXY_RETRY_DELAY=2h",
		 "environment: NITROPROXY_HOST_PROXY_RETRY_DELAY: \"2h\" is not a time from 1ms to 1m"},
		{CMD_HOST, "host --access-auth alice:secret", "",
		 "access.auth: secret 1: want USER:pbkdf2-sha256:ITERATIONS:SALT:HASH"},
		{CMD_HOST, "host --access-peer-uids root", "",
		 "--access-peer-uids: \"root\" is not valid: a number from 0 to 4294967295"},
		{CMD_TUNNEL, "tunnel --allow a.example", "",
		 "tunnel.allow: allowed name 1: no port: want HOST:PORT or HOST:*"},
		{CMD_TUNNEL, "tunnel --allow-cidr 10.0.0.0/33", "",
		 "tunnel.allow_cidr: allowed address block 1: the prefix length of an address block must be "
		 "0 to 32"},
		{CMD_ENCLAVE, "enclave --policy-allow a.example", "",
		 "policy.allow rule 1: no port: want HOST:PORT or HOST:*"},
		{CMD_ENCLAVE, "enclave --tls-cipher-suites=", "",
		 "tls.cipher_suites: is empty, must name at least one"},
		{CMD_ENCLAVE, "enclave --tls-cipher-suites TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "",
		 "tls.cipher_suites: names none of TLS 1.3, which tls.min_version asks for "
		 "(TLS_AES_256_GCM_SHA384 is one)"},
		{CMD_DEMO, "demo --endpoint ftp://x", "",
		 "--endpoint: \"ftp://x\" is not valid: an https:// or http:// URL"},
		{CMD_HOST, "host --print-config=yaml", "", "--print-config: \"yaml\" is not json"},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		assert_int_equal(load(cases[i].command, cases[i].args, cases[i].env), SETTINGS_ERROR);
		assert_string_equal(err.text, cases[i].text);
		assert_int_equal(err.kind, ERR_CONFIG);
		assert_string_equal(printed, "");
	}
	assert_int_equal(load(CMD_ENCLAVE,
			      "enclave --tls-min-version 1.2 --tls-cipher-suites "
			      "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
			      ""),
			 SETTINGS_RUN);
}

/* A number where one is meant, a null where nothing is said, and a mistake in either. */
static void test_json_values(void **state)
{
	(void)state;
	char args[100];
	snprintf(args, sizeof args, "host --config %s", file);
	write_file("{\"workers\": 2, \"tunnel\": null, \"policy\": {\"allow\": null}}");
	assert_int_equal(load_host(args, ""), SETTINGS_RUN);
	assert_string_equal(s.workers, "2");
	static const char *const bad[][2] = {
		{"{\"workers\": 0}", "workers: \"0\" is not valid"},
		{"{\"workers\": true}", "workers: is true or false, must be a text or a number"},
		{"{\"bogus\": null}", "unknown key \"bogus\""},
		{"{\"policy\": {\"alow\": null}}", "did you mean \"policy.allow\"?"},
		{"{\"host_proxy\": {\"listen\": 5}}", "host_proxy.listen: is a number, must be a text"},
	};
	for (size_t i = 0; i < countof(bad); i++) {
		write_file(bad[i][0]);
		assert_int_equal(load_host(args, ""), SETTINGS_ERROR);
		if (!strstr(err.text, bad[i][1]))
			fail_msg("%s", err.text);
	}
}

static void test_cid(void **state)
{
	(void)state;
	static const char *const low[] = {"the hypervisor", "this machine itself", "a hypervisor's host",
					  "the instance itself as its enclaves see it"};
	char env[32];
	for (unsigned cid = 0; cid < 6; cid++) {
		snprintf(env, sizeof env, "ENCLAVE_CID=%u", cid);
		assert_int_equal(load_host("host", env), SETTINGS_RUN);
		assert_int_equal(s.warnings.count, cid < 4);
		if (cid < 4)
			assert_true(has(&s.warnings, low[cid]));
		/* Only the host dials it, and only over vsock. */
		assert_int_equal(load(CMD_TUNNEL, "tunnel --allow a.example:1", env), SETTINGS_RUN);
		assert_int_equal(s.warnings.count, 0);
	}
	assert_int_equal(load_host("host --enclave vsock:parent:5000", ""), SETTINGS_RUN);
	assert_true(has(&s.warnings, "CID is 3"));
	assert_int_equal(load_host("host --enclave unix:/e", ""), SETTINGS_RUN);
	assert_int_equal(s.warnings.count, 0);
}

static void test_insecure(void **state)
{
	(void)state;
	assert_int_equal(load_host("host --log-level error", "DEBUG_MODE=true"), SETTINGS_RUN);
	assert_int_equal(s.logging.level, LOG_DEBUG);
	assert_true(has(&s.insecure, "enclave.debug_mode"));
	assert_int_equal(load(CMD_ENCLAVE,
			      "enclave --no-tls-verify-certificates --allow-plain-http --policy-mode report",
			      ""),
			 SETTINGS_RUN);
	assert_int_equal(s.insecure.count, 3);
	assert_true(has(&s.insecure, "tls.verify_certificates is false"));
	assert_true(has(&s.insecure, "allow_plain_http is true"));
	assert_true(has(&s.insecure, "policy.mode is report"));
	assert_true(has(&s.warnings, "every service may be reached"));
	/* What counts is the policy in effect, to which a file has a say, too. */
	char args[120];
	write_file("mode report\nallow a.example:443\n");
	snprintf(args, sizeof args, "enclave --policy-file %s", file);
	assert_int_equal(load(CMD_ENCLAVE, args, ""), SETTINGS_RUN);
	assert_true(has(&s.insecure, "policy.mode is report"));
	assert_false(has(&s.warnings, "every service may be reached"));
	write_file("mode enforce\n");
	snprintf(args, sizeof args, "enclave --policy-mode report --policy-file %s", file);
	assert_int_equal(load(CMD_ENCLAVE, args, ""), SETTINGS_RUN);
	assert_int_equal(s.insecure.count, 0);
	assert_true(has(&s.warnings, "every service may be reached"));
	assert_int_equal(load(CMD_ENCLAVE, "enclave --ca-file /nonexistent/roots.pem", ""), SETTINGS_RUN);
	assert_true(
		has(&s.warnings, "tls.ca_file: /nonexistent/roots.pem cannot be read here: No such file"));
	assert_int_equal(load(CMD_TUNNEL, "tunnel", ""), SETTINGS_RUN);
	assert_true(has(&s.warnings, "tunnel.allow is not set"));
	assert_int_equal(load_host("host --listen tcp:0.0.0.0:1", "NITROPROXY_PROT=1"), SETTINGS_RUN);
	assert_true(has(&s.warnings, "host_proxy.listen is tcp:0.0.0.0:1: everybody"));
	assert_true(has(&s.warnings, "NITROPROXY_PROT in the environment is no setting's name"));
}

static void test_printing(void **state)
{
	(void)state;
	assert_int_equal(load_host("host --version", ""), SETTINGS_PRINTED);
	assert_string_equal(printed, "nitroproxy " NP_VERSION "\n");
	assert_int_equal(load_host("host --nonsense --help", "LOG_LEVEL=loud"), SETTINGS_PRINTED);
	assert_memory_equal(printed, "Usage: nitroproxy host [OPTION]...\n", 35);
	assert_non_null(strstr(printed, "--listen, --host-proxy-listen ADDR\n"));
	assert_null(strstr(printed, "--tunnel-listen"));
	assert_int_equal(load(CMD_TUNNEL, "tunnel --help", ""), SETTINGS_PRINTED);
	assert_non_null(strstr(printed, "--listen, --tunnel-listen ADDR\n"));
	assert_int_equal(load_host("host --check-config", "ENCLAVE_CID=3"), SETTINGS_PRINTED);
	assert_memory_equal(printed, "warning: the enclave's CID is 3", 31);
	assert_non_null(strstr(printed, "\nthe configuration is valid for \"host\"\n"));

	assert_int_equal(load_host("host --access-auth "
				   "alice:pbkdf2-sha256:1000:00112233445566778899aabbccddeeff:"
				   "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
				   " --port 1 --print-config",
				   "ENCLAVE_CID=44"),
			 SETTINGS_PRINTED);
	assert_non_null(strstr(printed, "\"port\": 1, // command line\n"));
	assert_non_null(strstr(printed, "\"cid\": 44, // environment\n"));
	assert_non_null(strstr(printed, "\"listen\": \"tcp:127.0.0.1:1\", // derived\n"));
	assert_non_null(strstr(printed, "\"auth\": [\"(secret)\"], // command line\n"));
	assert_null(strstr(printed, "alice"));

	/* Strict JSON that gives the same configuration when read back. */
	assert_int_equal(load_host("host --port 1 --print-config=json", "ENCLAVE_CID=44"), SETTINGS_PRINTED);
	assert_null(strstr(printed, " //"));
	char *first = mem_text(printed);
	write_file(first);
	assert_int_equal(load_host(with_file("--print-config=json"), ""), SETTINGS_PRINTED);
	assert_string_equal(printed, first);
	free(first);
}

/* Whoever writes the environment cannot make documents mean nothing. */
static void test_software_nsm(void **state)
{
	(void)state;
	assert_int_equal(load(CMD_ENCLAVE, "enclave", "NITROPROXY_NSM=software"), SETTINGS_ERROR);
	assert_non_null(strstr(err.text, "not taken from the environment"));
	assert_int_equal(load(CMD_ENCLAVE, "enclave", "NITROPROXY_NSM=device"), SETTINGS_RUN);
	assert_int_equal(s.insecure.count, 0);
	assert_int_equal(load(CMD_ENCLAVE, "enclave --nsm software", ""), SETTINGS_RUN);
	assert_int_equal(s.insecure.count, 1);
	assert_non_null(strstr(s.insecure.items[0], "prove nothing"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, settings_set_up, settings_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_table),  TEST(test_defaults),		 TEST(test_flags),    TEST(test_precedence),
		TEST(test_legacy), TEST(test_derived_addresses), TEST(test_errors),   TEST(test_json_values),
		TEST(test_cid),	   TEST(test_insecure),		 TEST(test_printing), TEST(test_software_nsm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
