/*
 * Errors by value: what went wrong (kind), where (hop), and a sentence for a person.
 *
 * Synchronous functions return bool and take `struct error *err` last; callbacks
 * get `const struct error *`, NULL for success. Whoever decides what follows from
 * an error logs it, once; everybody else passes it up, with error_wrap where the
 * text gains by saying what was being done.
 *
 * The text may hold our own words, lengths and target names that have been
 * validated; never bytes that a peer chose freely.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

/*
 * One row a kind: its name on the wire (frames, tunnel answers), in logs and in metric
 * labels; the HTTP status it is answered with; the RFC 9209 Proxy-Status error token.
 */
#define ERROR_KINDS(X)                                                                                       \
	/* ours */                                                                                           \
	X(INTERNAL, "internal", 500, "proxy_internal_error")                                                 \
	X(CONFIG, "config", 500, "proxy_configuration_error")                                                \
	X(LIMIT, "limit", 503, "connection_limit_reached")                                                   \
	X(UNAVAILABLE, "unavailable", 503, "destination_unavailable")                                        \
	X(CANCELLED, "cancelled", 503, "proxy_internal_response")                                            \
	/* what the client did */                                                                            \
	X(BAD_REQUEST, "bad_request", 400, "http_request_error")                                             \
	X(DENIED, "denied", 403, "http_request_denied")                                                      \
	X(NOT_FOUND, "not_found", 404, "destination_not_found")                                              \
	X(METHOD, "method", 405, "http_request_error")                                                       \
	X(AUTH, "auth", 407, "http_request_denied")                                                          \
	X(CLIENT_TIMEOUT, "client_timeout", 408, "http_request_error")                                       \
	X(BODY_SIZE, "body_size", 413, "http_request_error")                                                 \
	X(URL_SIZE, "url_size", 414, "http_request_error")                                                   \
	X(EXPECT, "expect", 417, "http_request_error")                                                       \
	X(RATE, "rate", 429, "http_request_denied")                                                          \
	X(HEAD_SIZE, "head_size", 431, "http_request_error")                                                 \
	X(NOT_IMPLEMENTED, "not_implemented", 501, "http_request_error")                                     \
	X(VERSION, "version", 505, "http_request_error")                                                     \
	X(LOOP, "loop", 508, "proxy_loop_detected")                                                          \
	X(CLIENT_GONE, "client_gone", 499, "connection_terminated")                                          \
	/* getting to the next hop */                                                                        \
	X(DNS, "dns", 502, "dns_error")                                                                      \
	X(DNS_TIMEOUT, "dns_timeout", 504, "dns_timeout")                                                    \
	X(ADDRESS_DENIED, "address_denied", 403, "destination_ip_prohibited")                                \
	X(UNREACHABLE, "unreachable", 502, "destination_ip_unroutable")                                      \
	X(REFUSED, "refused", 502, "connection_refused")                                                     \
	X(CONNECT_TIMEOUT, "connect_timeout", 504, "connection_timeout")                                     \
	X(IO, "io", 502, "connection_terminated")                                                            \
	X(RESET, "reset", 502, "connection_terminated")                                                      \
	X(TIMEOUT, "timeout", 504, "connection_read_timeout")                                                \
	X(WRITE_TIMEOUT, "write_timeout", 504, "connection_write_timeout")                                   \
	X(PROTOCOL, "protocol", 502, "proxy_internal_error")                                                 \
	/* TLS to the service */                                                                             \
	X(TLS, "tls", 502, "tls_protocol_error")                                                             \
	X(TLS_CERTIFICATE, "tls_certificate", 502, "tls_certificate_error")                                  \
	X(TLS_ALERT, "tls_alert", 502, "tls_alert_received")                                                 \
	X(TLS_TIMEOUT, "tls_timeout", 504, "connection_timeout")                                             \
	X(TRUNCATED, "truncated", 502, "http_response_incomplete")                                           \
	/* what the service answered */                                                                      \
	X(BAD_RESPONSE, "bad_response", 502, "http_protocol_error")                                          \
	X(RESPONSE_HEAD_SIZE, "response_head_size", 502, "http_response_header_section_size")                \
	X(RESPONSE_TIMEOUT, "response_timeout", 504, "http_response_timeout")                                \
	X(UPGRADE, "upgrade", 502, "http_upgrade_failed")

enum error_kind {
	ERR_NONE = 0,
#define X(kind, name, status, token) ERR_##kind,
	ERROR_KINDS(X)
#undef X
		ERR_KINDS /* how many */
};

/* Where it went wrong, as a user sees the chain. */
enum hop { HOP_NONE, HOP_CLIENT, HOP_HOST, HOP_ENCLAVE, HOP_TUNNEL, HOP_SERVICE, HOP_COUNT };

struct error {
	enum error_kind kind;
	enum hop hop;
	char text[200];
};

/* All return false, so that `return error_set(...)` reads well. err may be NULL. */
bool error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool error_set_hop(struct error *err, enum error_kind kind, enum hop hop, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* "WHAT: <errno's text>"; the kind follows from code (an errno value). */
bool error_errno(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Puts "WHAT: " in front of the text. */
bool error_wrap(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The next hop was not reached, or went away: another attempt may find it. */
bool error_is_unreachable(enum error_kind kind);
const char *error_kind_name(enum error_kind kind);    /* "tls_certificate" */
enum error_kind error_kind_of(const char *name);      /* ERR_NONE if unknown */
int error_status(enum error_kind kind);		      /* HTTP status */
const char *error_proxy_status(enum error_kind kind); /* RFC 9209 token */
const char *hop_name(enum hop hop);		      /* "service", "" for HOP_NONE */
enum hop hop_of(const char *name);		      /* HOP_NONE if unknown */

#endif
