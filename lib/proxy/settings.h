/*
 * Every setting of every role, as the code reads it: plain values that have been
 * checked, with the units in this file's comments. Durations are milliseconds,
 * sizes bytes, addresses texts that net/addr parses, texts never NULL ("" is unset).
 *
 * To add a setting: a field here and a row in settings_table.c. Flag, environment
 * name, help, --print-config, config/README.md and checks follow from the row.
 */
#ifndef PROXY_SETTINGS_H
#define PROXY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/sandbox.h"
#include "base/text_list.h"
#include "proxy/policy.h"
#include "tls/tls_conf.h"

/* Bits, so that a row can concern several. */
enum command { CMD_HOST = 1, CMD_ENCLAVE = 2, CMD_TUNNEL = 4, CMD_DEMO = 8 };

enum nsm_choice { NSM_AUTO /* the device where there is one */, NSM_DEVICE, NSM_SOFTWARE, NSM_OFF };

#define SETTINGS_CLIENT_CA_MAX 16 /* files */

struct settings {
	struct {
		uint32_t cid;		 /* of the enclave, as the host sees it */
		uint32_t port;		 /* where the enclave listens for the host */
		uint32_t memory_mb;	 /* for nitro-cli run-enclave */
		uint32_t cpu_count;	 /* likewise */
		bool debug_mode;	 /* forces logging.level debug; insecure */
		const char *listen;	 /* frames from the host */
		const char *http_listen; /* plain HTTP from apps inside; "": none */
		const char *tunnel;	 /* where the enclave finds the tunnel */
		bool init;		 /* does what a first process has to, even if it is not the first */
		struct text_list app; /* program and arguments of the application beside it; none: no such */
		struct text_list app_env; /* NAME=VALUE */
		uint32_t app_uid;	  /* user and group of the application; 0: stays root */
		bool app_once;		  /* the application's end is the enclave's */
	} enclave;

	struct {
		uint32_t port;
		uint32_t max_retries; /* after the first attempt */
		uint64_t retry_delay; /* the base of the exponential delay */
		uint64_t timeout;     /* legacy: what timeouts.response_header is when not set itself */
		const char *listen;   /* follows from port unless set */
		bool enclave_log;     /* take its log lines and metrics */
		const char *enclave;  /* follows from enclave.cid and .port unless set */
	} host_proxy;

	/* TLS from clients anywhere that ends in the enclave: proxy/ingress.h */
	struct {
		const char *listen;	    /* host: where clients connect; "": nowhere */
		uint32_t port;		    /* the vsock port between host and enclave */
		const char *enclave;	    /* host: follows from enclave.cid and .port unless set */
		const char *enclave_listen; /* enclave; "": there is no ingress */
		const char *app;	 /* enclave: the application that is served; "": the proxy itself */
		struct text_list names;	 /* enclave: in the certificate that it makes */
		const char *certificate; /* enclave: PEM, leaf first; "": it makes its own key */
		const char *key;	 /* .. and its key */
		struct text_list client_ca; /* enclave: who vouches for clients; none: anybody may come */
		bool forward_client;	    /* enclave: tells the application the client's key */
		uint64_t rotate, overlap;   /* enclave: life of a key, and of its connections behind that */
	} ingress;

	struct {
		const char *listen;
		struct text_list allow;	     /* HOST:PORT patterns; none: every name and port */
		struct text_list allow_cidr; /* inner addresses that may be dialled all the same */
	} tunnel;

	struct {
		enum tls_version min_version;
		bool verify_certificates;
		struct text_list cipher_suites; /* IANA names, in order of preference */
		struct text_list ca_file;	/* files or directories; none: the system's bundle */
	} tls;

	enum sandbox_mode sandbox;
	const char *workers; /* "auto", or a number: settings_workers says how many that are */

	bool trunk; /* many exchanges share a connection between our processes: trunk_client.h */

	bool allow_plain_http; /* http:// targets */
	bool trace;	       /* requests may ask for the times of their stages: trace.h */
	bool receipts;	       /* requests may ask for one: witness.h */
	enum nsm_choice nsm;   /* who makes attestation documents */

