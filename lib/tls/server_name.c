#include "tls/server_name.h"

#include <arpa/inet.h>

static bool label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

static bool well_formed_label(struct span label)
{
	if (label.n < 1 || label.n > 63)
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!label_byte(label.p[i]))
			return false;
	return true;
}

static bool well_formed(struct span dns)
{
	struct span label;
	if (dns.n < 1 || dns.n > 253)
		return false;
	while (span_cut(&dns, '.', &label))
		if (!well_formed_label(label))
			return false;
	return true;
}

static bool is_wildcard(struct span dns)
{
	return span_starts(dns, SPAN("*."));
}

bool server_name_is_pattern(struct span dns)
{
	return well_formed(is_wildcard(dns) ? span_from(dns, 2) : dns);
}

bool server_name_init(struct server_name *name, const char *host)
{
	*name = (struct server_name){.ip_len = 0};
	if (inet_pton(AF_INET, host, name->ip) == 1)
		name->ip_len = 4;
	else if (inet_pton(AF_INET6, host, name->ip) == 1)
		name->ip_len = 16;
	struct span dns = span_of(host);
	if (!name->ip_len && dns.n && dns.p[dns.n - 1] == '.')
		dns.n--;
	if (!name->ip_len && !well_formed(dns))
		return false;
	for (size_t i = 0; i < dns.n; i++)
		name->text[i] = dns.p[i] >= 'A' && dns.p[i] <= 'Z' ? (char)(dns.p[i] + 'a' - 'A') : dns.p[i];
	return true;
}

bool server_name_matches_dns(const struct server_name *name, struct span pattern)
{
	if (name->ip_len || !server_name_is_pattern(pattern))
		return false;
	struct span host = span_of(name->text);
	if (!is_wildcard(pattern))
		return span_is_nocase(host, pattern);
	struct span base = span_from(pattern, 2), label;
	if (!memchr(base.p, '.', base.n) || !span_cut(&host, '.', &label))
		return false;
	return host.p && span_is_nocase(host, base);
}

bool server_name_matches_ip(const struct server_name *name, struct span address)
{
	return name->ip_len && span_is((struct span){(const char *)name->ip, name->ip_len}, address);
}
