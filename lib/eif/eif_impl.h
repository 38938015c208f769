/* What reading and writing of images share. */
#ifndef EIF_EIF_IMPL_H
#define EIF_EIF_IMPL_H

#include "base/span.h"

#define EIF_VERSION	 4
#define EIF_SECTION_HEAD 12
#define EIF_CRC_AT	 544

enum eif_type { EIF_KERNEL = 1, EIF_CMDLINE, EIF_RAMDISK, EIF_SIGNATURE, EIF_METADATA };

struct eif_section {
	enum eif_type type;
	struct span content;
};

#endif
