/*
 * "Is it working, and if not, where?": the answer to /health, and the status that the
 * enclave gives the host.
 *
 *	{"status":"ok","role":"host","version":"0.1.0","uptime_s":12,
 *	 "security":{"mode":"secure","insecure":[],
 *	             "sandbox":{"mode":"enforce","landlock":7,"memory_locked":true}},
 *	 "hops":{"enclave":{"state":"ok","latency_ms":0.4,"detail":{..}}, "tunnel":{..}}}
 *
 * status is "ok" when every hop behind this one answers, else "failed": that decides 200 or 503.
 */
#ifndef PROXY_HEALTH_H
#define PROXY_HEALTH_H

#include "base/buf.h"
#include "base/error.h"
#include "proxy/health_report.h"
#include "proxy/settings.h"

struct health_hop {
	const char *name; /* "enclave", "tunnel" */
	const char *address;
	bool ok;
	uint64_t latency_us;
	struct error last;		    /* kind ERR_NONE: none */
	const struct health_report *report; /* what it says of itself; empty: nothing */
};

/* extra: more members of the object, JSON text that begins with a comma, or NULL. Whether all is well. What
 * is written here and does not pass health_report.c the host leaves out: new members need a row there. */
bool health_json(struct buf *out, const char *role, const struct settings *s, uint64_t started_us,
		 const struct health_hop *hop, const char *extra);

/* A JSON string with its quotes. */
void health_text(struct buf *out, struct span s);

#endif
