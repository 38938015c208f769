/* What each role needs once it listens, as rules for base/sandbox.h. */
#ifndef CMD_CONFINE_H
#define CMD_CONFINE_H

#include "proxy/settings.h"

/* Enters the sandbox and logs how far it goes. False: it was to be enforced and cannot be. */
bool confine(const struct settings *s, struct error *err);

#endif
