/* CRC-32 as zip, zlib and EIF use it (ISO-HDLC: polynomial 04C11DB7, reflected). */
#ifndef EIF_CRC32_H
#define EIF_CRC32_H

#include <stdint.h>

#include "base/span.h"

/* Goes on from the crc of what was before; 0 at the start. */
uint32_t crc32_add(uint32_t crc, struct span in);

#endif
