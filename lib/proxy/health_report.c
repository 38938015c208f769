#include "proxy/health_report.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/config.h"
#include "base/mem.h"
#include "proxy/health.h"

#define WORD_MAX  64
#define TEXT_MAX  256 /* longer ones are cut */
#define TEXTS_MAX 32

enum kind {
	STATUS, /* "ok" or "failed" */
	WORD,	/* [A-Za-z0-9._+-] */
	DIGEST, /* 64 hexadecimal digits */
	TEXT,	/* anything, escaped */
	TEXTS,
	COUNT,	/* 0, 1, .. */
	AMOUNT, /* 0.5 */
	FLAG,
};

#define TUNNEL "hops.tunnel.detail."

/* In the order in which they are written: members of one object stand together. */
static const struct member {
	const char *path;
	enum kind kind;
} members[] = {
	{"status", STATUS},
	{"role", WORD},
	{"version", WORD},
	{"uptime_s", COUNT},
	{"security.mode", WORD},
	{"security.insecure", TEXTS},
	{"security.sandbox.mode", WORD},
	{"security.sandbox.landlock", COUNT},
	{"security.sandbox.memory_locked", FLAG},
	{"hops.tunnel.state", STATUS},
	{"hops.tunnel.address", TEXT},
	{"hops.tunnel.latency_ms", AMOUNT},
	{"hops.tunnel.last_error.kind", WORD},
	{"hops.tunnel.last_error.hop", WORD},
	{"hops.tunnel.last_error.detail", TEXT},
	/* what the tunnel says of itself */
	{TUNNEL "status", STATUS},
	{TUNNEL "version", WORD},
	{TUNNEL "uptime", COUNT},
	{TUNNEL "allow", WORD},
	{TUNNEL "workers", COUNT},
	{TUNNEL "restarts", COUNT},
	{TUNNEL "open", COUNT},
	{TUNNEL "accepted", COUNT},
	{TUNNEL "connected", COUNT},
	{TUNNEL "bytes_up", COUNT},
	{TUNNEL "bytes_down", COUNT},
#define X(kind, name, status, token) {TUNNEL "errors." name, COUNT},
	ERROR_KINDS(X)
#undef X
		{"policy.sha256", DIGEST},
	{"policy.mode", WORD},
	{"policy.rules", COUNT},
	{"tls.min_version", WORD},
	{"tls.verify_certificates", FLAG},
	{"tls.roots", COUNT},
	{"tls.trust_sha256", DIGEST},
	{"attestation.nsm", WORD},
	{"attestation.module", TEXT},
	{"attestation.debug", FLAG},
};

struct reading {
	const char *under;		/* what the reporter's paths stand under in the table */
	char *values[countof(members)]; /* owned, as JSON; NULL: not there */
	bool has_status, ok;
};

/* ---- reading ---- */

static bool is_made_of(const char *text, size_t max, const char *set)
{
	size_t n = strlen(text);
	return n >= 1 && n <= max && strspn(text, set) == n;
}

#define DIGITS "0123456789"

