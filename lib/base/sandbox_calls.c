/*
 * The list of system calls, and the program that the kernel asks about each of them.
 *
 * The list was made by tracing every role through the integration tests (strace -f), then completed with what
 * the C library, libuv and the resolver's modules do in cases that no test brings about. seccomp(2): the
 * program sees the call's number and arguments, not what pointers point at. The kernel remembers numbers that
 * are allowed whatever the arguments, so read and write cost nothing for it.
 */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/net.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/sandbox_impl.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "which audit architecture is this?"
#endif

/* Newer than the headers of some systems that build this; the numbers are the same everywhere. */
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#define NSM_IOCTL 0xc0200a00u /* _IOWR(0x0A, 0, struct nsm_raw): nsm_device.c */

/* ---- arguments that are allowed ---- */

struct values {
	size_t n;
	const uint32_t *v;
};
#define VALUES(...)                                                                                          \
	{                                                                                                    \
		countof(((const uint32_t[]){__VA_ARGS__})), (const uint32_t[])                               \
		{                                                                                            \
			__VA_ARGS__                                                                          \
		}                                                                                            \
	}

static const struct values any = {0, NULL};
static const struct values sockets = VALUES(AF_UNIX, AF_INET, AF_INET6, AF_VSOCK);
static const struct values resolver_sockets = VALUES(AF_NETLINK);
static const struct values levels = VALUES(SOL_SOCKET, 0 /* IP */, 6 /* TCP */, 41 /* IPv6 */, AF_VSOCK);
static const struct values resolver_levels = VALUES(270 /* SOL_NETLINK */);
static const struct values fcntls =
	VALUES(F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ);
static const struct values ioctls = VALUES(FIONBIO, FIONREAD, NSM_IOCTL);
static const struct values prctls = VALUES(PR_SET_NAME, PR_SET_VMA);
static const struct values executable = VALUES(PROT_EXEC);
static const struct values executable_written = VALUES(PROT_EXEC | PROT_WRITE);
static const struct values written = VALUES(O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
static const struct values thread = VALUES(CLONE_THREAD);

/* ---- the list ---- */

enum test {
	ALWAYS,
	ONE_OF,	 /* the argument is one of the values */
	NOT_ALL, /* of the value's bits at least one is clear */
	NONE,	 /* of the value's bits all are clear */
	ALL,	 /* of the value's bits all are set */
	ZERO,	 /* the argument is 0, in all of its 64 bits */
	SELF	 /* the argument is our process */
};

struct row {
	int nr;
	unsigned need; /* 0: for everybody; else one of these must have been allowed */
	enum test test;
	unsigned arg;
	const struct values *values;
	int answer; /* 0: the call is done; else it fails with this errno */
};

#define CALL(name)                                                                                           \
	{                                                                                                    \
		__NR_##name, 0, ALWAYS, 0, &any, 0                                                           \
	}
#define CALL_FOR(need, name)                                                                                 \
	{                                                                                                    \
		__NR_##name, need, ALWAYS, 0, &any, 0                                                        \
	}
#define CALL_IF(name, test, arg, val)                                                                        \
	{                                                                                                    \
		__NR_##name, 0, test, arg, &(val), 0                                                         \
	}
#define FAILS(name, code)                                                                                    \
	{                                                                                                    \
		__NR_##name, 0, ALWAYS, 0, &any, code                                                        \
	}
#define N SANDBOX_NAMES
#define L SANDBOX_LOG_FILE

/* clang-format off */
static const struct row rows[] = {
	/* bytes */
	CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pread64), CALL(lseek),
	CALL(recvfrom), CALL(sendto), CALL(recvmsg), CALL(sendmsg), CALL(splice), CALL(close), CALL(shutdown),
	/* events */
	CALL(epoll_pwait), CALL(epoll_ctl), CALL(ppoll), CALL(futex), CALL(restart_syscall),
#ifdef __NR_epoll_wait
	CALL(epoll_wait), CALL(poll),
#endif
	/* sockets */
	CALL_IF(socket, ONE_OF, 0, sockets), CALL(connect), CALL(accept4), CALL(getsockname), CALL(getpeername),
	CALL_IF(setsockopt, ONE_OF, 1, levels), CALL(getsockopt), CALL(pipe2),
	CALL_IF(fcntl, ONE_OF, 1, fcntls), CALL_IF(ioctl, ONE_OF, 1, ioctls),
	/* memory: nothing that may be executed. mlock comes with memory that is locked at its birth */
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(membarrier),
	CALL_IF(mmap, NONE, 2, executable), CALL_IF(mprotect, NONE, 2, executable),
	/* time, chance, threads, signals */
	CALL(clock_gettime), CALL(clock_nanosleep), CALL(gettimeofday), CALL(getrandom), CALL(sched_yield),
#ifdef __NR_time
	CALL(time), /* libc's, where the vDSO does not help: mbedTLS judges validity by it */
#endif
	CALL(sched_getaffinity), CALL(getpid), CALL(gettid), CALL(set_robust_list), CALL(rseq),
	CALL_IF(prctl, ONE_OF, 0, prctls), CALL_IF(prlimit64, ZERO, 2, any),
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack),
	CALL_IF(tgkill, SELF, 0, any), CALL(exit), CALL(exit_group),
	/* A thread, no process. clone3's flags are in memory that a filter cannot see: libc then takes clone. */
	CALL_IF(clone, ALL, 0, thread), FAILS(clone3, ENOSYS),
	/* what a socket's file is asked at the end, and what stderr is */
	CALL(fstat), CALL(newfstatat), CALL(unlinkat),
