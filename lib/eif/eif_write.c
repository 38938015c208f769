#include "base/check.h"
#include "eif/crc32.h"
#include "eif/eif.h"
#include "eif/eif_impl.h"

/* In the order of AWS's builder. */
static size_t list(const struct eif *e, struct eif_section s[EIF_SECTIONS_MAX])
{
	size_t n = 0;
	CHECK(e->ramdisks >= 1 && e->ramdisks <= EIF_RAMDISKS_MAX);
	s[n++] = (struct eif_section){EIF_KERNEL, e->kernel};
	s[n++] = (struct eif_section){EIF_CMDLINE, e->cmdline};
	s[n++] = (struct eif_section){EIF_METADATA, e->metadata};
	for (size_t i = 0; i < e->ramdisks; i++)
		s[n++] = (struct eif_section){EIF_RAMDISK, e->ramdisk[i]};
	if (e->signature.p)
		s[n++] = (struct eif_section){EIF_SIGNATURE, e->signature};
	return n;
}

static void put_header(const struct eif *e, const struct eif_section *s, size_t n, struct buf *out)
{
	uint64_t at = EIF_HEADER;
	buf_add_text(out, ".eif");
	buf_u16(out, EIF_VERSION);
	buf_u16(out, e->flags);
	buf_u64(out, e->default_memory);
	buf_u64(out, e->default_cpus);
	buf_u16(out, 0);
	buf_u16(out, (unsigned)n);
	for (size_t i = 0; i < EIF_SECTIONS_MAX; i++) {
		buf_u64(out, i < n ? at : 0);
		at += i < n ? EIF_SECTION_HEAD + s[i].content.n : 0;
	}
	for (size_t i = 0; i < EIF_SECTIONS_MAX; i++)
		buf_u64(out, i < n ? s[i].content.n : 0);
	buf_u32(out, 0);
}

void eif_write(const struct eif *e, struct buf *out)
{
	struct eif_section s[EIF_SECTIONS_MAX];
	size_t n = list(e, s), start = out->n;
	put_header(e, s, n, out);
	buf_u32(out, 0); /* the CRC, once it is known */
	for (size_t i = 0; i < n; i++) {
		buf_u16(out, s[i].type);
		buf_u16(out, 0);
		buf_u64(out, s[i].content.n);
		buf_add_span(out, s[i].content);
	}
	if (buf_full(out))
		return;
	struct span all = span_from(buf_span(out), start);
	uint32_t crc = crc32_add(0, (struct span){all.p, EIF_CRC_AT});
	crc = crc32_add(crc, span_from(all, EIF_HEADER));
	for (int i = 0; i < 4; i++)
		out->p[start + EIF_CRC_AT + (size_t)i] = (char)(crc >> (24 - 8 * i));
}