static bool is_good(enum kind kind, const struct config_value *v)
{
	switch (kind) {
	case STATUS:
		return v->kind == CONFIG_TEXT &&
		       (strcmp(v->text, "ok") == 0 || strcmp(v->text, "failed") == 0);
	case WORD:
		return v->kind == CONFIG_TEXT &&
		       is_made_of(v->text, WORD_MAX,
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" DIGITS "._+-");
	case DIGEST:
		return v->kind == CONFIG_TEXT && strlen(v->text) == 64 &&
		       is_made_of(v->text, 64, DIGITS "abcdef");
	case TEXT:
		return v->kind == CONFIG_TEXT;
	case TEXTS:
		return v->kind == CONFIG_LIST && v->list.count <= TEXTS_MAX;
	case COUNT:
		return v->kind == CONFIG_NUMBER && is_made_of(v->text, 20, DIGITS);
	case AMOUNT: /* as base/config writes numbers */
		return v->kind == CONFIG_NUMBER && v->text[0] != '-' &&
		       is_made_of(v->text, 30, DIGITS "e.+-");
	case FLAG:
		return v->kind == CONFIG_BOOL;
	}
	return false;
}

static void put_text(struct buf *out, const char *text)
{
	struct span s = span_of(text);
	health_text(out, s.n > TEXT_MAX ? (struct span){s.p, TEXT_MAX} : s);
}

/* The value as it will be written. */
static char *render(const struct config_value *v)
{
	struct buf out;
	buf_init(&out, HEALTH_REPORT_MAX);
	if (v->kind == CONFIG_LIST) {
		buf_add_text(&out, "[");
		for (size_t i = 0; i < v->list.count; i++) {
			buf_add_text(&out, i ? "," : "");
			put_text(&out, v->list.items[i]);
		}
		buf_add_text(&out, "]");
	} else if (v->kind == CONFIG_TEXT) {
		put_text(&out, v->text);
	} else {
		buf_add_text(&out, v->text);
	}
	char *text = buf_full(&out) ? NULL : mem_text_n(out.p, out.n);
	buf_free(&out);
	return text; /* NULL: too long */
}

static bool on_value(void *arg, const struct config_value *v, struct error *err)
{
	if (v->kind == CONFIG_NULL)
		return true;
	struct reading *r = arg;
	size_t under = strlen(r->under);
	for (size_t i = 0; i < countof(members); i++) {
		const struct member *m = &members[i];
		if (strncmp(m->path, r->under, under) != 0 || strcmp(m->path + under, v->path) != 0)
			continue;
		r->values[i] = is_good(m->kind, v) ? render(v) : NULL;
		if (!r->values[i])
			return error_set(err, ERR_PROTOCOL, "not what it should be");
		if (strcmp(v->path, "status") == 0) {
			r->has_status = true;
			r->ok = strcmp(v->text, "ok") == 0;
		}
	}
	return true;
}

/* ---- writing ---- */

/* How much of both paths is the same objects: "a.b.c" and "a.b.d" have "a.b.". */
static size_t common(const char *a, const char *b)
{
	size_t same = 0;
	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (a[i] == '.')
			same = i + 1;
	return same;
}

/* From the member at one path to the next: closes the objects that end between, opens those that begin. */
static void put_name(struct buf *out, const char *before, const char *path)
{
	size_t same = common(before, path);
	for (const char *p = before + same; (p = strchr(p, '.')); p++)
		buf_add_text(out, "}");
	buf_add_text(out, before[0] ? "," : "");
	path += same;
	for (const char *dot; (dot = strchr(path, '.')); path = dot + 1)
		buf_printf(out, "\"%.*s\":{", (int)(dot - path), path);
	buf_printf(out, "\"%s\":", path);
}

static void write_all(const struct reading *r, struct buf *out)
{
	const char *before = "";
	size_t under = strlen(r->under);
	buf_add_text(out, "{");
	for (size_t i = 0; i < countof(members); i++) {
		if (!r->values[i])
			continue;
		put_name(out, before, members[i].path + under);
		buf_add_text(out, r->values[i]);
		before = members[i].path + under;
	}
	for (const char *p = before; (p = strchr(p, '.')); p++)
		buf_add_text(out, "}");
	buf_add_text(out, "}");
}

/* ---- */

void health_report_init(struct health_report *r)
{
	buf_init(&r->json, HEALTH_REPORT_MAX);
	r->ok = false;
}

void health_report_free(struct health_report *r)
{
	buf_free(&r->json);
	r->ok = false;
}

bool health_report_read(struct health_report *r, enum health_reporter who, struct span json,
			struct error *err)
{
	struct reading now = {.under = who == HEALTH_OF_TUNNEL ? TUNNEL : ""};
	buf_clear(&r->json);
	bool good = json.n <= HEALTH_REPORT_MAX &&
		    config_parse_json("status", json.p ? json.p : "", json.n, on_value, &now, NULL) &&
		    now.has_status;
	if (good)
		write_all(&now, &r->json);
	for (size_t i = 0; i < countof(members); i++)
		free(now.values[i]);
	r->ok = good && !buf_full(&r->json) && now.ok;
	if (good && !buf_full(&r->json))
		return true;
	buf_clear(&r->json);
	enum hop hop = who == HEALTH_OF_TUNNEL ? HOP_TUNNEL : HOP_ENCLAVE;
	return error_set_hop(err, ERR_PROTOCOL, hop, "what the %s says of itself cannot be read",
			     hop_name(hop));
}
