/* What the parts of `nitroproxy image` share. */
#ifndef CMD_IMAGE_H
#define CMD_IMAGE_H

#include <stdio.h>

#include "eif/eif.h"

int image_build(int argc, char **argv);

/* A whole file, mapped; freed by image_unmap. */
bool image_map(const char *path, struct span *content, struct error *err);
void image_unmap(struct span content);

/* {"Measurements": {..}}, as nitro-cli build-enclave prints it, and PCR8 of a signed image. */
void image_print_measurements(const struct eif *e, const struct eif_measurements *m, FILE *out);
void image_print_description(const struct eif *e, const struct eif_measurements *m, FILE *out);

/* Prints it; the exit status. */
int image_complain(const struct error *err);

#endif
