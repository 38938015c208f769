#include "proxy/tunnel_message.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/be.h"
#include "base/check.h"
#include "base/quote.h"

static const char expected[] =
	"expected a 4-byte big-endian length and then JSON like {\"host\":\"example.org\",\"port\":443}";

/* ---- length and JSON, in pieces ---- */

static void text_init(struct tunnel_text *t)
{
	*t = (struct tunnel_text){0};
	buf_init(&t->json, TUNNEL_MESSAGE_MAX);
}

enum piece { PIECE_MORE, PIECE_WHOLE, PIECE_TOO_LONG };

static enum piece take_piece(struct tunnel_text *t, struct block *b)
{
	while (t->have < TUNNEL_HEADER && b->len) {
		t->header[t->have++] = b->data[0];
		block_take(b, 1);
	}
	if (t->have < TUNNEL_HEADER)
		return PIECE_MORE;
	t->length = be_u32(t->header);
	if (t->length == 0 || t->length > TUNNEL_MESSAGE_MAX)
		return PIECE_TOO_LONG;
	size_t missing = t->length - t->json.n;
	size_t n = b->len < missing ? b->len : missing;
	CHECK(buf_add(&t->json, b->data, n));
	block_take(b, n);
	t->have += n;
	return n == missing ? PIECE_WHOLE : PIECE_MORE;
}

/* An object that the caller owns; NULL when it is none. */
static json_t *parse(const struct tunnel_text *t)
{
	json_t *root = json_loadb(t->json.p, t->json.n, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(root))
		return root;
	json_decref(root);
	return NULL;
}

/* ---- writing ---- */

static bool write_message(struct buf *out, struct span json)
{
	bool fits = json.n <= TUNNEL_MESSAGE_MAX;
	return fits && buf_u32(out, (uint32_t)json.n) && buf_add_span(out, json);
}

__attribute__((format(printf, 2, 3))) static bool write_format(struct buf *out, const char *fmt, ...)
{
	char json[TUNNEL_MESSAGE_MAX];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(json, sizeof json, fmt, ap);
	va_end(ap);
	return n > 0 && (size_t)n < sizeof json && write_message(out, (struct span){json, (size_t)n});
}

bool tunnel_request_write(struct buf *out, const char *host, uint16_t port, uint64_t id,
			  const char *transport)
{
	char canonical[HOSTNAME_MAX], more[64] = "";
	enum hostname_type type;
	int n = 0;
	CHECK(hostname_canonical_bare(span_of(host), canonical, &type,
				      NULL)); /* so nothing needs an escape */
	if (id)
		n = snprintf(more, sizeof more, ",\"id\":\"%016" PRIx64 "\"", id);
	if (transport)
		snprintf(more + n, sizeof more - (size_t)n, ",\"transport\":\"%s\"", transport);
	return write_format(out, "{\"host\":\"%s\",\"port\":%u%s}", canonical, port, more);
}

bool tunnel_ping_write(struct buf *out)
{
	return write_message(out, SPAN("{\"type\":\"ping\"}"));
}

bool tunnel_trunk_write(struct buf *out, const struct trunk_hello *hello)
{
	return write_format(out,
			    "{\"type\":\"trunk\",\"key\":\"%016" PRIx64 "%016" PRIx64 "\",\"strand\":%u}",
			    hello->key[0], hello->key[1], hello->strand);
}

bool tunnel_trunk_answer_write(struct buf *out, const struct trunk_offer *offer)
{
	return write_format(out, "{\"status\":\"ok\",\"strands\":%u,\"workers\":%u}\n", offer->strands,
			    offer->workers);
}

bool tunnel_connected_write(struct buf *out, const char *transport)
{
	if (!transport)
		return write_message(out, SPAN("{\"status\":\"connected\"}\n"));
	return write_format(out, "{\"status\":\"connected\",\"transport\":\"%s\"}\n", transport);
}

bool tunnel_error_write(struct buf *out, const struct error *err)
{
	char message[6 * sizeof err->text];
	size_t n = quote_json(message, sizeof message, span_of(err->text), NULL);
	return write_format(
		out, "{\"status\":\"error\",\"message\":\"%.*s\",\"kind\":\"%s\",\"hop\":\"%s\"}\n", (int)n,
		message, error_kind_name(err->kind), hop_name(err->hop ? err->hop : HOP_TUNNEL));
}