	struct {
		const char *file; /* "": none */
		enum policy_mode mode;
		enum policy_default
			without_rules;	      /* key policy.default: the verdict when no rule is configured */
		struct text_list allow, deny; /* rules as policy.h parses them */
	} policy;

	struct {
		struct text_list auth; /* USER:HASH for Proxy-Authorization; secret. None: not asked for */
		struct text_list peer_cids; /* vsock peers that may connect; none: all */
		struct text_list peer_uids; /* unix socket peers that may connect; none: all */
	} access;

	struct {
		uint32_t header_bytes; /* a message head */
		uint32_t header_count; /* its fields */
		uint32_t url_length;
		uint32_t connections;		 /* accepted, per process */
		uint32_t connections_per_target; /* open to one host:port */
		uint32_t client_connections;	 /* from one client address; 0: no limit */
		uint32_t client_rate;		 /* requests a second of one client address; 0: no limit */
		uint32_t pool_idle;		 /* idle upstream connections kept per target */
		uint32_t pool_total;		 /* idle upstream connections kept in all */
		uint32_t enclave_connections;	 /* host: connections to the enclave, in use or idle */
		uint32_t attestation_rate;	 /* documents a second, all who ask together */
	} limits;

	struct {
		uint64_t client_header;	  /* from the first byte of a head to its last */
		uint64_t client_idle;	  /* a client connection between two requests */
		uint64_t body_stall;	  /* a request body that stops coming */
		uint64_t enclave_connect; /* host: reaching the enclave */
		uint64_t tunnel_connect;  /* enclave: from dialling the tunnel to its answer, DNS and connect
					     included */
		uint64_t tunnel_request;  /* tunnel: for the request at the start of a connection */
		uint64_t dns;		  /* tunnel: one name */
		uint64_t connect;	  /* tunnel: all addresses of one name */
		uint64_t tls_handshake;
		uint64_t response_header; /* from the end of the request to the final response head */
		uint64_t response_stall;  /* a response body, or a reader of one, that stops */
		uint64_t tunnel_idle;	  /* no byte in either direction of a raw tunnel */
		uint64_t pool_idle;	  /* an idle upstream connection is closed after */
		uint64_t drain;		  /* after SIGTERM, for what runs */
	} timeouts;

	struct {
		enum log_level level;
		enum log_format format;
		const char *file;  /* "": stderr */
		uint64_t max_size; /* rotate before it grows past this; 0: never */
		uint32_t backup_count;
	} logging;

	struct {
		const char *proxy;
		struct text_list test_endpoints, refused_endpoints, denied_endpoints; /* URLs */
		uint64_t request_timeout;
		uint32_t concurrent_requests;
		bool local;
		struct text_list report;
		const char *serve_origin, *origin_ca;
	} demo;

	/* ---- what follows from the above ---- */

	enum command command;
	struct text_list warnings; /* to log at start, whole sentences */
	struct text_list insecure; /* why this is not a secure configuration; none: it is */
	struct opts opts;	   /* where each value came from; owns the texts */
};

enum settings_outcome {
	SETTINGS_RUN,	  /* go on with *s */
	SETTINGS_PRINTED, /* --help, --version, --print-config, --check-config: exit 0 */
	SETTINGS_ERROR	  /* say err->text, exit 2 */
};

/*
 * All of it: defaults, then the file of --config, then the environment (--env-file below
 * what is really set), then the command line (argv[0] is the command's name). *s needs
 * settings_free whatever the outcome.
 */
enum settings_outcome settings_load(int argc, char *const *argv, enum command command, struct settings *s,
				    struct error *err);

/* The same with the environment and the place for output given. */
enum settings_outcome settings_load_from(int argc, char *const *argv, char *const *envp, FILE *out,
					 enum command command, struct settings *s, struct error *err);

/* Processes that serve: 1 and up. */
unsigned settings_workers(const struct settings *s);

void settings_free(struct settings *s);

/* The configuration table of config/README.md. */
void settings_markdown(FILE *out);

#endif
