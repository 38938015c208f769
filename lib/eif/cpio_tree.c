/* A directory of this machine as entries of an archive. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/quote.h"
#include "eif/cpio.h"

#define DEPTH_MAX 32

static bool cannot(struct error *err, const char *what, const char *name)
{
	return error_errno(err, errno, "cannot %s %s", what, quote_clip(span_of(name)).text);
}

static bool add_file(struct cpio *c, int dir, const char *leaf, const char *name, struct error *err)
{
	struct stat st;
	void *p = NULL;
	int fd = openat(dir, leaf, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return cannot(err, "open", name);
	bool good = fstat(fd, &st) == 0 || cannot(err, "look at", name);
	if (good && (uint64_t)st.st_size > UINT32_MAX)
		good = error_set(err, ERR_CONFIG, "%s is above 4 GiB, which the format cannot hold",
				 quote_clip(span_of(name)).text);
	if (good && st.st_size) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		good = p != MAP_FAILED || cannot(err, "read", name);
	}
	close(fd);
	if (!good)
		return false;
	cpio_file(c, name, (struct span){p, (size_t)st.st_size}, st.st_mode & 0111);
	if (p)
		munmap(p, (size_t)st.st_size);
	return true;
}

static bool add_symlink(struct cpio *c, int dir, const char *leaf, const char *name, struct error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, leaf, target, sizeof target - 1);
	if (n < 0)
		return cannot(err, "read", name);
	target[n] = '\0';
	cpio_symlink(c, name, target);
	return true;
}

/* Every name of a directory, sorted byte by byte whatever the locale. */
struct names {
	char **at; /* owned */
	size_t count;
};

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_names(DIR *d, struct names *names)
{
	struct dirent *e;
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		names->at = mem_resize(names->at, (names->count + 1) * sizeof *names->at);
		names->at[names->count++] = mem_text(e->d_name);
	}
	if (names->count)
		qsort(names->at, names->count, sizeof *names->at, by_bytes);
}

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->at[i]);
	free(names->at);
}

static bool add_all(struct cpio *c, int fd, const char *path, unsigned depth, struct error *err);

static bool add_any(struct cpio *c, int dir, const char *leaf, const char *name, unsigned depth,
		    struct error *err)
{
	struct stat st;
	if (fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return cannot(err, "look at", name);
	if (S_ISREG(st.st_mode))
		return add_file(c, dir, leaf, name, err);
	if (S_ISLNK(st.st_mode))
		return add_symlink(c, dir, leaf, name, err);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_CONFIG, "%s is no file, directory or symbolic link",
				 quote_clip(span_of(name)).text);
	int fd = openat(dir, leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return cannot(err, "open", name);
	cpio_directory(c, name);
	return add_all(c, fd, name, depth, err);
}

/* Takes the descriptor. path "": the top. */
static bool add_all(struct cpio *c, int fd, const char *path, unsigned depth, struct error *err)
{
	struct names names = {0};
	struct buf name;
	bool good = true;
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return cannot(err, "read", path);
	}
	if (depth == DEPTH_MAX)
		good = error_set(err, ERR_CONFIG, "directories nested more than %d deep", DEPTH_MAX);
	read_names(d, &names);
	buf_init(&name, PATH_MAX);
	for (size_t i = 0; i < names.count && good; i++) {
		buf_clear(&name);
		buf_printf(&name, "%s%s%s", path, *path ? "/" : "", names.at[i]);
		good = add_any(c, dirfd(d), names.at[i], buf_text(&name), depth + 1, err);
	}
	buf_free(&name);
	names_free(&names);
	closedir(d);
	return good;
}

bool cpio_tree(struct cpio *c, const char *directory, struct error *err)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cannot(err, "open", directory);
	return add_all(c, fd, "", 0, err);
}
