/* What to do about a failure, by where it was and of what kind. */
#ifndef DEMO_REMEDY_H
#define DEMO_REMEDY_H

#include "base/error.h"

const char *remedy_for(enum error_kind kind, enum hop hop);

#endif
