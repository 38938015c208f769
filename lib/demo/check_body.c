/*
 * Large bodies, down and up. Our own origin sends and hashes noise, so either side knows what should have
 * come; of other services a smaller body is asked for twice, or read in their echo.
 */
#include <stdio.h>

#include "demo/checks_impl.h"
#include "demo/hex.h"
#include "demo/noise.h"

#define MIB	     (1024ull * 1024)
#define DOWNLOAD     (64 * MIB)
#define UPLOAD	     (16 * MIB)
#define CHUNKED	     (1 * MIB)
#define FOREIGN_DOWN 102400 /* httpbin gives no more */
#define FOREIGN_UP   32768
#define SEED	     64

#define BROKEN "Bytes were lost or changed on the way: this is a fault of nitroproxy, please report it."

static void note_body(struct checks *c, uint64_t bytes, const uint8_t sha256[32])
{
	c->now->bytes = bytes;
	hex_sha256(sha256, c->now->sha256);
}

static const char *speed(uint64_t bytes, uint64_t us, char out[DURATION_MAX])
{
	return size_text(us ? (uint64_t)((double)bytes / (double)us * 1e6 / MIB) * MIB : 0, out);
}

static void pass_moved(struct checks *c, uint64_t bytes, uint64_t us, const char *what)
{
	char size[DURATION_MAX], time[DURATION_MAX], rate[DURATION_MAX];
	size_text(bytes, size);
	duration_text(us, time);
	if (bytes >= MIB && us)
		checks_pass(c, "%s in %s, %s/s; %s", size, time, speed(bytes, us, rate), what);
	else
		checks_pass(c, "%s in %s; %s", size, time, what);
}

/* ---- down ---- */

static void on_download(struct checks *c, const struct fetch_result *r)
{
	uint8_t want[32];
	if (!checks_good(c, r, 200))
		return;
	note_body(c, r->bytes, r->sha256);
	noise_sha256(SEED, DOWNLOAD, want);
	if (r->bytes != DOWNLOAD || memcmp(want, r->sha256, sizeof want) != 0)
		checks_fail(c, HOP_HOST, BROKEN, "%llu bytes came with another digest than they should have",
			    (unsigned long long)r->bytes);
	else
		pass_moved(c, r->bytes, r->done - r->answered, "its SHA-256 is right");
}

static void download_foreign(struct checks *c);

static void on_download_foreign(struct checks *c, const struct fetch_result *r)
{
	if (!checks_good(c, r, 200))
		return;
	note_body(c, r->bytes, r->sha256);
	if (c->step++ == 0) {
		memcpy(c->sha256, r->sha256, sizeof c->sha256);
		download_foreign(c);
	} else if (memcmp(c->sha256, r->sha256, sizeof c->sha256) != 0) {
		checks_fail(c, HOP_SERVICE,
			    "Give a service whose /bytes/N?seed=S repeats itself, as httpbin's does.",
			    "the same bytes, asked for twice, had two digests");
	} else {
		pass_moved(c, r->bytes, r->done - r->answered, "asked for twice, with the same digest");
	}
}

static void download_foreign(struct checks *c)
{
	struct fetch_request r = {.form = FETCH_PATH,
				  .method = "GET",
				  .url = checks_url(c, "%s/bytes/%d?seed=%d", c->echo, FOREIGN_DOWN, SEED),
				  .timeout_ms = c->o.timeout_ms};
	checks_fetch(c, &r, on_download_foreign);
}

void check_download(struct checks *c)
{
	if (!checks_have_echo(c))
		return;
	if (!c->own_origin) {
		download_foreign(c);
		return;
	}
	struct fetch_request r = {.form = FETCH_PATH,
				  .method = "GET",
				  .url = checks_url(c, "%s/bytes/%llu?seed=%d", c->echo, DOWNLOAD, SEED),
				  .timeout_ms = c->o.timeout_ms};
	checks_fetch(c, &r, on_download);
}

/* ---- up ---- */

static bool arrived(struct checks *c, const json_t *answer, uint64_t size, bool chunked)
{
	char want[HEX_SHA256];
	if (!c->own_origin) {
		const char *data = json_string_value(json_object_get(answer, "data"));
		return data && span_is(span_of(data), buf_span(&c->body));
	}
	noise_sha256(SEED, size, c->sha256);
	hex_sha256(c->sha256, want);
	note_body(c, size, c->sha256);
	const char *digest = json_string_value(json_object_get(answer, "sha256"));
	return digest && strcmp(digest, want) == 0 &&
	       json_integer_value(json_object_get(answer, "bytes")) == (json_int_t)size &&
	       json_is_true(json_object_get(answer, "chunked")) == chunked;
}

static void on_upload(struct checks *c, const struct fetch_result *r)
{
	json_t *o = checks_object(c, r);
	if (!o)
		return;
	bool chunked = strcmp(c->now->id, "chunked") == 0;
	uint64_t size = !c->own_origin ? c->body.n : chunked ? CHUNKED : UPLOAD;
	if (arrived(c, o, size, chunked))
		pass_moved(c, size, r->answered - r->connected,
			   c->own_origin ? "the service found the right SHA-256"
					 : "the service sent the same back");
	else
		checks_fail(c, HOP_ENCLAVE, BROKEN, "the service received something else than was sent");
	json_decref(o);
}

/* Letters, for a service that echoes text. */
static void make_text(struct buf *out)
{
	char *p = buf_extend(out, FOREIGN_UP);
	noise_fill(SEED, 0, p, FOREIGN_UP);
	for (size_t i = 0; i < FOREIGN_UP; i++)
		p[i] = (char)('a' + (uint8_t)p[i] % 26);
}

static void upload(struct checks *c, uint64_t size, bool chunked)
{
	static const struct field binary = {.name = {"Content-Type", 12},
					    .value = {"application/octet-stream", 24}};
	static const struct field text = {.name = {"Content-Type", 12}, .value = {"text/plain", 10}};
	if (!checks_have_echo(c))
		return;
	struct fetch_request r = {.form = FETCH_PATH,
				  .method = "POST",
				  .url = checks_url(c, "%s/post", c->echo),
				  .fields = c->own_origin ? &binary : &text,
				  .field_count = 1,
				  .chunked = chunked,
				  .timeout_ms = c->o.timeout_ms};
	if (c->own_origin) {
		r.noise = size;
		r.seed = SEED;
	} else {
		make_text(&c->body);
		r.body = buf_span(&c->body);
	}
	checks_fetch(c, &r, on_upload);
}

void check_upload(struct checks *c)
{
	upload(c, UPLOAD, false);
}

void check_chunked(struct checks *c)
{
	upload(c, CHUNKED, true);
}
