/*
 * What a process gives up once it has all that it needs: whoever takes it over afterwards finds
 *
 *  - system calls (seccomp-bpf): those on a list derived from what runs; any other ends the process. No new
 *    programs and no new processes, no memory that can be written and executed;
 *  - files (Landlock, from Linux 5.13 on): those named, for what is named; none may be written by default;
 *  - TCP ports (Landlock, from Linux 6.7 on): none may be bound, and dialled only where `dial` says so;
 *  - rights: no_new_privs, so that no set-uid program gives any back;
 *  - memory: locked where that is allowed without a limit, so that keys are never swapped out.
 *
 * All of it concerns the process and cannot be undone, which is why this, like the log, is global.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum sandbox_mode {
	SANDBOX_ENFORCE, /* a call that is not on the list ends the process (SIGSYS) */
	SANDBOX_LOG,	 /* it is done, and the kernel's audit log tells of it; files are not restricted */
	SANDBOX_OFF
};

/* Beside reading, writing, memory, time and sockets, which all have. */
enum {
	SANDBOX_NAMES = 1,    /* the system's resolver, in threads */
	SANDBOX_LOG_FILE = 2, /* a log file that is rotated and reopened */
	SANDBOX_FILES = 4     /* reads files that are named: they are replaced while it runs */
};

/* What may be done below a directory. */
enum {
	SANDBOX_READ = 1,
	SANDBOX_WRITE = 2, /* files made, written, renamed */
	SANDBOX_REMOVE = 4 /* unlink: a listening socket at the end */
};

#define SANDBOX_PATHS 32

struct sandbox_rules {
	enum sandbox_mode mode;
	unsigned allow; /* SANDBOX_NAMES .. */
	struct {
		const char *path; /* borrowed; one that does not exist is passed over */
		unsigned access;
	} paths[SANDBOX_PATHS];
	size_t path_count;
	bool dial;	  /* may connect over TCP */
	bool lock_memory; /* holds keys */
};

/* A directory, with all below it, or a file. */
void sandbox_path(struct sandbox_rules *r, const char *path, unsigned access);

/*
 * Before the first thread is started: Landlock is the calling thread's and its children's. False: the kernel
 * cannot do what mode asks for (seccomp; Landlock's absence is no error). Only where sandbox_impossible() is
 * NULL, or mode is SANDBOX_OFF.
 */
bool sandbox_enter(const struct sandbox_rules *r, struct error *err);

/* Sanitizers and coverage make calls of their own. NULL: possible; else why not. */
const char *sandbox_impossible(void);

/* What holds now, for the log and for /health. */
struct sandbox_state {
	enum sandbox_mode mode; /* SANDBOX_OFF before sandbox_enter */
	int landlock;		/* the version of it that is in force; 0: none */
	bool memory_locked;
	const char *memory_why; /* why it is not; "" where nobody asked */
};
const struct sandbox_state *sandbox_state(void);
const char *sandbox_mode_name(enum sandbox_mode mode);

#endif