bool tunnel_status_write(struct buf *out, struct span json)
{
	return write_message(out, json);
}

static bool read_u32(json_t *root, const char *name, uint32_t *out, struct error *err)
{
	json_t *value = json_object_get(root, name);
	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > UINT32_MAX)
		return error_set(err, ERR_PROTOCOL, "\"%s\" is not a whole number", name);
	*out = (uint32_t)json_integer_value(value);
	return true;
}

/* What is no word of lower-case letters, or a long one, is none that is known. */
static bool read_transport(json_t *root, char out[TUNNEL_TRANSPORT_MAX], struct error *err)
{
	json_t *value = json_object_get(root, "transport");
	const char *text = json_string_value(value);
	if (value && !text)
		return error_set(err, ERR_PROTOCOL, "\"transport\" is not a text");
	size_t n = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz") : 0;
	if (n && !text[n] && n < TUNNEL_TRANSPORT_MAX)
		memcpy(out, text, n + 1);
	return true;
}

/* ---- the answer ---- */

void tunnel_answer_init(struct tunnel_answer *a)
{
	*a = (struct tunnel_answer){0};
	text_init(&a->in);
}

void tunnel_answer_free(struct tunnel_answer *a)
{
	buf_free(&a->in.json);
}

struct span tunnel_answer_text(const struct tunnel_answer *a)
{
	return buf_span(&a->in.json);
}

/* The host runs the tunnel, and what it says ends up in an app's answer: only these, whatever it says. */
static enum error_kind kind_from_tunnel(const char *name)
{
	static const enum error_kind known[] = {
		ERR_DENIED,	 ERR_ADDRESS_DENIED,  ERR_DNS,	 ERR_DNS_TIMEOUT, ERR_REFUSED,
		ERR_UNREACHABLE, ERR_CONNECT_TIMEOUT, ERR_RESET, ERR_LIMIT,	  ERR_UNAVAILABLE,
		ERR_IO,		 ERR_INTERNAL,
	};
	enum error_kind kind = name ? error_kind_of(name) : ERR_NONE;
	for (size_t i = 0; i < countof(known); i++)
		if (known[i] == kind)
			return kind;
	return ERR_PROTOCOL;
}

static void copy_clean(char *to, size_t room, const char *from)
{
	size_t n = strnlen(from, room - 1);
	for (size_t i = 0; i < n; i++)
		to[i] = (char)(from[i] < ' ' || from[i] > '~' ? '?' : from[i]);
	to[n] = '\0';
}

static void error_from_tunnel(json_t *root, struct error *err)
{
	const char *message = json_string_value(json_object_get(root, "message"));
	const char *hop = json_string_value(json_object_get(root, "hop"));
	err->kind = kind_from_tunnel(json_string_value(json_object_get(root, "kind")));
	err->hop = hop && hop_of(hop) == HOP_SERVICE ? HOP_SERVICE : HOP_TUNNEL;
	copy_clean(err->text, sizeof err->text, message ? message : "the tunnel gave no reason");
}

static enum tunnel_answer_result bad_answer(struct error *err, const char *what)
{
	error_set_hop(err, ERR_PROTOCOL, HOP_TUNNEL, "the tunnel's answer %s", what);
	return TUNNEL_ANSWER_BAD;
}

static bool read_offer(json_t *root, struct trunk_offer *offer, struct error *err)
{
	return read_u32(root, "strands", &offer->strands, err) &&
	       read_u32(root, "workers", &offer->workers, err);
}

enum tunnel_answer_result tunnel_answer_feed(struct tunnel_answer *a, struct block *b, struct error *err)
{
	enum tunnel_answer_result result = TUNNEL_ANSWER_BAD;
	switch (take_piece(&a->in, b)) {
	case PIECE_MORE:
		return TUNNEL_ANSWER_MORE;
	case PIECE_TOO_LONG:
		return bad_answer(err, "has an impossible length");
	case PIECE_WHOLE:
		break;
	}
	json_t *root = parse(&a->in);
	if (!root)
		return bad_answer(err, "is no JSON object");
	const char *status = json_string_value(json_object_get(root, "status"));
	bool good = status && (strcmp(status, "connected") == 0 || strcmp(status, "ok") == 0);
	if (good && !(read_transport(root, a->transport, err) && read_offer(root, &a->trunk, err)))
		bad_answer(err, "has a transport or a number that is none");
	else if (good)
		result = TUNNEL_ANSWER_OK;
	else if (status && strcmp(status, "error") == 0)
		error_from_tunnel(root, err);
	else
		bad_answer(err, "has no status that is known");
	json_decref(root);
	return result;
}

