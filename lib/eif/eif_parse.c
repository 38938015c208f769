#include "base/be.h"
#include "eif/crc32.h"
#include "eif/eif.h"
#include "eif/eif_impl.h"

#define OFFSETS_AT 28
#define SIZES_AT   (OFFSETS_AT + 8 * EIF_SECTIONS_MAX)

static bool bad(struct error *err, const char *what)
{
	return error_set(err, ERR_CONFIG, "%s", what);
}

/* The one of a kind. */
static bool take(struct span *to, struct span content, const char *twice, struct error *err)
{
	if (to->p)
		return bad(err, twice);
	*to = content;
	return true;
}

static bool take_section(struct eif *e, unsigned type, struct span content, struct error *err)
{
	switch (type) {
	case EIF_KERNEL:
		return take(&e->kernel, content, "two kernels", err);
	case EIF_CMDLINE:
		return take(&e->cmdline, content, "two command lines", err);
	case EIF_SIGNATURE:
		return take(&e->signature, content, "two signatures", err);
	case EIF_METADATA:
		return take(&e->metadata, content, "two sections of metadata", err);
	case EIF_RAMDISK:
		if (e->ramdisks == EIF_RAMDISKS_MAX)
			return bad(err, "too many ramdisks");
		e->ramdisk[e->ramdisks++] = content;
		return true;
	}
	return error_set(err, ERR_CONFIG, "a section of unknown type %u", type);
}

/* Sections stand one behind the other, without gap: *at is where the next one begins. */
static bool parse_section(struct span file, size_t index, uint64_t *at, struct eif *e, struct error *err)
{
	uint64_t offset = be_u64(file.p + OFFSETS_AT + 8 * index),
		 size = be_u64(file.p + SIZES_AT + 8 * index);
	if (offset != *at)
		return error_set(err, ERR_CONFIG, "section %zu does not begin where the one before ends",
				 index);
	if (file.n - offset < EIF_SECTION_HEAD || size > file.n - offset - EIF_SECTION_HEAD)
		return error_set(err, ERR_CONFIG, "section %zu ends behind the end of the file", index);
	if (be_u64(file.p + offset + 4) != size)
		return error_set(err, ERR_CONFIG, "section %zu has another size than the header says", index);
	*at = offset + EIF_SECTION_HEAD + size;
	struct span content = {file.p + offset + EIF_SECTION_HEAD, size};
	return take_section(e, be_u16(file.p + offset), content, err);
}

bool eif_parse(struct span file, struct eif *e, struct error *err)
{
	*e = (struct eif){0};
	if (file.n < EIF_HEADER || !span_starts(file, SPAN(".eif")))
		return bad(err, "this is no enclave image");
	e->version = be_u16(file.p + 4);
	e->flags = be_u16(file.p + 6);
	e->default_memory = be_u64(file.p + 8);
	e->default_cpus = be_u64(file.p + 16);
	size_t sections = be_u16(file.p + 26);
	uint64_t at = EIF_HEADER;
	if (e->version < 2 || e->version > EIF_VERSION)
		return error_set(err, ERR_CONFIG, "version %u of the format is not known here", e->version);
	if (sections > EIF_SECTIONS_MAX)
		return error_set(err, ERR_CONFIG, "%zu sections, but there is room for %d", sections,
				 EIF_SECTIONS_MAX);
	for (size_t i = 0; i < sections; i++)
		if (!parse_section(file, i, &at, e, err))
			return false;
	if (at != file.n)
		return bad(err, "there is something behind the last section");
	uint32_t crc =
		crc32_add(crc32_add(0, (struct span){file.p, EIF_CRC_AT}), span_from(file, EIF_HEADER));
	if (crc != be_u32(file.p + EIF_CRC_AT))
		return bad(err, "the checksum does not match: the file is damaged");
	if (!e->kernel.p || !e->cmdline.p || !e->ramdisks)
		return bad(err, "it wants a kernel, a command line and a ramdisk");
	return true;
}
