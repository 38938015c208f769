/*
 * Archives that the kernel unpacks as its first file system: cpio in "newc" form (kernel
 * Documentation/driver-api/early-userspace/buffer-format.rst), each entry
 *
 *	"070701" | 13 numbers of 8 hexadecimal digits | name 0 | 0..3 zeros | content | 0..3 zeros
 *
 * The same input gives the same bytes: times are 0, owners root, inodes counted, entries in the order they
 * are added. Memory runs out of the buffer's cap, not of the machine: look at buf_full() at the end.
 */
#ifndef EIF_CPIO_H
#define EIF_CPIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct cpio {
	struct buf *out; /* borrowed; empty, or the end of a whole archive */
	uint32_t inode;
};

void cpio_init(struct cpio *c, struct buf *out);
/* Names are relative, without "./" in front: "etc/hosts". A directory comes before what is in it. */
void cpio_directory(struct cpio *c, const char *name);
void cpio_file(struct cpio *c, const char *name, struct span content, bool executable);
void cpio_symlink(struct cpio *c, const char *name, const char *target);
void cpio_device(struct cpio *c, const char *name, unsigned mode, unsigned major,
		 unsigned minor); /* character */
void cpio_end(struct cpio *c);

/*
 * All that is in a directory, sorted by path. Of the modes only "executable" is kept: 755 or 644.
 * Directories, files and symbolic links; ERR_CONFIG for anything else, for a file above 4 GiB - 1 and for
 * deep nesting.
 */
bool cpio_tree(struct cpio *c, const char *directory, struct error *err);

#endif
