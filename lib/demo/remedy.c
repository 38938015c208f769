#include "demo/remedy.h"

#include "base/check.h"

/* The first row that fits; HOP_NONE fits every hop, ERR_NONE every kind. */
static const struct {
	enum error_kind kind;
	enum hop hop;
	const char *text;
} rows[] = {
	{ERR_REFUSED, HOP_CLIENT, "Start the proxy (`nitroproxy host`), or name the right one with --proxy."},
	{ERR_NONE, HOP_CLIENT,
	 "The proxy is not reached: check that it runs, and the address given with --proxy."},
	{ERR_DNS, HOP_NONE,
	 "The tunnel's machine cannot resolve the name: check its spelling, and try `getent hosts NAME` "
	 "there."},
	{ERR_DNS_TIMEOUT, HOP_NONE,
	 "The tunnel's machine waits for its name server: try `getent hosts NAME` there, then look at "
	 "/etc/resolv.conf and the VPC's DNS settings."},
	{ERR_ADDRESS_DENIED, HOP_NONE,
	 "Private and loopback addresses are refused unless tunnel.allow_cidr covers them: add the block "
	 "there if "
	 "this service is meant to be reached."},
	{ERR_DENIED, HOP_TUNNEL, "Add HOST:PORT to the tunnel's list, tunnel.allow."},
	{ERR_DENIED, HOP_NONE,
	 "The enclave's policy does not let this out: add a rule to policy.allow, which changes what is "
	 "attested."},
	{ERR_TLS_CERTIFICATE, HOP_NONE,
	 "If the service's certificate is signed by a CA of your own, give its root with tls.ca_file; "
	 "otherwise the "
	 "service's certificate has to be put right."},
	{ERR_TLS_ALERT, HOP_NONE,
	 "The service ended the handshake. If it speaks TLS 1.2 only, tls.min_version can be lowered; better "
	 "is to "
	 "upgrade it."},
	{ERR_TLS, HOP_NONE,
	 "Service and enclave found no TLS in common. If the service speaks TLS 1.2 only, tls.min_version "
	 "can be "
	 "lowered; better is to upgrade it."},
	{ERR_AUTH, HOP_NONE,
	 "The proxy asks for credentials (access.auth): run the demo on a listener without them."},
	{ERR_RATE, HOP_NONE,
	 "The proxy limits this client: see limits.client_rate and limits.client_connections."},
	{ERR_LIMIT, HOP_NONE,
	 "A limit on connections was reached: see limits.enclave_connections and "
	 "limits.connections_per_target."},
	{ERR_RESPONSE_TIMEOUT, HOP_NONE,
	 "The service was reached, but did not answer in time: look there first, then at "
	 "timeouts.response_header."},
	{ERR_NONE, HOP_TUNNEL,
	 "The enclave does not reach the tunnel: does `nitroproxy tunnel` run on the instance, and is "
	 "enclave.tunnel "
	 "its address?"},
	{ERR_NONE, HOP_SERVICE,
	 "The service does not answer as it should: is it up, and does the instance reach it (route, "
	 "security "
	 "group)? Try `curl -v` from the instance."},
	{ERR_NONE, HOP_ENCLAVE,
	 "The host does not reach the enclave: does it run (`nitro-cli describe-enclaves`), and are "
	 "enclave.cid and "
	 "enclave.port right?"},
};

const char *remedy_for(enum error_kind kind, enum hop hop)
{
	for (size_t i = 0; i < countof(rows); i++)
		if ((rows[i].kind == ERR_NONE || rows[i].kind == kind) &&
		    (rows[i].hop == HOP_NONE || rows[i].hop == hop))
			return rows[i].text;
	return "Look for this request in the logs of host, enclave and tunnel: id= is the same in all of "
	       "them.";
}
