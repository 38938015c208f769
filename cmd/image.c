/*
 * nitroproxy image: enclave images without Docker and without nitro-cli.
 *
 * It is a command of this program, not a script, for three reasons: whoever holds an image can recompute its
 * PCRs with the binary they have anyway, on any Linux; the builder needs the SHA-384, CBOR and COSE that the
 * verifier has; and the code that decides what is measured is tested and fuzzed with the rest.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/quote.h"
#include "cmd.h"

static const char help[] = "usage: nitroproxy image build OPTION..      (nitroproxy image build --help)\n"
			   "       nitroproxy image describe FILE\n"
			   "       nitroproxy image pcrs FILE\n"
			   "Builds an enclave image (EIF), describes one, or prints its PCRs.\n";

int image_complain(const struct error *err)
{
	fprintf(stderr, "nitroproxy image: %s\n", err->text);
	return 1;
}

bool image_map(const char *path, struct span *content, struct error *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		error_errno(err, errno, "cannot open %s", quote_clip(span_of(path)).text);
		if (fd >= 0)
			close(fd);
		return false;
	}
	void *p = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	close(fd);
	if (p == MAP_FAILED)
		return error_set(err, ERR_CONFIG, "%s is empty or cannot be mapped",
				 quote_clip(span_of(path)).text);
	*content = (struct span){p, (size_t)st.st_size};
	return true;
}

void image_unmap(struct span content)
{
	union { /* a mapping of ours, which munmap wants without const */
		const char *p;
		void *mapping;
	} u = {.p = content.p};
	if (u.p)
		munmap(u.mapping, content.n);
}

static int print(const char *path,
		 void (*show)(const struct eif *e, const struct eif_measurements *m, FILE *out))
{
	struct eif e;
	struct eif_measurements m;
	struct error err;
	struct span file;
	if (!image_map(path, &file, &err))
		return image_complain(&err);
	bool good = eif_parse(file, &e, &err) && eif_measure(&e, &m, &err);
	if (good)
		show(&e, &m, stdout);
	image_unmap(file);
	return good ? 0 : image_complain(&err);
}

int cmd_image(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	if (strcmp(word, "build") == 0)
		return image_build(argc - 1, argv + 1);
	if (strcmp(word, "describe") == 0 && argc == 3)
		return print(argv[2], image_print_description);
	if (strcmp(word, "pcrs") == 0 && argc == 3)
		return print(argv[2], image_print_measurements);
	bool asked = strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
	fputs(help, asked ? stdout : stderr);
	return asked ? 0 : 2;
}
