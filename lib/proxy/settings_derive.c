/*
 * What follows from other settings: addresses from ports and CIDs, a stage's time from
 * the one timeout there used to be.
 *
 * An address that is set wins over a port that is set, unless the port comes from a
 * stronger source: HOST_PROXY_PORT=9090 moves the file's "tcp:0.0.0.0:8080" to 9090.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "net/address.h"
#include "proxy/settings_impl.h"

static void set(struct settings *s, const char *path, const char *text, enum opt_source source)
{
	struct error err;
	CHECK(opts_set(&s->opts, path, text, source, &err));
}

static bool stronger(const struct settings *s, const char *path, const char *than)
{
	return opts_source(&s->opts, path) > opts_source(&s->opts, than);
}

static void ineffective(struct settings *s, const char *path, const char *because, const char *text)
{
	text_list_addf(&s->warnings, "%s has no effect: %s is %s", path, because, text);
}

/* The text's address with another port, and cid where that is not NULL. */
static bool rewrite(const char *text, const uint32_t *cid, const uint32_t *port, char *out, size_t room)
{
	struct address a;
	if (!address_parse(text, &a, NULL) || a.kind == ADDRESS_UNIX || (cid && a.kind != ADDRESS_VSOCK))
		return false;
	unsigned p = port ? *port : a.port;
	bool colon = strchr(a.host, ':') != NULL;
	if (a.kind == ADDRESS_TCP)
		snprintf(out, room, "tcp:%s%s%s:%u", colon ? "[" : "", a.host[0] ? a.host : "*",
			 colon ? "]" : "", p);
	else if (a.kind == ADDRESS_HYBRID)
		snprintf(out, room, "hybrid:%s:%u", a.path, p);
	else if (!cid && a.cid == UINT32_MAX)
		snprintf(out, room, "vsock:any:%u", p);
	else
		snprintf(out, room, "vsock:%u:%u", cid ? *cid : a.cid, p);
	return true;
}

/* `path` is what `base` says, with the port of port_path and the CID of cid_path (or NULL). */
static void derive_address(struct settings *s, const char *path, const char *now, const char *base,
			   const char *port_path, uint32_t port, const char *cid_path, uint32_t cid)
{
	char text[ADDRESS_TEXT];
	bool is_default = opts_source(&s->opts, path) == OPT_DEFAULT;
	bool use_port = is_default || stronger(s, port_path, path);
	bool use_cid = cid_path && (is_default || stronger(s, cid_path, path));
	if (!use_port && !use_cid)
		return;
	if (rewrite(is_default ? base : now, use_cid ? &cid : NULL, use_port ? &port : NULL, text,
		    sizeof text))
		set(s, path, text, OPT_DERIVED);
	else
		ineffective(s, use_cid ? cid_path : port_path, path, now);
}

void settings_derive(struct settings *s)
{
	derive_address(s, "enclave.listen", s->enclave.listen, "vsock:any:5000", "enclave.port",
		       s->enclave.port, NULL, 0);
	derive_address(s, "host_proxy.listen", s->host_proxy.listen, "tcp:127.0.0.1:8080", "host_proxy.port",
		       s->host_proxy.port, NULL, 0);
	derive_address(s, "host_proxy.enclave", s->host_proxy.enclave, "vsock:16:5000", "enclave.port",
		       s->enclave.port, "enclave.cid", s->enclave.cid);

	derive_address(s, "ingress.enclave", s->ingress.enclave, "vsock:16:5443", "ingress.port",
		       s->ingress.port, "enclave.cid", s->enclave.cid);

	if (stronger(s, "host_proxy.timeout", "timeouts.response_header") &&
	    opts_source(&s->opts, "timeouts.response_header") == OPT_DEFAULT) {
		char text[32];
		snprintf(text, sizeof text, "%llums", (unsigned long long)s->host_proxy.timeout);
		set(s, "timeouts.response_header", text, OPT_DERIVED);
	}
	if (s->enclave.debug_mode && s->logging.level != LOG_DEBUG)
		set(s, "logging.level", "debug", OPT_DERIVED);
}