/* ---- the request ---- */

void tunnel_request_init(struct tunnel_request *r)
{
	*r = (struct tunnel_request){0};
	text_init(&r->in);
}

void tunnel_request_free(struct tunnel_request *r)
{
	buf_free(&r->in.json);
}

static bool read_id(json_t *value, uint64_t *id, struct error *err)
{
	const char *text = json_string_value(value);
	if (!value)
		return true;
	if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
		return error_set(err, ERR_PROTOCOL, "\"id\" is not 16 hex digits");
	sscanf(text, "%16" SCNx64, id);
	return true;
}

static bool read_target(struct tunnel_request *r, json_t *root, struct error *err)
{
	json_t *host = json_object_get(root, "host"), *port = json_object_get(root, "port");
	if (!json_is_string(host))
		return error_set(err, ERR_PROTOCOL, "\"host\" is not a text");
	struct span name = {json_string_value(host), json_string_length(host)};
	if (!json_is_integer(port) || json_integer_value(port) < 1 || json_integer_value(port) > UINT16_MAX)
		return error_set(err, ERR_PROTOCOL, "\"port\" is not a whole number from 1 to 65535");
	r->port = (uint16_t)json_integer_value(port);
	if (!hostname_canonical_bare(name, r->host, &r->host_type, err))
		return error_wrap(err, "\"host\"");
	return read_id(json_object_get(root, "id"), &r->id, err) && read_transport(root, r->transport, err);
}

static bool read_trunk(struct trunk_hello *h, json_t *root, struct error *err)
{
	const char *key = json_string_value(json_object_get(root, "key"));
	if (!key || strlen(key) != 32 || strspn(key, "0123456789abcdef") != 32)
		return error_set(err, ERR_PROTOCOL, "\"key\" is not 32 hex digits");
	sscanf(key, "%16" SCNx64 "%16" SCNx64, &h->key[0], &h->key[1]);
	return read_u32(root, "strand", &h->strand, err);
}

static enum tunnel_request_result read_request(struct tunnel_request *r, json_t *root, struct error *err)
{
	json_t *value = json_object_get(root, "type");
	const char *type = value ? json_string_value(value) : "connect";
	if (type && strcmp(type, "ping") == 0)
		return TUNNEL_REQUEST_PING;
	if (type && strcmp(type, "trunk") == 0)
		return read_trunk(&r->trunk, root, err) ? TUNNEL_REQUEST_TRUNK : TUNNEL_REQUEST_BAD;
	if (type && strcmp(type, "connect") == 0)
		return read_target(r, root, err) ? TUNNEL_REQUEST_CONNECT : TUNNEL_REQUEST_BAD;
	error_set(err, ERR_PROTOCOL, "\"type\" is neither \"connect\" nor \"ping\" nor \"trunk\"");
	return TUNNEL_REQUEST_BAD;
}

enum tunnel_request_result tunnel_request_feed(struct tunnel_request *r, struct block *b, struct error *err)
{
	switch (take_piece(&r->in, b)) {
	case PIECE_MORE:
		return TUNNEL_REQUEST_MORE;
	case PIECE_TOO_LONG:
		error_set(err, ERR_PROTOCOL, "%s, at most %d bytes", expected, TUNNEL_MESSAGE_MAX);
		return TUNNEL_REQUEST_BAD;
	case PIECE_WHOLE:
		break;
	}
	json_t *root = parse(&r->in);
	if (!root) {
		error_set(err, ERR_PROTOCOL, "the request is no JSON object: %s", expected);
		return TUNNEL_REQUEST_BAD;
	}
	enum tunnel_request_result result = read_request(r, root, err);
	json_decref(root);
	return result;
}
