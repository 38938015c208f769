/* What no single row can see: settings against each other, and what a user should be told. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "net/address.h"
#include "proxy/allow.h"
#include "proxy/auth.h"
#include "proxy/settings_impl.h"
#include "tls/cert.h"

/* AWS: run-enclave gives CIDs from 4 on, the lower ones have fixed meanings (vsock(7)). */
static void check_cid(struct settings *s)
{
	static const char *const meaning[] = {"the hypervisor", "this machine itself", "a hypervisor's host",
					      "the instance itself as its enclaves see it"};
	struct address a;
	if (!address_parse(s->host_proxy.enclave, &a, NULL) || a.kind != ADDRESS_VSOCK ||
	    a.cid >= countof(meaning))
		return;
	text_list_addf(
		&s->warnings,
		"the enclave's CID is %u, which means %s: enclaves have CIDs from 4 on, so none can be "
		"reached there (give run-enclave --enclave-cid 16 and set enclave.cid to 16)",
		a.cid, meaning[a.cid]);
}

static bool is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static void check_exposure(struct settings *s, const char *path, const char *text)
{
	struct address a;
	if (s->access.auth.count || !address_parse(text, &a, NULL) || a.kind != ADDRESS_TCP ||
	    is_loopback(a.host))
		return;
	text_list_addf(
		&s->warnings,
		"%s is %s: everybody who reaches that address may use the proxy, in clear (access.auth "
		"is not set)",
		path, text);
}

static void check_host(struct settings *s)
{
	check_cid(s);
	check_exposure(s, "host_proxy.listen", s->host_proxy.listen);
}

/* Of the policy in effect: a file may say mode and default, too. */
static void check_policy(struct settings *s, const struct policy *p)
{
	if (p->otherwise == POLICY_ALLOW)
		text_list_add(&s->warnings,
			      p->count ? "policy.allow is not set: what policy.deny does not name is allowed"
				       : "no policy is set and policy.default is allow: every service may be "
					 "reached");
	if (p->mode == POLICY_REPORT)
		text_list_add(&s->insecure, "policy.mode is report: what the policy denies is not refused");
}

/* Not an error: what is checked here may run elsewhere. Where it starts, whoever needs the file refuses. */
static void check_file(struct settings *s, const char *path, const char *file)
{
	if (file[0] && access(file, R_OK) != 0)
		text_list_addf(&s->warnings, "%s: %s cannot be read here: %s", path, file, strerror(errno));
}

static void check_files(struct settings *s, const char *path, const struct text_list *files)
{
	for (size_t i = 0; i < files->count; i++)
		check_file(s, path, files->items[i]);
}

static void check_enclave(struct settings *s)
{
	check_files(s, "tls.ca_file", &s->tls.ca_file);
	check_file(s, "ingress.certificate", s->ingress.certificate);
	check_file(s, "ingress.key", s->ingress.key);
	check_files(s, "ingress.client_ca", &s->ingress.client_ca);
	check_exposure(s, "enclave.http_listen", s->enclave.http_listen);
	if (s->ingress.enclave_listen[0] && !s->ingress.app[0] && !s->access.auth.count &&
	    !s->ingress.client_ca.count)
		text_list_add(
			&s->warnings,
			"ingress.enclave_listen is set, ingress.app, ingress.client_ca and access.auth are "
			"not: everybody who reaches the host's ingress.listen may use the proxy");
	if (s->ingress.certificate[0])
		text_list_add(&s->warnings, "ingress.key is a file: the key that ends TLS is not born in the "
					    "enclave, and the host "
					    "can read it where it is a part of the image");
	if (!s->tls.verify_certificates)
		text_list_add(&s->insecure,
			      "tls.verify_certificates is false: whoever answers is taken for the service");
	if (s->allow_plain_http)
		text_list_add(
			&s->insecure,
			"allow_plain_http is true: the host can read and alter what goes to http:// targets");
	if (s->tls.min_version == TLS_1_2)
		text_list_add(&s->warnings,
			      "tls.min_version is TLSv1.2: services may be spoken to in TLS 1.2");
	if (s->timeouts.tunnel_connect < s->timeouts.dns + s->timeouts.connect)
		text_list_add(&s->warnings,
			      "timeouts.tunnel_connect is less than timeouts.dns and "
			      "timeouts.connect together: the tunnel's reasons may come too late");
}

static bool has_tls13_suite(const struct text_list *suites)
{
	for (size_t i = 0; i < suites->count; i++)
		if (strncasecmp(suites->items[i], "TLS_AES_", 8) == 0 ||
		    strncasecmp(suites->items[i], "TLS_CHACHA20_", 13) == 0)
			return true;
	return false;
}

