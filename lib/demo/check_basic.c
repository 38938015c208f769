/* One request, one look at the answer. */
#include "base/check.h"
#include "demo/checks_impl.h"

static struct fetch_request get(struct checks *c, enum fetch_form form, const char *url)
{
	return (struct fetch_request){
		.form = form, .method = "GET", .url = url, .timeout_ms = c->o.timeout_ms};
}

#define ECHO_REMEDY "The answer came, but says something else: give a service that echoes as httpbin does."

/* ---- GET ---- */

static void on_get(struct checks *c, const struct fetch_result *r)
{
	json_t *o = checks_object(c, r);
	if (!o)
		return;
	c->own_origin = strcmp(r->facts.server, ORIGIN_SERVER) == 0;
	checks_pass(c, "%d with %llu bytes of JSON", r->status, (unsigned long long)r->bytes);
	json_decref(o);
}

void check_get(struct checks *c)
{
	if (!checks_have_echo(c))
		return;
	struct fetch_request r = get(c, FETCH_PATH, checks_url(c, "%s/get", c->echo));
	checks_fetch(c, &r, on_get);
}

/* ---- POST ---- */

#define DOCUMENT "{\"answer\": 42, \"list\": [1, 2, 3], \"text\": \"\\u00e4 \\\"quoted\\\" word\"}"

static void on_post(struct checks *c, const struct fetch_result *r)
{
	json_t *o = checks_object(c, r);
	if (!o)
		return;
	json_t *want = json_loads(DOCUMENT, 0, NULL);
	if (json_equal(json_object_get(o, "json"), want))
		checks_pass(c, "the service read the same document that was sent, %zu bytes",
			    sizeof DOCUMENT - 1);
	else
		checks_fail(c, HOP_SERVICE, ECHO_REMEDY, "the service read another document than was sent");
	json_decref(want);
	json_decref(o);
}

void check_post(struct checks *c)
{
	static const struct field type = {.name = {"Content-Type", 12}, .value = {"application/json", 16}};
	if (!checks_have_echo(c))
		return;
	struct fetch_request r = get(c, FETCH_PATH, checks_url(c, "%s/post", c->echo));
	r.method = "POST";
	r.body = SPAN(DOCUMENT);
	r.fields = &type;
	r.field_count = 1;
	checks_fetch(c, &r, on_post);
}

/* ---- header fields ---- */

#define LONG_VALUE                                                                                           \
	"01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567" \
	"89"                                                                                                 \
	"01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567" \
	"89"

#define FIELD(n_, v_)                                                                                        \
	{                                                                                                    \
		.name = {n_, sizeof(n_) - 1}, .value = { v_, sizeof(v_) - 1 }                                \
	}
static const struct field custom[] = {
	FIELD("X-Demo-Word", "nitroproxy"),
	FIELD("X-Demo-Marks", "a=1; b=\"two, three\"; c=!#$%&'*+-.^_`|~"),
	FIELD("X-Demo-Long", LONG_VALUE),
};

/* Field names know no case, JSON's do. */
static const char *value_of(json_t *fields, struct span name)
{
	void *it = json_object_iter(fields);
	for (; it; it = json_object_iter_next(fields, it))
		if (span_is_nocase(span_of(json_object_iter_key(it)), name))
			return json_string_value(json_object_iter_value(it));
	return NULL;
}

static void on_headers(struct checks *c, const struct fetch_result *r)
{
	json_t *o = checks_object(c, r);
	if (!o)
		return;
	json_t *fields = json_object_get(o, "headers");
	const char *wrong = NULL;
	for (size_t i = 0; i < countof(custom) && !wrong; i++) {
		const char *value = value_of(fields, custom[i].name);
		if (!value || !span_is(span_of(value), custom[i].value))
			wrong = custom[i].name.p;
	}
	if (wrong)
		checks_fail(c, HOP_SERVICE, ECHO_REMEDY, "%s did not come back as it was sent", wrong);
	else if (value_of(fields, SPAN("X-Nitroproxy-Trace")))
		checks_fail(c, HOP_ENCLAVE, "This is a fault of nitroproxy: please report it.",
			    "X-Nitroproxy-Trace, which is for the proxy alone, reached the service");
	else
		checks_pass(c, "%zu fields came back as they were sent, one of %zu bytes", countof(custom),
			    sizeof LONG_VALUE - 1);
	json_decref(o);
}

