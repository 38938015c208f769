#include "proxy/settings_table.h"

#include "base/check.h"
#include "net/address.h"
#include "net/hostname.h"
#include "proxy/settings.h"

#define WORKERS_MAX 64

/* ---- what texts must look like ---- */

static bool check_address(const char *text, struct error *err)
{
	struct address a;
	return address_parse(text, &a, err);
}

static bool check_name(const char *text, struct error *err)
{
	char canonical[HOSTNAME_MAX];
	enum hostname_type type;
	return hostname_canonical_bare(span_of(text), canonical, &type, err) &&
	       (strcmp(text, canonical) == 0 ||
		error_set(err, ERR_CONFIG, "a name in lower case, or an address"));
}

static bool check_uint(const char *text, struct error *err)
{
	uint64_t n = 0;
	const char *p = text;
	for (; *p >= '0' && *p <= '9' && n <= UINT32_MAX; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	return (p > text && !*p && n <= UINT32_MAX) ||
	       error_set(err, ERR_CONFIG, "a number from 0 to 4294967295");
}

static bool check_workers(const char *text, struct error *err)
{
	unsigned n = 0;
	const char *p = text;
	for (; *p >= '0' && *p <= '9' && n <= WORKERS_MAX; p++)
		n = n * 10 + (unsigned)(*p - '0');
	return strcmp(text, "auto") == 0 || (p > text && !*p && n >= 1 && n <= WORKERS_MAX && *text != '0') ||
	       error_set(err, ERR_CONFIG, "a number from 1 to %d, or auto", WORKERS_MAX);
}

static bool check_url(const char *text, struct error *err)
{
	struct span s = span_of(text);
	return (span_starts(s, SPAN("https://")) && s.n > 8) ||
	       (span_starts(s, SPAN("http://")) && s.n > 7) ||
	       error_set(err, ERR_CONFIG, "an https:// or http:// URL");
}

/* ---- words ---- */

static const struct opt_choice commands[] = {
	{"host", CMD_HOST}, {"enclave", CMD_ENCLAVE}, {"tunnel", CMD_TUNNEL}, {"demo", CMD_DEMO}, {NULL, 0}};

static const struct opt_choice print_styles[] = {{"json", OPTS_JSON}, {NULL, 0}};

static const struct opt_choice tls_versions[] = {
	{"TLSv1.3", TLS_1_3}, {"TLS1.3", TLS_1_3}, {"1.3", TLS_1_3}, {"TLSv1.2", TLS_1_2},
	{"TLS1.2", TLS_1_2},  {"1.2", TLS_1_2},	   {NULL, 0}};

/* Forward secret AEAD suites: RFC 8446 B.4 without CCM, and the TLS 1.2 ones of RFC 9325 section 4.2. */
static const struct opt_choice cipher_suites[] = {{"TLS_AES_128_GCM_SHA256", 0},
						  {"TLS_AES_256_GCM_SHA384", 1},
						  {"TLS_CHACHA20_POLY1305_SHA256", 2},
						  {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 3},
						  {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 4},
						  {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 5},
						  {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 6},
						  {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 7},
						  {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 8},
						  {NULL, 0}};

static const struct opt_choice policy_modes[] = {
	{"enforce", POLICY_ENFORCE}, {"report", POLICY_REPORT}, {NULL, 0}};
static const struct opt_choice verdicts[] = {{"allow", POLICY_ALLOW}, {"deny", POLICY_DENY}, {NULL, 0}};

static const struct opt_choice nsm_choices[] = {{"auto", NSM_AUTO},
						{"device", NSM_DEVICE},
#ifndef NP_ENCLAVE_BUILD
						{"software", NSM_SOFTWARE},
#endif
						{"off", NSM_OFF},
						{NULL, 0}};

static const struct opt_choice sandbox_modes[] = {
	{"enforce", SANDBOX_ENFORCE}, {"log", SANDBOX_LOG}, {"off", SANDBOX_OFF}, {NULL, 0}};

static const struct opt_choice levels[] = {
	{"error", LOG_ERROR}, {"critical", LOG_ERROR}, {"warn", LOG_WARN}, {"warning", LOG_WARN},
	{"info", LOG_INFO},   {"debug", LOG_DEBUG},    {NULL, 0}};
static const struct opt_choice formats[] = {
	{"logfmt", LOG_LOGFMT}, {"text", LOG_LOGFMT}, {"json", LOG_JSON}, {NULL, 0}};

/* ---- rows ---- */

#define H   CMD_HOST
#define E   CMD_ENCLAVE
#define T   CMD_TUNNEL
#define D   CMD_DEMO
#define ALL (H | E | T | D)

#define MS   1
#define SEC  1000
#define MIN  (60 * SEC)
#define HOUR (60 * MIN)
#define KB   1024u
#define MB   (1024u * KB)
#define GB   (1024u * MB)

/* path and type, default, range; commands and whatever else by name behind them; help last. */
#define AT(field, ctype) OPT_FIELD(struct settings, field, ctype)
#define ROW(PATH, TYPE, CTYPE, FIELD, DEF, ...)                                                              \
	{                                                                                                    \
		.path = PATH, .type = TYPE, .offset = AT(FIELD, CTYPE), .def = DEF, __VA_ARGS__              \
	}
#define BOOL(PATH, FIELD, DEF, ...) ROW(PATH, OPT_BOOL, bool, FIELD, DEF, __VA_ARGS__)
#define UINT(PATH, FIELD, DEF, MIN_, MAX_, ...)                                                              \
	ROW(PATH, OPT_UINT, uint32_t, FIELD, DEF, .min = (MIN_), .max = (MAX_), __VA_ARGS__)
#define SIZE(PATH, FIELD, DEF, MIN_, MAX_, ...)                                                              \
	ROW(PATH, OPT_SIZE, uint64_t, FIELD, DEF, .min = (MIN_), .max = (MAX_), __VA_ARGS__)
#define TIME(PATH, FIELD, DEF, MIN_, MAX_, ...)                                                              \
	ROW(PATH, OPT_DURATION, uint64_t, FIELD, DEF, .min = (MIN_), .max = (MAX_), __VA_ARGS__)
#define TEXT(PATH, FIELD, DEF, ...) ROW(PATH, OPT_TEXT, const char *, FIELD, DEF, __VA_ARGS__)
#define ADDR(PATH, FIELD, DEF, ...) TEXT(PATH, FIELD, DEF, .check = check_address, .arg = "ADDR", __VA_ARGS__)
#define LIST(PATH, FIELD, DEF, ...) ROW(PATH, OPT_LIST, struct text_list, FIELD, DEF, __VA_ARGS__)
#define WORD(PATH, FIELD, CTYPE, CHOICES, DEF, ...)                                                          \
	ROW(PATH, OPT_CHOICE, CTYPE, FIELD, DEF, .choices = CHOICES, __VA_ARGS__)
#define ACTION(PATH, ...)                                                                                    \
	{                                                                                                    \
		.path = PATH, .type = OPT_ACTION, .commands = ALL, __VA_ARGS__                               \
	}

/* clang-format off */
static const struct opt rows[] = {
	ACTION("config", .letter = 'c', .arg = "FILE",
	       .help = "Reads the settings from this JSON file; // comments are fine"),
	ACTION("env-file", .arg = "FILE",
	       .help = "Reads NAME=VALUE lines from this file, below the real environment"),
	ACTION("print-config", .choices = print_styles,
	       .help = "Prints the configuration in effect with the source of each value, or as plain JSON, and exits"),
	ACTION("check-config", .help = "Checks the configuration, prints what is remarkable about it, and exits"),
	{.path = "health", .type = OPT_ACTION, .commands = H,
	 .help = "Asks the host that runs with these settings how it is, and exits: 0 well, 1 not"},
	ACTION("version", .letter = 'V', .help = "Prints the version and exits"),
	ACTION("help", .letter = 'h', .help = "Prints this and exits"),

	BOOL("allow_plain_http", allow_plain_http, "false", .commands = E,
	     .help = "Lets http:// targets through, which the host can read and alter"),

	WORD("sandbox", sandbox, enum sandbox_mode, sandbox_modes, "enforce", .commands = H | E | T,
	     .help = "Whether a system call or file that the role has no use for ends the process, is logged by the kernel, or done"),

	TEXT("workers", workers, "auto", .check = check_workers, .commands = H | E | T, .arg = "N", .flags = OPT_NUMERIC,
	     .help = "Processes that serve; auto: one a CPU, up to 16, but 1 where there are at most 2 CPUs, or where there can only be 1"),

	BOOL("trunk", trunk, "true", .commands = H | E | T,
	     .help = "Whether exchanges share one connection between two of the processes, and only bulk has its own"),

	BOOL("trace", trace, "false", .commands = H | E,
	     .help = "Answers requests that ask with X-Nitroproxy-Trace: 1 with times by stage and the facts of TLS"),

	BOOL("receipts", receipts, "false", .commands = E,
	     .help = "Answers requests that ask with X-Nitroproxy-Want-Receipt: 1 with a signed receipt"),

	WORD("nsm", nsm, enum nsm_choice, nsm_choices, "auto", .commands = E,
	     .help = "What makes attestation documents: /dev/nsm (auto: if it is there), or nothing"),

	UINT("enclave.cid", enclave.cid, "16", 0, UINT32_MAX - 1, .commands = H, .env = "ENCLAVE_CID",
	     .help = "The enclave's CID as the host sees it: what nitro-cli run-enclave was given, from 4 on"),
	UINT("enclave.port", enclave.port, "5000", 1, UINT32_MAX - 1, .commands = H | E, .env = "ENCLAVE_PORT",
	     .help = "The vsock port on which the enclave listens for the host"),
	UINT("enclave.memory_mb", enclave.memory_mb, "512", 64, 1u << 24, .commands = 0,
	     .help = "Memory of the enclave in MiB, for the deployment scripts"),
	UINT("enclave.cpu_count", enclave.cpu_count, "2", 1, 512, .commands = 0,
	     .help = "CPUs of the enclave, for the deployment scripts"),
	BOOL("enclave.debug_mode", enclave.debug_mode, "false", .commands = ALL, .env = "DEBUG_MODE",
	     .help = "Logs at level debug and marks the service as insecure"),
	ADDR("enclave.listen", enclave.listen, "", .shown = "vsock:any:5000, with enclave.port",
	     .commands = E, .flag = "listen",
	     .help = "Where the enclave listens for the host"),
	ADDR("enclave.http_listen", enclave.http_listen, "", .commands = E, .flag = "http-listen",
	     .help = "Where the enclave listens for plain HTTP from apps inside it; unset: nowhere"),
	ADDR("enclave.tunnel", enclave.tunnel, "vsock:parent:5001", .commands = E, .flag = "tunnel",
	     .help = "Where the enclave finds the tunnel"),
	BOOL("enclave.init", enclave.init, "false", .commands = E, .flag = "init",
	     .help = "Prepares the machine as its first process does: mounts, modules, lo, clock, heartbeat; as PID 1 always"),
	LIST("enclave.app", enclave.app, "", .commands = E, .arg = "WORDS",
	     .help = "Application to run beside the enclave's proxy: program and arguments; unset: none"),
	LIST("enclave.app_env", enclave.app_env, "", .commands = E, .arg = "NAME=VALUE",
	     .help = "The application's environment, beside PATH, HOME and the proxy's variables"),
	UINT("enclave.app_uid", enclave.app_uid, "1000", 0, UINT32_MAX - 1, .commands = E,
	     .help = "User and group that the application runs as; 0: root"),
	BOOL("enclave.app_once", enclave.app_once, "false", .commands = E,
	     .help = "Ends the enclave when the application ends, instead of starting it again"),

	UINT("host_proxy.port", host_proxy.port, "8080", 0, 65535, .commands = H, .flag = "port", .letter = 'p',
	     .env = "HOST_PROXY_PORT", .help = "TCP port of the proxy on 127.0.0.1; 0: any that is free"),
	UINT("host_proxy.max_retries", host_proxy.max_retries, "3", 0, 100, .commands = H,
	     .help = "How often reaching the enclave is tried again for a request of which nothing was passed on"),
	TIME("host_proxy.retry_delay", host_proxy.retry_delay, "250ms", 1 * MS, 1 * MIN, .commands = H,
	     .help = "Wait before the first retry; doubles with each, with jitter"),
	TIME("host_proxy.timeout", host_proxy.timeout, "30s", 1 * MS, 1 * HOUR, .commands = H,
	     .help = "The older name of timeouts.response_header, which wins where both are set"),
	ADDR("host_proxy.listen", host_proxy.listen, "", .shown = "tcp:127.0.0.1:8080, with host_proxy.port",
	     .commands = H, .flag = "listen", .help = "Where the host proxy listens"),
	ADDR("host_proxy.enclave", host_proxy.enclave, "",
	     .shown = "vsock:16:5000, with enclave.cid and enclave.port", .commands = H, .flag = "enclave",
	     .help = "Where the host finds the enclave"),
	BOOL("host_proxy.enclave_log", host_proxy.enclave_log, "true", .commands = H,
	     .help = "Writes the enclave's log lines into the host's log and its metrics into the host's /metrics"),

	ADDR("ingress.listen", ingress.listen, "", .commands = H,
	     .help = "Where the host takes TLS connections that end in the enclave; unset: nowhere"),
	UINT("ingress.port", ingress.port, "5443", 1, UINT32_MAX - 1, .commands = H,
	     .help = "The vsock port on which the enclave takes them from the host"),
	ADDR("ingress.enclave", ingress.enclave, "", .shown = "vsock:16:5443, with enclave.cid and ingress.port",
	     .commands = H, .help = "Where the host finds the enclave's ingress"),
	ADDR("ingress.enclave_listen", ingress.enclave_listen, "", .commands = E,
	     .help = "Where the enclave takes these connections from the host, vsock:any:5443 for example; unset: nowhere"),
	ADDR("ingress.app", ingress.app, "", .shown = "the proxy itself", .commands = E,
	     .help = "The application in the enclave that they are for, tcp:127.0.0.1:3000 for example"),
	LIST("ingress.names", ingress.names, "enclave.internal", .check = check_name, .commands = E, .arg = "NAME",
	     .help = "Names in the certificate that the enclave makes; clients trust its key by attestation, not by name"),
	TEXT("ingress.certificate", ingress.certificate, "", .commands = E, .arg = "FILE",
	     .help = "A certificate with its chain (PEM) instead of one that the enclave makes; looked at again every ingress.rotate"),
	TEXT("ingress.key", ingress.key, "", .commands = E, .arg = "FILE",
	     .help = "The key of ingress.certificate (PEM): no longer born in the enclave, and in an image readable by the host"),
	LIST("ingress.client_ca", ingress.client_ca, "", .commands = E, .arg = "FILE",
	     .help = "Clients must show a certificate for clientAuth under one of these roots (PEM); unset: anybody may come"),
	BOOL("ingress.forward_client", ingress.forward_client, "false", .commands = E,
	     .help = "Tells ingress.app the client's key: SHA-256 of its SubjectPublicKeyInfo in X-Nitroproxy-Client-Key"),
	TIME("ingress.rotate", ingress.rotate, "24h", 1 * SEC, UINT64_C(720) * HOUR, .commands = E,
	     .help = "How long a key is used for new connections"),
	TIME("ingress.overlap", ingress.overlap, "1h", 1 * SEC, UINT64_C(720) * HOUR, .commands = E,
	     .help = "How long connections of a replaced key may go on asking"),

	ADDR("tunnel.listen", tunnel.listen, "vsock:any:5001", .commands = T, .flag = "listen",
	     .help = "Where the tunnel listens for the enclave"),
	LIST("tunnel.allow", tunnel.allow, "", .commands = T, .flag = "allow", .arg = "HOST:PORT",
	     .help = "What may be connected to: names, *.names or addresses, with a port or *; unset: everything"),
	LIST("tunnel.allow_cidr", tunnel.allow_cidr, "", .commands = T, .flag = "allow-cidr", .arg = "CIDR",
	     .help = "Loopback, private and other special addresses that may be dialled all the same"),

	WORD("tls.min_version", tls.min_version, enum tls_version, tls_versions, "TLSv1.3", .commands = E,
	     .help = "The oldest TLS version that is spoken with services"),
	BOOL("tls.verify_certificates", tls.verify_certificates, "true", .commands = E,
	     .help = "Checks certificates and names of services; off: anybody may answer in their place"),
	LIST("tls.cipher_suites", tls.cipher_suites,
	     "TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, "
	     "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "
	     "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "
	     "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	     .shown = "all, as listed", .choices = cipher_suites, .commands = E, .arg = "NAMES",
	     .help = "Cipher suites in order of preference, by their IANA names"),
	LIST("tls.ca_file", tls.ca_file, "", .shown = "the system's bundle", .commands = E | D, .flag = "ca-file",
	     .arg = "PATH", .help = "Roots that services are verified against: PEM files or directories of them"),

	TEXT("policy.file", policy.file, "", .commands = E, .arg = "FILE",
	     .help = "Reads further policy rules from this file"),
	WORD("policy.mode", policy.mode, enum policy_mode, policy_modes, "enforce", .commands = E,
	     .help = "Whether what the policy denies is refused, or only logged"),
	WORD("policy.default", policy.without_rules, enum policy_default, verdicts, "allow", .commands = E,
	     .help = "The verdict while no rule is configured"),
	LIST("policy.allow", policy.allow, "", .commands = E, .arg = "RULE", .flags = OPT_SEMICOLONS,
	     .help = "Requests that may go out; with any of these, nothing else may"),
	LIST("policy.deny", policy.deny, "", .commands = E, .arg = "RULE", .flags = OPT_SEMICOLONS,
	     .help = "Requests that may not go out, whatever policy.allow says"),

	LIST("access.auth", access.auth, "", .commands = H | E, .arg = "SECRET",
	     .flags = OPT_SECRET, .help = "Who may use the proxy, USER:pbkdf2-sha256:ITERATIONS:SALT:HASH in hex; unset: everybody who reaches it"),
	LIST("access.peer_cids", access.peer_cids, "", .check = check_uint, .commands = E | T, .arg = "CID",
	     .help = "vsock peers that may connect; unset: all"),
	LIST("access.peer_uids", access.peer_uids, "", .check = check_uint, .commands = H | E | T, .arg = "UID",
	     .help = "Users that may connect over unix sockets; unset: all whom the socket's mode lets in"),

	UINT("limits.header_bytes", limits.header_bytes, "32768", 1024, 49152, .commands = H | E,
	     .help = "Bytes of a message head"),
	UINT("limits.header_count", limits.header_count, "100", 8, 120, .commands = H | E,
	     .help = "Fields of a message head"),
	UINT("limits.url_length", limits.url_length, "8192", 256, 32768, .commands = H | E,
	     .help = "Bytes of a request's target"),
	UINT("limits.connections", limits.connections, "10000", 1, 1000000, .commands = H | E | T,
	     .help = "Connections that are accepted at a time"),
	UINT("limits.connections_per_target", limits.connections_per_target, "1024", 1, 1000000, .commands = E | T,
	     .help = "Connections to one service at a time"),
	UINT("limits.client_connections", limits.client_connections, "0", 0, 1000000, .commands = H | E,
	     .help = "Requests of one client that run at a time; 0: no limit of its own"),
	UINT("limits.client_rate", limits.client_rate, "0", 0, 1000000, .commands = H | E,
	     .help = "Requests of one client in a second; 0: no limit"),
	UINT("limits.pool_idle", limits.pool_idle, "256", 0, 100000, .commands = E,
	     .help = "Idle connections kept for one service"),
	UINT("limits.pool_total", limits.pool_total, "1024", 0, 100000, .commands = E,
	     .help = "Idle connections kept for all services"),
	UINT("limits.enclave_connections", limits.enclave_connections, "1024", 1, 100000, .commands = H,
	     .help = "Connections from the host to the enclave, each carrying one request at a time"),
	UINT("limits.attestation_rate", limits.attestation_rate, "20", 1, 10000, .commands = E,
	     .help = "Attestation documents that are made in a second, for all who ask together"),

	TIME("timeouts.client_header", timeouts.client_header, "10s", 1 * MS, 1 * HOUR, .commands = H | E,
	     .help = "For a request's head, from its first byte on"),
	TIME("timeouts.client_idle", timeouts.client_idle, "60s", 1 * MS, 24 * HOUR, .commands = H | E,
	     .help = "For the next request on a kept connection"),
	TIME("timeouts.body_stall", timeouts.body_stall, "60s", 1 * MS, 1 * HOUR, .commands = H | E,
	     .help = "For the next bytes of a request's body"),
	TIME("timeouts.enclave_connect", timeouts.enclave_connect, "2s", 1 * MS, 10 * MIN, .commands = H,
	     .help = "For a connection to the enclave, each try"),
	TIME("timeouts.tunnel_connect", timeouts.tunnel_connect, "20s", 1 * MS, 10 * MIN, .commands = H | E,
	     .help = "For the tunnel to have reached the service; more than timeouts.dns and timeouts.connect together"),
	TIME("timeouts.tunnel_request", timeouts.tunnel_request, "5s", 1 * MS, 10 * MIN, .commands = T,
	     .help = "For the request at the start of a tunnel"),
	TIME("timeouts.dns", timeouts.dns, "5s", 1 * MS, 10 * MIN, .commands = T,
	     .help = "For resolving a name"),
	TIME("timeouts.connect", timeouts.connect, "10s", 1 * MS, 10 * MIN, .commands = T,
	     .help = "For a connection to a service, all its addresses together"),
	TIME("timeouts.tls_handshake", timeouts.tls_handshake, "10s", 1 * MS, 10 * MIN, .commands = H | E,
	     .help = "For the TLS handshake with a service"),
	TIME("timeouts.response_header", timeouts.response_header, "30s", 1 * MS, 1 * HOUR, .commands = H | E,
	     .shown = "host_proxy.timeout",
	     .help = "For a response's head, from the end of the request on"),
	TIME("timeouts.response_stall", timeouts.response_stall, "60s", 1 * MS, 1 * HOUR, .commands = H | E,
	     .help = "For the next bytes of a response's body, or for the client to take them"),
	TIME("timeouts.tunnel_idle", timeouts.tunnel_idle, "10m", 1 * MS, 24 * HOUR, .commands = H | E | T,
	     .help = "For any byte either way on a raw tunnel: CONNECT, WebSocket, the tunnel's own"),
	TIME("timeouts.pool_idle", timeouts.pool_idle, "60s", 1 * MS, 1 * HOUR, .commands = H | E,
	     .help = "How long an idle connection is kept for the next request"),
	TIME("timeouts.drain", timeouts.drain, "30s", 0, 1 * HOUR, .commands = H | E | T,
	     .help = "After SIGTERM, for what runs to end"),

	WORD("logging.level", logging.level, enum log_level, levels, "info", .commands = ALL,
	     .flag = "log-level", .letter = 'l', .env = "LOG_LEVEL", .help = "How much is logged"),
	WORD("logging.format", logging.format, enum log_format, formats, "logfmt", .commands = ALL,
	     .help = "How lines are written"),
	TEXT("logging.file", logging.file, "", .shown = "stderr", .commands = ALL, .arg = "FILE",
	     .help = "Where lines go"),
	SIZE("logging.max_size", logging.max_size, "10MB", 0, 1024ull * GB, .commands = ALL,
	     .help = "Size at which the log file becomes FILE.1; 0: never"),
	UINT("logging.backup_count", logging.backup_count, "5", 0, 1000, .commands = ALL,
	     .help = "Older log files that are kept, FILE.1 being the latest"),

	TEXT("demo.proxy", demo.proxy, "http://127.0.0.1:8080", .commands = D, .flag = "proxy", .arg = "URL",
	     .help = "The proxy that is checked: http://HOST:PORT, or an address such as unix:PATH"),
	LIST("demo.test_endpoints", demo.test_endpoints,
	     "https://httpbin.org, https://jsonplaceholder.typicode.com/posts/1, https://api.github.com/users/octocat",
	     .check = check_url, .commands = D, .flag = "endpoint", .arg = "URL",
	     .help = "Services that the checks use: one that echoes requests as httpbin does, without a path, and looked-up JSON objects"),
	LIST("demo.refused_endpoints", demo.refused_endpoints,
	     "https://wrong.host.badssl.com, https://self-signed.badssl.com", .check = check_url, .commands = D,
	     .flag = "refused-endpoint", .arg = "URL", .help = "Services whose certificates have to be refused"),
	LIST("demo.denied_endpoints", demo.denied_endpoints, "https://169.254.169.254", .check = check_url,
	     .commands = D, .flag = "denied-endpoint", .arg = "URL",
	     .help = "Targets that the policy, or the tunnel's address rules, have to refuse"),
	TIME("demo.request_timeout", demo.request_timeout, "30s", 1 * MS, 1 * HOUR, .commands = D,
	     .help = "For each request of the demo"),
	UINT("demo.concurrent_requests", demo.concurrent_requests, "10", 1, 10000, .commands = D,
	     .help = "Requests at a time in the demo's check of concurrency"),
	BOOL("demo.local", demo.local, "false", .commands = D, .flag = "local",
	     .help = "Starts tunnel, enclave, host and services itself, checks them without any network, and ends them"),
	LIST("demo.report", demo.report, "", .commands = D, .flag = "report", .arg = "FILE",
	     .help = "Writes a report: .txt, .json, .html, or .xml for JUnit; may be repeated"),
	TEXT("demo.serve_origin", demo.serve_origin, "", .commands = D, .flag = "serve-origin", .arg = "ADDR",
	     .help = "Only serves what the checks ask for, over TLS, at this address, until it is told to end"),
	TEXT("demo.origin_ca", demo.origin_ca, "", .commands = D, .flag = "origin-ca", .arg = "FILE",
	     .help = "Where --serve-origin writes the certificate of its CA"),
};
/* clang-format on */

const struct opt_table settings_table = {
	.rows = rows, .count = countof(rows), .env_prefix = "NITROPROXY_", .commands = commands};
