/*
 * What a client may learn about the way its own request took, when it asks for it:
 *
 *	X-Nitroproxy-Trace: 1                                         in a request
 *
 *	Server-Timing: enclave;dur=8.12, tunnel;dur=1.30, tls;dur=5.91, service;dur=0.55
 *	Server-Timing: host;dur=8.90
 *	X-Nitroproxy-TLS: TLSv1.3; cipher="TLS1-3-AES-128-GCM-SHA256"; subject="CN=api.example.org"
 *
 * Milliseconds from the request's head to the response's head. host holds enclave, enclave holds the
 * other three: tunnel is from dialling it to its answer (name and connect included), tls from there to the
 * verified certificate, service from the request to its response. A connection that was pooled
 * or begun ahead has no tunnel and no tls; one that was resumed says so and has no subject.
 *
 * Only with the setting `trace`, in each process that shall tell. It is off, for it shows one client
 * whether others have used the same service a moment ago, and times code that holds keys. The request's
 * field never reaches a service, whatever the setting (http/hop.h).
 */
#ifndef PROXY_TRACE_H
#define PROXY_TRACE_H

#include "http/head.h"
#include "tls/tls_stream.h"

#define TRACE_FIELD	"X-Nitroproxy-Trace"
#define TRACE_TLS_FIELD "X-Nitroproxy-TLS"

struct trace {
	uint64_t tunnel_us, tls_us; /* of the connection, if it was made for this exchange */
	bool secure;		    /* tls is set */
	struct tls_info tls;
	char timing[128], facts[320]; /* what the response's fields point at */
};

/* Does the request ask? To be called before hop_clean(), which takes the field out. */
bool trace_asked(const struct head *request);

/* The fields of the host and of the enclave, put into a response's head. */
void trace_tell_host(struct trace *t, struct head *response, uint64_t us);
void trace_tell_enclave(struct trace *t, struct head *response, uint64_t us, uint64_t service_us);

#endif