void check_headers(struct checks *c)
{
	if (!checks_have_echo(c))
		return;
	struct fetch_request r = get(c, FETCH_PATH, checks_url(c, "%s/headers", c->echo));
	r.fields = custom;
	r.field_count = countof(custom);
	checks_fetch(c, &r, on_headers);
}

/* ---- an API ---- */

static void on_lookup(struct checks *c, const struct fetch_result *r)
{
	static const char *const names[] = {"login", "title", "name", "id", "url"};
	json_t *o = checks_object(c, r);
	if (!o)
		return;
	for (size_t i = 0; i < countof(names); i++) {
		const json_t *value = json_object_get(o, names[i]);
		if (!json_is_string(value) && !json_is_integer(value))
			continue;
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
		checks_pass(c, "the answer's \"%s\" is %.120s", names[i], text);
		free(text);
		json_decref(o);
		return;
	}
	checks_fail(c, HOP_SERVICE, "Give an API whose answer has one of them with --endpoint.",
		    "the answer has none of login, title, name, id and url");
	json_decref(o);
}

void check_lookup(struct checks *c)
{
	if (!c->lookup && !checks_have_echo(c))
		return;
	struct fetch_request r = get(
		c, FETCH_PATH, c->lookup ? checks_url(c, "%s", c->lookup) : checks_url(c, "%s/get", c->echo));
	checks_fetch(c, &r, on_lookup);
}

/* ---- the forms of a request ---- */

static const enum fetch_form forms[] = {FETCH_PATH, FETCH_FIELD, FETCH_ABSOLUTE};

static void next_form(struct checks *c);

static void on_form(struct checks *c, const struct fetch_result *r)
{
	static const char *const names[] = {"path", "X-Target-URL", "absolute form"};
	if (!checks_good(c, r, 200))
		return;
	if (c->step == 0)
		memcpy(c->sha256, r->sha256, sizeof c->sha256);
	if (memcmp(c->sha256, r->sha256, sizeof c->sha256) != 0)
		checks_fail(c, HOP_HOST, "This is a fault of nitroproxy: please report it.",
			    "with the %s the answer has other bytes", names[c->step]);
	else if (++c->step < countof(forms))
		next_form(c);
	else
		checks_pass(c, "%llu bytes each, all the same", (unsigned long long)r->bytes);
}

static void next_form(struct checks *c)
{
	struct fetch_request r = get(c, forms[c->step], checks_url(c, "%s/bytes/4096?seed=3", c->echo));
	checks_fetch(c, &r, on_form);
}

void check_forms(struct checks *c)
{
	if (checks_have_echo(c))
		next_form(c);
}

/* ---- CONNECT ---- */

static void on_connect(struct checks *c, const struct fetch_result *r)
{
	json_t *o = checks_object(c, r);
	if (!o)
		return;
	checks_pass(
		c, "%s from this client to the service; host, enclave and tunnel carried it without its keys",
		r->facts.tls.protocol);
	json_decref(o);
}

void check_connect(struct checks *c)
{
	if (!checks_have_echo(c))
		return;
	if (strncmp(c->echo, "https:", 6) != 0) {
		checks_skip(c, "The service is plain http: there is no TLS to keep");
		return;
	}
	struct fetch_request r = get(c, FETCH_CONNECT, checks_url(c, "%s/get", c->echo));
	checks_fetch(c, &r, on_connect);
}
