/*
 * What a machine needs before a service can run in it, and how it ends: for a process that is the first one
 * of an enclave, where no other init has been. Each step does nothing where somebody did it already, so that
 * the same code serves under AWS's init, which mounts but leaves the loopback interface down.
 *
 * Nothing here is fatal: what fails is logged, and a service that cannot do without it says so itself.
 */
#ifndef INIT_MACHINE_H
#define INIT_MACHINE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * /proc, /sys, /dev, /dev/pts, /dev/shm, /run, /tmp, and the console as descriptors 0, 1, 2 if none are open.
 */
void machine_mount(void);

/* Every *.ko of a directory, in the order of their names. No such directory, or loaded already: fine. */
void machine_load_modules(const char *directory);

/* Brings `lo` up; its addresses come with it. */
bool machine_loopback_up(struct error *err);

/*
 * Raises the hard limit of descriptors, which an enclave's kernel sets to 4096, as far as the kernel lets us.
 */
void machine_raise_limits(void);

/*
 * Random bytes from the NSM into the kernel's pool, credited: a plain write to /dev/random would count for
 * nothing. *bytes: how many.
 */
bool machine_reseed(size_t *bytes, struct error *err);

/*
 * Tells the parent instance that the enclave has booted, as nitro-cli run-enclave waits for: connect to CID
 * 3, port 9000, write B7, read B7. Blocks for at most two seconds.
 */
bool machine_heartbeat(struct error *err);
/* The two bytes on a connected socket. */
bool machine_heartbeat_on(int fd, struct error *err);

/*
 * The end: asks all other processes to go, kills what is left after wait_ms, syncs, and restarts the machine,
 * which for an enclave is to end. Does not return as the first process.
 */
void machine_end(unsigned wait_ms);

#endif
