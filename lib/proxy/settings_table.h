/* The table of every setting; settings.c and the documents work from it. */
#ifndef PROXY_SETTINGS_TABLE_H
#define PROXY_SETTINGS_TABLE_H

#include "base/opt.h"

extern const struct opt_table settings_table;

#endif
