/* The steps of settings_load that have files of their own. */
#ifndef PROXY_SETTINGS_IMPL_H
#define PROXY_SETTINGS_IMPL_H

#include "proxy/settings.h"

/* settings_derive.c: fills in what follows from other settings. */
void settings_derive(struct settings *s);
/* settings_check.c: what no row can see alone; collects warnings and what is insecure. */
bool settings_check(struct settings *s, struct error *err);
/* No more of them than can be. */
bool settings_check_workers(const struct settings *s, struct error *err);

#endif
