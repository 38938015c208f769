/*
 * Enclave images (EIF, version 4): what nitro-cli run-enclave and QEMU's nitro-enclave machine boot. The
 * format is that of aws-nitro-enclaves-image-format; every number is big-endian.
 *
 *	   0  ".eif" | u16 version | u16 flags | u64 default memory | u64 default CPUs
 *	  24  u16 reserved | u16 sections | u64 offset[32] | u64 size[32] | u32 unused | u32 CRC-32
 *	 548  sections, each:  u16 type | u16 flags | u64 size | content
 *
 * An offset points at a section's head, its size is that of the content alone. The CRC is over the header
 * without the CRC, then every section with its head.
 */
#ifndef EIF_EIF_H
#define EIF_EIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "nsm/digest.h"

#define EIF_HEADER	 548
#define EIF_SECTIONS_MAX 32
#define EIF_RAMDISKS_MAX (EIF_SECTIONS_MAX - 4)
#define EIF_MAX		 ((size_t)4 << 30) /* of a whole image */
#define EIF_ARM64	 1		   /* in flags; else x86-64 */

struct eif { /* spans are borrowed */
	unsigned version, flags;
	uint64_t default_memory, default_cpus; /* bytes; nitro-cli's arguments go before them */
	struct span kernel, cmdline;
	struct span ramdisk[EIF_RAMDISKS_MAX]; /* the first one boots, the others are the application */
	size_t ramdisks;
	struct span metadata;  /* JSON */
	struct span signature; /* eif_sign; p NULL: not signed */
};

/* Appends the image; what does not fit shows in buf_full(). */
void eif_write(const struct eif *e, struct buf *out);

/*
 * Reads what may be anybody's. Spans point into the file; ERR_CONFIG with what is wrong with it. A version
 * before 4 is read too, though it has no metadata.
 */
bool eif_parse(struct span file, struct eif *e, struct error *err);

/*
 * The measurements that the hypervisor will make and the NSM report, SHA-384 each:
 *
 *	PCR0  kernel, command line, all ramdisks       PCR2  all ramdisks but the first
 *	PCR1  kernel, command line, first ramdisk      PCR8  the certificate that signed; zeros if none did
 *
 * each as SHA384(48 zeros || SHA384(content)). The metadata is not measured.
 */
struct eif_measurements {
	uint8_t pcr0[SHA384_SIZE], pcr1[SHA384_SIZE], pcr2[SHA384_SIZE], pcr8[SHA384_SIZE];
};
/* False: the signature section names no certificate; all but PCR8 are set then. */
bool eif_measure(const struct eif *e, struct eif_measurements *m, struct error *err);

/* SHA384(48 zeros || in): a PCR that was extended once. */
void eif_extend(const uint8_t in[SHA384_SIZE], uint8_t pcr[SHA384_SIZE]);

#endif
