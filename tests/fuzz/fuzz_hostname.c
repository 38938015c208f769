/*
 * Any bytes as a host: what is accepted is in canonical form, stays what it is when read
 * again, and is what other spellings of the same bytes give too.
 */
#include <stdlib.h>

#include "base/check.h"
#include "net/hostname.h"
#include "net/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
	struct ip_address ip;
	size_t label = 0;

	CHECK(name[0] && strlen(name) < HOSTNAME_MAX);
	for (const char *p = name; *p; p++) {
		CHECK((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || strchr("-_.", *p));
		CHECK(*p != '.' || label > 0);
		label = *p == '.' ? 0 : label + 1;
		CHECK(label <= 63);
	}
	CHECK(label > 0);
	CHECK(!ip_parse(span_of(name), &ip));
}

static void check_address(const char *text, uint8_t version)
{
	char again[IP_TEXT_MAX];
	struct ip_address ip;

	CHECK(ip_parse(span_of(text), &ip) && ip.version == version && ip_classify(&ip) != IP_MAPPED);
	ip_format(&ip, again);
	CHECK(strcmp(text, again) == 0);
}

/* Other case of the ASCII letters, and one dot more behind: accepted as the same, or not at all. */
static void check_respelled(const uint8_t *data, size_t size, const char *want, enum hostname_type want_type)
{
	char *other = malloc(size + 1), out[HOSTNAME_MAX];
	enum hostname_type type;

	CHECK(other);
	for (size_t i = 0; i < size; i++) {
		bool letter = (data[i] | 0x20) >= 'a' && (data[i] | 0x20) <= 'z';
		other[i] = (char)(letter ? data[i] ^ 0x20 : data[i]);
	}
	other[size] = '.';
	CHECK(hostname_canonical((struct span){other, size}, out, &type, NULL));
	CHECK(strcmp(out, want) == 0 && type == want_type);
	if (hostname_canonical((struct span){other, size + 1}, out, &type, NULL))
		CHECK(strcmp(out, want) == 0 && type == want_type);
	free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = {(const char *)data, size};
	char out[HOSTNAME_MAX], again[HOSTNAME_MAX];
	enum hostname_type type, type_again;
	struct error err = {0};
	uint16_t port = 0;

	if (hostname_port(in, &port))
		CHECK(port > 0 && size <= 5);
	if (!hostname_canonical(in, out, &type, &err)) {
		CHECK(out[0] == 0 && (err.kind == ERR_BAD_REQUEST || err.kind == ERR_ADDRESS_DENIED));
		if (hostname_canonical_bare(in, out, &type, NULL))
			CHECK(type == HOSTNAME_IPV6);
		return 0;
	}
	if (type == HOSTNAME_DNS)
		check_name(out);
	else
		check_address(out, type == HOSTNAME_IPV4 ? 4 : 6);
	CHECK(hostname_canonical_bare(span_of(out), again, &type_again, NULL));
	CHECK(strcmp(out, again) == 0 && type == type_again);
	check_respelled(data, size, out, type);
	return 0;
}
