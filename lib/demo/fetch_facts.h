/*
 * What an answer tells beside its content: the times of the stages and the facts of TLS (proxy/trace.h),
 * and, when the proxy answered in place of the service, the problem (http/reply.h).
 */
#ifndef DEMO_FETCH_FACTS_H
#define DEMO_FETCH_FACTS_H

#include <stdint.h>

#include "base/span.h"
#include "http/head.h"

struct fetch_facts {
	char server[64];
	bool problem_follows; /* the body is a problem document */
	bool unverified;      /* the enclave says that it did not check the certificate */
	/* microseconds; 0: not told */
	uint64_t host_us, enclave_us, tunnel_us, tls_us, service_us;
	struct {
		char protocol[16], cipher[64], subject[128]; /* printable ASCII */
		bool resumed;
	} tls;
	struct {
		char kind[32], hop[16], detail[240];
	} problem;
};

void facts_of_head(struct fetch_facts *f, const struct head *response);
void facts_of_problem(struct fetch_facts *f, struct span body);

#endif