#ifdef __NR_unlink
	CALL(unlink), CALL(stat), CALL(lstat),
#endif

	/* a log file; Landlock says where */
	CALL_FOR(L, openat), CALL_FOR(L, renameat), CALL_FOR(L, renameat2), CALL_FOR(L, ftruncate),
#ifdef __NR_rename
	CALL_FOR(L, rename),
#endif

	/* files that are read again; Landlock says which */
	{__NR_openat, SANDBOX_FILES, NONE, 2, &written, 0},

	/* getaddrinfo: files, name servers, routes, and modules that are loaded when the first name is asked for */
	{__NR_openat, N, NONE, 2, &written, 0},
	{__NR_mmap, N, NOT_ALL, 2, &executable_written, 0},
	{__NR_socket, N, ONE_OF, 0, &resolver_sockets, 0},
	{__NR_setsockopt, N, ONE_OF, 1, &resolver_levels, 0},
	CALL_FOR(N, bind), CALL_FOR(N, sendmmsg), CALL_FOR(N, recvmmsg), CALL_FOR(N, uname), CALL_FOR(N, statx),
	CALL_FOR(N, faccessat), CALL_FOR(N, faccessat2), CALL_FOR(N, readlinkat), CALL_FOR(N, getdents64),
	CALL_FOR(N, getuid), CALL_FOR(N, geteuid), CALL_FOR(N, getgid), CALL_FOR(N, getegid), CALL_FOR(N, sysinfo),
	CALL_FOR(N, fstatfs), CALL_FOR(N, statfs),
#ifdef __NR_open
	{__NR_open, N, NONE, 1, &written, 0},
	CALL_FOR(N, access), CALL_FOR(N, readlink),
#endif

	/* Elsewhere libc looks for files that it does without: locales, the number of processors. */
	{__NR_openat, 0, NONE, 2, &written, EACCES},
#ifdef __NR_open
	{__NR_open, 0, NONE, 1, &written, EACCES},
#endif
};
/* clang-format on */

/* ---- the program ---- */

struct program {
	struct sock_filter *at;
	size_t n;
};

static void emit(struct program *p, uint16_t code, uint32_t k, size_t yes, size_t no)
{
	CHECK(p->n < SANDBOX_PROGRAM && yes < 256 && no < 256);
	p->at[p->n++] = (struct sock_filter){code, (uint8_t)yes, (uint8_t)no, k};
}

static void load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void verdict(struct program *p, uint32_t value)
{
	emit(p, BPF_RET | BPF_K, value, 0, 0);
}

static void jump(struct program *p, uint16_t how, uint32_t k, size_t yes, size_t no)
{
	emit(p, BPF_JMP | BPF_K | how, k, yes, no);
}

#define NR	offsetof(struct seccomp_data, nr)
#define LOW(i)	(offsetof(struct seccomp_data, args) + 8 * (size_t)(i))
#define HIGH(i) (LOW(i) + 4)

/*
 * Behind a test stand two instructions: the row's verdict, and the number loaded anew for the rows that
 * follow. `arg` was loaded into the accumulator, or its parts are.
 */
static void emit_test(struct program *p, const struct row *r)
{
	size_t n = r->values->n;
	if (r->test == ALWAYS)
		return;
	load(p, LOW(r->arg));
	switch (r->test) {
	case ALWAYS:
		break;
	case ONE_OF:
		for (size_t i = 0; i < n; i++)
			jump(p, BPF_JEQ, r->values->v[i], n - 1 - i, i + 1 < n ? 0 : 1);
		break;
	case NONE:
		jump(p, BPF_JSET, r->values->v[0], 1, 0);
		break;
	case NOT_ALL:
		emit(p, BPF_ALU | BPF_AND | BPF_K, r->values->v[0], 0, 0);
		jump(p, BPF_JEQ, r->values->v[0], 1, 0);
		break;
	case ALL:
		emit(p, BPF_ALU | BPF_AND | BPF_K, r->values->v[0], 0, 0);
		jump(p, BPF_JEQ, r->values->v[0], 0, 1);
		break;
	case ZERO:
		jump(p, BPF_JEQ, 0, 0, 3);
		load(p, HIGH(r->arg));
		jump(p, BPF_JEQ, 0, 0, 1);
		break;
	case SELF:
		jump(p, BPF_JEQ, (uint32_t)getpid(), 0, 1);
		break;
	}
}

static void emit_row(struct program *p, const struct row *r)
{
	struct sock_filter body[32];
	struct program part = {body, 0};
	emit_test(&part, r);
	verdict(&part, r->answer ? SECCOMP_RET_ERRNO | (uint32_t)r->answer : SECCOMP_RET_ALLOW);
	if (r->test != ALWAYS)
		load(&part, NR);
	CHECK(part.n <= countof(body));
	jump(p, BPF_JEQ, (uint32_t)r->nr, 0, part.n);
	for (size_t i = 0; i < part.n; i++) {
		CHECK(p->n < SANDBOX_PROGRAM);
		p->at[p->n++] = body[i];
	}
}

size_t sandbox_program(struct sock_filter *out, unsigned allow, uint32_t refuse)
{
	struct program p = {out, 0};
	load(&p, offsetof(struct seccomp_data, arch));
	jump(&p, BPF_JEQ, ARCH, 1, 0);
	verdict(&p, refuse); /* 32-bit calls have other numbers */
	load(&p, NR);
	for (size_t i = 0; i < countof(rows); i++)
		if (!rows[i].need || rows[i].need & allow)
			emit_row(&p, &rows[i]);
	verdict(&p, refuse);
	return p.n;
}
