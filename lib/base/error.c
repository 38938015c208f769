#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int status;
	const char *token;
} kinds[] = {[ERR_NONE] = {"none", 200, ""},
#define X(kind, name, status, token) [ERR_##kind] = {name, status, token},
	     ERROR_KINDS(X)
#undef X
};

static const char *const hops[HOP_COUNT] = {"", "client", "host", "enclave", "tunnel", "service"};

__attribute__((format(printf, 4, 0))) static void set_text(struct error *err, enum error_kind kind,
							   enum hop hop, const char *fmt, va_list ap)
{
	if (!err)
		return;
	err->kind = kind;
	err->hop = hop;
	vsnprintf(err->text, sizeof err->text, fmt, ap);
}

bool error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	set_text(err, kind, HOP_NONE, fmt, ap);
	va_end(ap);
	return false;
}

bool error_set_hop(struct error *err, enum error_kind kind, enum hop hop, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	set_text(err, kind, hop, fmt, ap);
	va_end(ap);
	return false;
}

static enum error_kind kind_of_errno(int code)
{
	switch (code) {
	case ECONNREFUSED:
	case ENOENT: /* a unix socket that is not there refuses like a port nobody listens on */
		return ERR_REFUSED;
	case ECONNRESET:
	case EPIPE:
	case ECONNABORTED:
		return ERR_RESET;
	case ETIMEDOUT:
		return ERR_CONNECT_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENODEV:
	case EADDRNOTAVAIL:
		return ERR_UNREACHABLE;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
		return ERR_LIMIT;
	default:
		return ERR_IO;
	}
}

bool error_errno(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	set_text(err, kind_of_errno(code), HOP_NONE, fmt, ap);
	va_end(ap);
	if (err) {
		size_t n = strlen(err->text);
		snprintf(err->text + n, sizeof err->text - n, ": %s", strerror(code));
	}
	return false;
}

bool error_wrap(struct error *err, const char *fmt, ...)
{
	if (!err)
		return false;
	char old[sizeof err->text];
	memcpy(old, err->text, sizeof old);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	size_t n = strlen(err->text);
	snprintf(err->text + n, sizeof err->text - n, ": %s", old);
	return false;
}

const char *error_kind_name(enum error_kind kind)
{
	return (unsigned)kind < ERR_KINDS ? kinds[kind].name : "unknown";
}

bool error_is_unreachable(enum error_kind kind)
{
	return kind == ERR_UNAVAILABLE || kind == ERR_REFUSED || kind == ERR_UNREACHABLE ||
	       kind == ERR_CONNECT_TIMEOUT || kind == ERR_RESET || kind == ERR_IO;
}

enum error_kind error_kind_of(const char *name)
{
	for (int k = 1; k < ERR_KINDS; k++)
		if (strcmp(name, kinds[k].name) == 0)
			return (enum error_kind)k;
	return ERR_NONE;
}

int error_status(enum error_kind kind)
{
	return (unsigned)kind < ERR_KINDS ? kinds[kind].status : 500;
}

const char *error_proxy_status(enum error_kind kind)
{
	return (unsigned)kind < ERR_KINDS ? kinds[kind].token : "proxy_internal_error";
}

const char *hop_name(enum hop hop)
{
	return (unsigned)hop < HOP_COUNT ? hops[hop] : "";
}

enum hop hop_of(const char *name)
{
	for (int h = 1; h < HOP_COUNT; h++)
		if (strcmp(name, hops[h]) == 0)
			return (enum hop)h;
	return HOP_NONE;
}
