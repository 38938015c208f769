/*
 * landlock(7): a ruleset says which kinds of access it is about (all of those that the kernel knows of are
 * refused from then on) and which of them are allowed below which directories.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sandbox_impl.h"

/* Of versions newer than the headers of the systems that build this. */
#define FS_REFER     (1ull << 13) /* version 2 */
#define FS_TRUNCATE  (1ull << 14) /* version 3 */
#define FS_IOCTL_DEV (1ull << 15) /* version 5 */
#define NET_BIND     (1ull << 0)  /* version 4 */
#define NET_CONNECT  (1ull << 1)

struct ruleset {
	uint64_t fs, net;
};

#define FS_FIRST ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* what version 1 knows: bits 0 to MAKE_SYM */
#define FS_READ	 LANDLOCK_ACCESS_FS_READ_FILE
#define FS_WRITE                                                                                             \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE |      \
	 FS_TRUNCATE)
#define FS_REMOVE LANDLOCK_ACCESS_FS_REMOVE_FILE
/* What makes sense for a file that is no directory. */
#define FS_OF_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

static struct ruleset handled(int version, bool dial)
{
	struct ruleset r = {.fs = FS_FIRST};
	if (version >= 2)
		r.fs |= FS_REFER;
	if (version >= 3)
		r.fs |= FS_TRUNCATE;
	if (version >= 4)
		r.net = dial ? NET_BIND : NET_BIND | NET_CONNECT;
	if (version >= 5)
		r.fs |= FS_IOCTL_DEV; /* of devices opened from here on; /dev/nsm is open */
	return r;
}

static uint64_t rights(unsigned access)
{
	return (access & SANDBOX_READ ? FS_READ : 0) | (access & SANDBOX_WRITE ? FS_WRITE : 0) |
	       (access & SANDBOX_REMOVE ? FS_REMOVE : 0);
}

static bool add_path(int ruleset, const char *path, unsigned access, uint64_t may, struct error *err)
{
	struct stat st;
	struct landlock_path_beneath_attr rule = {.allowed_access = rights(access) & may,
						  .parent_fd = open(path, O_PATH | O_CLOEXEC)};
	if (rule.parent_fd < 0)
		return true;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_OF_FILE;
	long rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	int code = errno;
	close(rule.parent_fd);
	return rc == 0 || error_errno(err, code, "Landlock, for %s", path);
}

static bool restrict_self(const struct sandbox_rules *r, int version, struct error *err)
{
	struct ruleset attr = handled(version, r->dial);
	/* The first versions know only the first field. */
	size_t size = version >= 4 ? sizeof attr : sizeof attr.fs;
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return error_errno(err, errno, "Landlock");
	bool ok = true;
	for (size_t i = 0; i < r->path_count && ok; i++)
		ok = add_path(fd, r->paths[i].path, r->paths[i].access, attr.fs, err);
	if (ok && syscall(SYS_landlock_restrict_self, fd, 0) != 0)
		ok = error_errno(err, errno, "Landlock");
	close(fd);
	return ok;
}

int sandbox_landlock(const struct sandbox_rules *r, struct error *err)
{
	int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version <= 0) /* ENOSYS: not compiled in; EOPNOTSUPP: not switched on */
		return 0;
	return restrict_self(r, version, err) ? version : -1;
}