static bool check_allow(const struct text_list *names, const struct text_list *blocks, const char *path,
			struct error *err)
{
	static const struct text_list none = {NULL, 0};
	struct allow allow;
	bool ok = allow_init(&allow, names ? names : &none, blocks ? blocks : &none, err);
	allow_free(&allow);
	return ok || error_wrap(err, "%s", path);
}

/* Those with a language of their own, read by whoever will use them. */
static bool check_rules(struct settings *s, struct error *err)
{
	bool ok = true;
	if (s->command == CMD_ENCLAVE) {
		struct policy policy;
		const struct policy_source source = {.mode = s->policy.mode,
						     .without_rules = s->policy.without_rules,
						     .allow = &s->policy.allow,
						     .deny = &s->policy.deny,
						     .file = s->policy.file};
		ok = policy_load(&policy, &source, err);
		if (ok)
			check_policy(s, &policy);
		policy_free(&policy);
	}
	if (s->command == CMD_TUNNEL)
		ok = check_allow(&s->tunnel.allow, NULL, "tunnel.allow", err) &&
		     check_allow(NULL, &s->tunnel.allow_cidr, "tunnel.allow_cidr", err);
	if (ok && s->access.auth.count) {
		struct auth *auth = auth_new(&s->access.auth, err);
		ok = auth || error_wrap(err, "access.auth");
		auth_free(auth);
	}
	return ok;
}

static bool check_ingress(const struct settings *s, struct error *err)
{
	if (!s->ingress.names.count || s->ingress.names.count > CERT_HOSTS_MAX)
		return error_set(err, ERR_CONFIG, "ingress.names: must have 1 to %d", CERT_HOSTS_MAX);
	if (!s->ingress.certificate[0] != !s->ingress.key[0])
		return error_set(err, ERR_CONFIG,
				 "ingress.certificate, ingress.key: one is set without the other");
	if (s->ingress.client_ca.count > SETTINGS_CLIENT_CA_MAX)
		return error_set(err, ERR_CONFIG, "ingress.client_ca: more than %d files",
				 SETTINGS_CLIENT_CA_MAX);
	if (s->ingress.forward_client && (!s->ingress.client_ca.count || !s->ingress.app[0]))
		return error_set(
			err, ERR_CONFIG,
			"ingress.forward_client: needs ingress.client_ca, which says whose clients are "
			"let in, and ingress.app");
	return true;
}

/* Whoever starts the process writes the environment, and in production that is not who wrote the image. */
static bool check_nsm(struct settings *s, struct error *err)
{
	if (s->nsm != NSM_SOFTWARE)
		return true;
	if (opts_source(&s->opts, "nsm") == OPT_ENV)
		return error_set(err, ERR_CONFIG,
				 "nsm: \"software\" is not taken from the environment, only from the file or "
				 "the command line");
	text_list_add(&s->insecure, "nsm is software: attestation documents prove nothing");
	return true;
}

bool settings_check(struct settings *s, struct error *err)
{
	if (!s->tls.cipher_suites.count)
		return error_set(err, ERR_CONFIG, "tls.cipher_suites: is empty, must name at least one");
	if (s->tls.min_version == TLS_1_3 && !has_tls13_suite(&s->tls.cipher_suites))
		return error_set(err, ERR_CONFIG,
				 "tls.cipher_suites: names none of TLS 1.3, which tls.min_version asks for "
				 "(TLS_AES_256_GCM_SHA384 is one)");
	if (!check_ingress(s, err) || !check_rules(s, err) || !settings_check_workers(s, err))
		return false;
	if (s->sandbox != SANDBOX_ENFORCE)
		text_list_addf(&s->warnings, "sandbox is %s: whoever takes over the process is not held back",
			       sandbox_mode_name(s->sandbox));
	if (s->enclave.debug_mode)
		text_list_add(&s->insecure, "enclave.debug_mode is true: everything is logged, and a debug "
					    "enclave proves nothing");
	switch (s->command) {
	case CMD_HOST:
		check_host(s);
		break;
	case CMD_ENCLAVE:
		check_enclave(s);
		return check_nsm(s, err);
	case CMD_TUNNEL:
		if (!s->tunnel.allow.count)
			text_list_add(
				&s->warnings,
				"tunnel.allow is not set: every public host and port may be connected to");
		break;
	case CMD_DEMO:
		break;
	}
	return true;
}
