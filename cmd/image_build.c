/* nitroproxy image build: kernel, command line and directories become an enclave image. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/quote.h"
#include "eif/cpio.h"
#include "eif/eif_sign.h"
#include "image.h"

static const char help[] =
	"usage: nitroproxy image build --kernel FILE --cmdline TEXT --root DIR --output FILE [OPTION]..\n"
	"Builds an enclave image (EIF) and prints its PCRs. The same input gives the same bytes,\n"
	"wherever and whenever it is built.\n"
	"\n"
	"  --kernel FILE             bzImage, or Image for arm64\n"
	"  --cmdline TEXT            the kernel's command line\n"
	"  --boot DIR                more for the first ramdisk, which has the mount points and the\n"
	"                            first device files: kernel modules\n"
	"  --root DIR                the second ramdisk: /init and all that runs\n"
	"  --output FILE\n"
	"  --name TEXT               the image's name and version, for nitro-cli describe-eif\n"
	"  --image-version TEXT\n"
	"  --memory MIB              what it asks for when run-enclave is not told; default: 512\n"
	"  --cpus N                  likewise; default: 2\n"
	"  --arm64                   for Graviton; default: x86-64\n"
	"  --signing-certificate FILE  --private-key FILE\n"
	"                            sign it (PCR8): PEM, P-384\n"
	"  --help\n"
	"\n"
	"The build time in the metadata is SOURCE_DATE_EPOCH, else 1970: it is not measured, but it\n"
	"is in the file.\n";

struct build {
	const char *kernel, *cmdline, *boot, *root, *output, *name, *version, *certificate, *key;
	uint32_t memory_mib, cpus;
	bool arm64;
};

enum {
	FLAG_KERNEL = 256,
	FLAG_CMDLINE,
	FLAG_BOOT,
	FLAG_ROOT,
	FLAG_OUTPUT,
	FLAG_NAME,
	FLAG_VERSION,
	FLAG_MEMORY,
	FLAG_CPUS,
	FLAG_ARM64,
	FLAG_CERTIFICATE,
	FLAG_KEY,
	FLAG_HELP
};

static bool parse_number(const char *text, uint32_t max, uint32_t *out)
{
	char *rest;
	unsigned long v = strtoul(text, &rest, 10);
	if (text[0] < '0' || text[0] > '9' || *rest || v < 1 || v > max)
		return false;
	*out = (uint32_t)v;
	return true;
}

/* False with err; or, for --help, with kind ERR_NONE. */
static bool parse_args(int argc, char **argv, struct build *b, struct error *err)
{
	static const struct option options[] = {
		{"kernel", required_argument, NULL, FLAG_KERNEL},
		{"cmdline", required_argument, NULL, FLAG_CMDLINE},
		{"boot", required_argument, NULL, FLAG_BOOT},
		{"root", required_argument, NULL, FLAG_ROOT},
		{"output", required_argument, NULL, FLAG_OUTPUT},
		{"name", required_argument, NULL, FLAG_NAME},
		{"image-version", required_argument, NULL, FLAG_VERSION},
		{"memory", required_argument, NULL, FLAG_MEMORY},
		{"cpus", required_argument, NULL, FLAG_CPUS},
		{"arm64", no_argument, NULL, FLAG_ARM64},
		{"signing-certificate", required_argument, NULL, FLAG_CERTIFICATE},
		{"private-key", required_argument, NULL, FLAG_KEY},
		{"help", no_argument, NULL, FLAG_HELP},
		{NULL, 0, NULL, 0}};
	const char **text[] = {&b->kernel, &b->cmdline, &b->boot,   &b->root,
			       &b->output, &b->name,	&b->version};
	int flag;
	optind = 1;
	while ((flag = getopt_long(argc, argv, "", options, NULL)) != -1) {
		bool good = true;
		if (flag >= FLAG_KERNEL && flag <= FLAG_VERSION)
			*text[flag - FLAG_KERNEL] = optarg;
		else if (flag == FLAG_MEMORY)
			good = parse_number(optarg, 1u << 24, &b->memory_mib);
		else if (flag == FLAG_CPUS)
			good = parse_number(optarg, 512, &b->cpus);
		else if (flag == FLAG_ARM64)
			b->arm64 = true;
		else if (flag == FLAG_CERTIFICATE)
			b->certificate = optarg;
		else if (flag == FLAG_KEY)
			b->key = optarg;
		else if (flag == FLAG_HELP)
			return fputs(help, stdout), false;
		else
			good = false;
		if (!good)
			return error_set(err, ERR_CONFIG, "see nitroproxy image build --help");
	}
	if (optind < argc || !b->kernel || !b->cmdline || !b->root || !b->output)
		return error_set(err, ERR_CONFIG,
				 "--kernel, --cmdline, --root and --output are needed; see --help");
	if (!b->certificate != !b->key)
		return error_set(err, ERR_CONFIG, "--signing-certificate and --private-key go together");
	return true;
}

/* ---- ramdisks ---- */

/* What the kernel and a first process need before anything is mounted. */
static bool boot_ramdisk(const char *more, struct buf *out, struct error *err)
{
	static const char *const directories[] = {"dev", "etc", "proc", "run", "sys", "tmp"};
	struct cpio c;
	cpio_init(&c, out);
	for (size_t i = 0; i < countof(directories); i++) {
		cpio_directory(&c, directories[i]);
		if (i > 0)
			continue;
		cpio_device(&c, "dev/console", 0600, 5, 1);
		cpio_device(&c, "dev/null", 0666, 1, 3);
	}
	if (more && !cpio_tree(&c, more, err))
		return false;
	cpio_end(&c);
	return true;
}

