#include "verify_receipt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/target.h"
#include "nsm/input.h"
#include "proxy/base64.h"
#include "proxy/witness.h"
#include "tls/hash.h"

#define PIECE	65536
#define URL_MAX 65536

/* ---- what is in the file ---- */

/* The value of the last field line of that name, for the head's comes before the trailers'. */
static bool find_field(struct span text, struct span *value)
{
	struct span line, name;
	bool found = false;
	while (span_cut(&text, '\n', &line)) {
		if (!span_cut(&line, ':', &name) || !line.p || !span_is_nocase(name, SPAN(WITNESS_FIELD)))
			continue;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		*value = span_trim(line);
		found = true;
	}
	return found;
}

static struct span without_newline(struct span s)
{
	while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	return span_trim(s);
}

bool verify_receipt_load(const char *path, struct buf *receipt, struct error *err)
{
	struct buf file;
	char bytes[RECEIPT_MAX];
	size_t n;
	buf_init(&file, VERIFY_RECEIPT_FILE_MAX);
	bool was_read = input_read(path, &file, err);
	if (was_read) {
		struct span text = file.n ? buf_span(&file) : SPAN("");
		struct span value = text;
		if (!find_field(text, &value))
			value = without_newline(text);
		if (value.n >= 2 && value.p[0] == ':' && value.p[value.n - 1] == ':')
			value = (struct span){value.p + 1, value.n - 2};
		if (base64_decode(value, bytes, sizeof bytes, &n))
			buf_add(receipt, bytes, n);
		else
			buf_add_span(receipt, text);
	}
	buf_free(&file);
	return was_read;
}

/* ---- what it is held against ---- */

static bool hash_file(const char *path, uint8_t out[SHA256_SIZE], struct error *err)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "cannot open %s", path);
	struct hash_stream *h = hash_stream_start();
	char *piece = mem_alloc(PIECE);
	ssize_t n;
	while ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			hash_stream_add(h, (struct span){piece, (size_t)n});
	int code = errno;
	hash_stream_end(h, out);
	free(piece);
	if (!standard)
		close(fd);
	return n == 0 || error_errno(err, code, "cannot read %s", path);
}

/* As the enclave reads targets, so that HTTPS://API.example:443 is https://api.example. */
static bool read_url(const char *url, struct buf *origin, uint8_t path[SHA256_SIZE], struct error *err)
{
	struct head *h = mem_zero(sizeof *h);
	struct target t;
	char authority[TARGET_AUTHORITY_MAX];
	head_init_request(h, SPAN("GET"), SPAN("/"));
	head_add(h, SPAN("X-Target-URL"), span_of(url));
	bool good = target_of(h, URL_MAX, &t, err);
	if (good) {
		target_authority(&t, authority);
		buf_printf(origin, "%s://%s", t.https ? "https" : "http", authority);
		hash_sha256(&t.path, 1, path);
	}
	target_free(&t);
	free(h);
	return good || error_wrap(err, "--target");
}

static bool same(const uint8_t a[SHA256_SIZE], const uint8_t b[SHA256_SIZE])
{
	return memcmp(a, b, SHA256_SIZE) == 0;
}

static bool check_target(const char *url, const struct receipt *said, struct refusal *why, struct error *err)
{
	struct buf origin;
	uint8_t path[SHA256_SIZE];
	buf_init(&origin, RECEIPT_TARGET_MAX);
	bool was_read = read_url(url, &origin, path, err);
	if (was_read && !span_is(buf_span(&origin), said->target))
		refuse(why, REFUSE_RECEIPT_TARGET, "it is for another service than the one shown");
	else if (was_read && !same(path, said->path))
		refuse(why, REFUSE_RECEIPT_TARGET, "it is for another path or query than the one shown");
	buf_free(&origin);
	return was_read;
}

static bool check_body(const char *path, bool has, const uint8_t digest[SHA256_SIZE],
		       enum refusal_reason reason, struct refusal *why, struct error *err)
{
	uint8_t shown[SHA256_SIZE];
	if (!hash_file(path, shown, err))
		return false;
	const char *whose = reason == REFUSE_RECEIPT_REQUEST ? "request" : "response";
	if (!has)
		refuse(why, reason, "the service answered before it had the whole body of the %s", whose);
	else if (!same(shown, digest))
		refuse(why, reason, "the body of the %s was another than the one shown", whose);
	return true;
}

/* ---- the verdict ---- */

static void fail(struct verify_result *r, int step)
{
	r->good = false;
	r->failed = step;
}

static void check_receipt(struct span receipt, struct verify_result *r)
{
	bool good = receipt_parse(receipt, &r->receipt, &r->why);
	if (good && !r->claims.has[CLAIM_RECEIPT_KEY])
		good = refuse(&r->why, REFUSE_RECEIPT_KEY, "the enclave claims no key that signs receipts");
	if (!good || !receipt_verify(&r->receipt, r->claims.sha256[CLAIM_RECEIPT_KEY], &r->why))
		fail(r, VERIFY_STEP_RECEIPT);
}

static bool check_exchange(const struct verify_args *args, struct verify_result *r, struct error *err)
{
	const struct receipt *said = &r->receipt.said;
	struct refusal *why = &r->why;
	why->reason = REFUSE_NONE;
	if (args->target && !check_target(args->target, said, why, err))
		return false;
	if (why->reason == REFUSE_NONE && args->request_body &&
	    !check_body(args->request_body, said->has_request, said->request, REFUSE_RECEIPT_REQUEST, why,
			err))
		return false;
	if (why->reason == REFUSE_NONE && args->body &&
	    !check_body(args->body, true, said->response, REFUSE_RECEIPT_RESPONSE, why, err))
		return false;
	if (why->reason != REFUSE_NONE)
		fail(r, VERIFY_STEP_EXCHANGE);
	return true;
}

bool verify_receipt_judge(const struct verify_args *args, struct span receipt, struct verify_result *r,
			  struct error *err)
{
	check_receipt(receipt, r);
	return !r->good || check_exchange(args, r, err);
}
