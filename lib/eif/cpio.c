#include "eif/cpio.h"

#include <string.h>
#include <sys/stat.h>

#define BLOCK 512 /* what archives are padded to, for tools that read them by the block */

void cpio_init(struct cpio *c, struct buf *out)
{
	*c = (struct cpio){.out = out};
}

static void pad(struct buf *out, size_t to)
{
	static const char zeros[BLOCK];
	buf_add(out, zeros, (to - out->n % to) % to);
}

static void entry(struct cpio *c, const char *name, unsigned mode, unsigned major, unsigned minor,
		  struct span content)
{
	size_t name_size = strlen(name) + 1;
	const uint32_t number[13] = {
		[0] = c->inode++,	   [1] = mode,	[4] = S_ISDIR(mode) ? 2 : 1, /* links */
		[6] = (uint32_t)content.n, [9] = major, [10] = minor,
		[11] = (uint32_t)name_size};
	buf_add_text(c->out, "070701");
	for (int i = 0; i < 13; i++)
		buf_printf(c->out, "%08X", number[i]);
	buf_add(c->out, name, name_size);
	pad(c->out, 4);
	buf_add_span(c->out, content);
	pad(c->out, 4);
}

void cpio_directory(struct cpio *c, const char *name)
{
	entry(c, name, S_IFDIR | 0755, 0, 0, (struct span){0});
}

void cpio_file(struct cpio *c, const char *name, struct span content, bool executable)
{
	entry(c, name, S_IFREG | (executable ? 0755 : 0644), 0, 0, content);
}

void cpio_symlink(struct cpio *c, const char *name, const char *target)
{
	entry(c, name, S_IFLNK | 0777, 0, 0, span_of(target));
}

void cpio_device(struct cpio *c, const char *name, unsigned mode, unsigned major, unsigned minor)
{
	entry(c, name, S_IFCHR | mode, major, minor, (struct span){0});
}

void cpio_end(struct cpio *c)
{
	c->inode = 0;
	entry(c, "TRAILER!!!", 0, 0, 0, (struct span){0});
	pad(c->out, BLOCK);
}
