/* What each role needs once it listens, as rules for base/sandbox.h. */
#ifndef CMD_CONFINE_H
#define CMD_CONFINE_H

#include "proxy/settings.h"

/* Enters the sandbox and logs how far it goes. False: it was to be enforced and cannot be. */
bool confine(const struct settings *s, struct error *err);

/*
 * The process above the workers: no new privileges, unless it starts an application, which may want some; in
 * an enclave, where it is root, no capability but those that it and its children have a use for.
 */
void confine_supervisor(const struct settings *s, bool in_enclave);

#endif
