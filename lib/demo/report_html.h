/* The parts of the page, each a file. */
#ifndef DEMO_REPORT_HTML_H
#define DEMO_REPORT_HTML_H

#include "demo/report.h"

extern const char report_style[]; /* report.css, made into bytes by CMake */

void html_path(const struct report *r, FILE *out); /* the way of a request, and who sees what */
void html_checks(const struct report *r, FILE *out);
void html_latency(const struct report *r, FILE *out);	  /* requests in a row */
void html_concurrency(const struct report *r, FILE *out); /* requests at the same time */

#endif
