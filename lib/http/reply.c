#include "http/reply.h"

#include <stdio.h>

#include "base/check.h"
#include "http/write.h"

const char *reply_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{400, "Bad Request"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{407, "Proxy Authentication Required"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{417, "Expectation Failed"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{499, "Client Closed Request"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
		{508, "Loop Detected"},
	};
	for (size_t i = 0; i < countof(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

/*
 * What stands between quotes in a Proxy-Status string (RFC 8941 section 3.3.3) and in JSON alike: both
 * escape quote and backslash with a backslash, and everything that is not printable ASCII, which our
 * texts do not have by rights, becomes a question mark. Cut, never split, where out ends.
 */
static void escape(char *out, size_t size, const char *text)
{
	size_t n = 0;
	for (; *text && n + 3 <= size; text++) {
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
	}
	out[n] = '\0';
}

static void add(struct head *h, const char *name, const char *value)
{
	bool added = head_add(h, span_of(name), span_of(value));
	CHECK(added);
}

void reply_init(struct reply *r, const struct error *err, const struct reply_options *options)
{
	int status = error_status(err->kind);
	const char *reason = reply_reason(status), *hop = hop_name(err->hop);
	char detail[2 * sizeof err->text];

	escape(detail, sizeof detail, err->text);
	int n = snprintf(r->text, sizeof r->text,
			 "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\","
			 "\"kind\":\"%s\",\"hop\":\"%s\"}\n",
			 reason, status, detail, error_kind_name(err->kind), hop);
	CHECK(n > 0 && (size_t)n < sizeof r->text);
	r->body = (struct span){r->text, options->head_only ? 0 : (size_t)n};
	snprintf(r->length, sizeof r->length, "%d", n);
	n = snprintf(r->proxy_status, sizeof r->proxy_status, "%s; error=%s; details=\"%s%s%s\"",
		     options->agent, error_proxy_status(err->kind), hop, *hop ? ": " : "", detail);
	CHECK(n > 0 && (size_t)n < sizeof r->proxy_status);

	head_init_response(&r->head, status, span_of(reason));
	r->head.framing = options->head_only ? BODY_NONE : BODY_LENGTH;
	r->head.body_length = r->body.n;
	r->head.keep_alive = !options->close;
	add(&r->head, "Content-Type", "application/problem+json");
	add(&r->head, "Content-Length", r->length);
	add(&r->head, "Cache-Control", "no-store");
	add(&r->head, "Proxy-Status", r->proxy_status);
	if (status == 407) /* RFC 9110 section 15.5.8 */
		add(&r->head, "Proxy-Authenticate", "Basic realm=\"nitroproxy\", charset=\"UTF-8\"");
	if (status == 429 || status == 503) {
		snprintf(r->retry_after, sizeof r->retry_after, "%u",
			 options->retry_after ? options->retry_after : 1);
		add(&r->head, "Retry-After", r->retry_after);
	}
	if (options->close)
		add(&r->head, "Connection", "close");
}

void reply_error(struct buf *out, const struct error *err, const char *agent)
{
	struct reply r;
	reply_init(&r, err, &(struct reply_options){.agent = agent, .close = true});
	bool written = write_head(out, &r.head, NULL) && buf_add_span(out, r.body);
	CHECK(written);
}
