/* Images of anybody's, as `nitroproxy image describe` reads them, the checksum made right so that it hides
 * nothing. */
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "eif/crc32.h"
#include "eif/eif.h"

static void inside(struct span whole, struct span part)
{
	CHECK(part.p >= whole.p && part.n <= whole.n && (size_t)(part.p - whole.p) <= whole.n - part.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct eif e;
	struct eif_measurements m;
	struct error err;
	struct buf b, again;
	buf_init(&b, 1 << 20);
	buf_init(&again, 1 << 20);
	if (!buf_add(&b, data, size))
		return 0;
	if (size >= EIF_HEADER) {
		uint32_t crc =
			crc32_add(crc32_add(0, (struct span){b.p, 544}), span_from(buf_span(&b), EIF_HEADER));
		for (int i = 0; i < 4; i++)
			b.p[544 + i] = (char)(crc >> (24 - 8 * i));
	}
	if (eif_parse(buf_span(&b), &e, &err)) {
		size_t total = EIF_HEADER;
		const struct span *const parts[] = {&e.kernel, &e.cmdline, &e.metadata, &e.signature};
		for (size_t i = 0; i < countof(parts); i++) {
			if (parts[i]->p)
				inside(buf_span(&b), *parts[i]);
			total += parts[i]->p ? 12 + parts[i]->n : 0;
		}
		for (size_t i = 0; i < e.ramdisks; i++) {
			inside(buf_span(&b), e.ramdisk[i]);
			total += 12 + e.ramdisk[i].n;
		}
		CHECK(total == size);
		eif_measure(&e, &m, &err);
		if (e.metadata.p) {
			/* What is written from it is the same image, sections in our order. */
			struct eif second;
			eif_write(&e, &again);
			CHECK(again.n == size && eif_parse(buf_span(&again), &second, &err));
			CHECK(span_is(second.kernel, e.kernel) && second.ramdisks == e.ramdisks);
		}
	}
	buf_free(&b);
	buf_free(&again);
	return 0;
}
