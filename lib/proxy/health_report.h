/*
 * What another hop says of itself, for /health. Each end of a vsock takes the other for an adversary, so
 * nothing of it is passed on as it came: it is read for the members that are known here (a table in the .c),
 * each of its own kind and size, and written anew. Members that are not known are left out, for the other end
 * may be a newer one; a known one that is not what it should be makes all of it unreadable.
 */
#ifndef PROXY_HEALTH_REPORT_H
#define PROXY_HEALTH_REPORT_H

#include "base/buf.h"
#include "base/error.h"

#define HEALTH_REPORT_MAX 16384 /* bytes, as it came and as it is written */

enum health_reporter { HEALTH_OF_ENCLAVE, HEALTH_OF_TUNNEL };

struct health_report {
	struct buf json; /* of our own making; empty: there is none */
	bool ok;	 /* "status":"ok": so it says of itself and of what is behind it */
};

void health_report_init(struct health_report *r);
void health_report_free(struct health_report *r); /* empty then, and may be used again */

/*
 * Takes the place of what was there. False: unreadable, err (ERR_PROTOCOL) says so in our words, r is empty.
 */
bool health_report_read(struct health_report *r, enum health_reporter who, struct span json,
			struct error *err);

#endif