static bool root_ramdisk(const char *directory, struct buf *out, struct error *err)
{
	struct cpio c;
	cpio_init(&c, out);
	if (!cpio_tree(&c, directory, err))
		return false;
	cpio_end(&c);
	return true;
}

/* ---- metadata ---- */

/*
 * "6.12.95-cloud-amd64 (..": the boot protocol (kernel Documentation/arch/x86/boot.rst) says where; else "".
 */
static struct span kernel_version(struct span kernel)
{
	enum { MAGIC_AT = 0x202, POINTER_AT = 0x20e, BASE = 0x200 };
	struct span none = SPAN("");
	if (kernel.n < POINTER_AT + 2 || memcmp(kernel.p + MAGIC_AT, "HdrS", 4) != 0)
		return none;
	size_t at = BASE +
		    ((size_t)(uint8_t)kernel.p[POINTER_AT] | (size_t)(uint8_t)kernel.p[POINTER_AT + 1] << 8);
	size_t n = 0;
	while (at + n < kernel.n && n < 64 && kernel.p[at + n] > ' ' && kernel.p[at + n] < 0x7f)
		n++;
	return n ? (struct span){kernel.p + at, n} : none;
}

static void put_text(struct buf *out, const char *before, struct span text)
{
	char quoted[1024];
	size_t n = quote_json(quoted, sizeof quoted, text, NULL);
	buf_printf(out, "%s\"%.*s\"", before, (int)n, quoted);
}

static void build_time(char text[32])
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	time_t t = epoch ? (time_t)strtoll(epoch, NULL, 10) : 0;
	struct tm tm;
	if (!gmtime_r(&t, &tm) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(text, 32, "1970-01-01T00:00:00Z");
}

/* The members that nitro-cli describe-eif insists on. */
static void put_metadata(const struct build *b, struct span kernel, struct buf *out)
{
	char time[32];
	build_time(time);
	put_text(out, "{\"ImageName\":", span_of(b->name));
	put_text(out, ",\"ImageVersion\":", span_of(b->version));
	put_text(out, ",\"BuildMetadata\":{\"BuildTime\":", span_of(time));
	buf_add_text(out, ",\"BuildTool\":\"nitroproxy\",\"BuildToolVersion\":\"" NP_VERSION "\"");
	put_text(out, ",\"OperatingSystem\":\"Linux\",\"KernelVersion\":", kernel_version(kernel));
	buf_add_text(out, "},\"DockerInfo\":{},\"CustomMetadata\":null}");
}

/* ---- the image ---- */

static bool sign(const struct build *b, const struct eif *e, struct buf *signature, struct error *err)
{
	struct eif_measurements m;
	struct span certificate, key;
	if (!image_map(b->certificate, &certificate, err))
		return false;
	bool good = image_map(b->key, &key, err);
	if (good) {
		good = eif_measure(e, &m, err) && eif_sign(m.pcr0, certificate, key, signature, err);
		image_unmap(key);
	}
	image_unmap(certificate);
	return good;
}

static bool write_file(const char *path, struct span content, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool good = fd >= 0;
	while (good && content.n) {
		ssize_t n = write(fd, content.p, content.n);
		good = n > 0 || (n < 0 && errno == EINTR);
		content = span_from(content, n > 0 ? (size_t)n : 0);
	}
	int code = errno;
	if (fd >= 0 && close(fd) != 0 && good) {
		code = errno;
		good = false;
	}
	return good || error_errno(err, code, "cannot write %s", quote_clip(span_of(path)).text);
}

struct parts {
	struct span kernel;
	struct buf boot, root, metadata, signature, file;
};

static bool assemble(const struct build *b, struct parts *p, struct error *err)
{
	struct eif e = {.flags = b->arm64 ? EIF_ARM64 : 0,
			.default_memory = (uint64_t)b->memory_mib << 20,
			.default_cpus = b->cpus,
			.cmdline = span_of(b->cmdline),
			.ramdisks = 2};
	struct eif_measurements m;
	if (!image_map(b->kernel, &p->kernel, err) || !boot_ramdisk(b->boot, &p->boot, err) ||
	    !root_ramdisk(b->root, &p->root, err))
		return false;
	put_metadata(b, p->kernel, &p->metadata);
	e.kernel = p->kernel;
	e.ramdisk[0] = buf_span(&p->boot);
	e.ramdisk[1] = buf_span(&p->root);
	e.metadata = buf_span(&p->metadata);
	if (b->certificate) {
		if (!sign(b, &e, &p->signature, err))
			return false;
		e.signature = buf_span(&p->signature);
	}
	eif_write(&e, &p->file);
	if (buf_full(&p->boot) || buf_full(&p->root) || buf_full(&p->metadata) || buf_full(&p->file))
		return error_set(err, ERR_CONFIG, "the image would be above %zu bytes", EIF_MAX);
	if (!write_file(b->output, buf_span(&p->file), err) || !eif_measure(&e, &m, err))
		return false;
	image_print_measurements(&e, &m, stdout);
	return true;
}

int image_build(int argc, char **argv)
{
	struct build b = {.name = "nitroproxy", .version = NP_VERSION, .memory_mib = 512, .cpus = 2};
	struct error err = {.kind = ERR_NONE};
	struct parts p = {.kernel = {0}};
	if (!parse_args(argc, argv, &b, &err))
		return err.kind == ERR_NONE ? 0 : (image_complain(&err), 2);
	struct buf *const buffers[] = {&p.boot, &p.root, &p.metadata, &p.signature, &p.file};
	for (size_t i = 0; i < countof(buffers); i++)
		buf_init(buffers[i], EIF_MAX);
	bool good = assemble(&b, &p, &err);
	for (size_t i = 0; i < countof(buffers); i++)
		buf_free(buffers[i]);
	image_unmap(p.kernel);
	return good ? 0 : image_complain(&err);
}
