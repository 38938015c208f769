/*
 * One request and its answer on their way through a process: the same for the host and
 * the enclave, whatever carries the two legs (http/leg.h).
 *
 *	          route          open a leg          first part sent
 *	request ---------> OPENING ----------> FORWARDING ------------> DONE
 *	   |                  |  ^                 |  |
 *	   | refused, local   |  | retry: nothing  |  | broke off behind the response's head:
 *	   v                  v  | was lost        v  | the client's leg is cut
 *	 REPLYING <-- error --+  +-----------------+  |
 *	   `------------------------------------------+--> DONE
 *
 * Behind a switch to raw, two legs that are nothing but streams are joined by a relay (net/relay.h), and
 * FORWARDING is over when that is.
 *
 * The role (host, enclave) rewrites the heads, opens the leg towards the answer and is
 * told the end; everything between is here: both directions streamed with one block
 * each, the timeouts of each stage, what may be repeated and what not, the error answers.
 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include "base/buf.h"
#include "base/loop.h"
#include "http/leg.h"
#include "http/target.h"
#include "net/splice.h"
#include "proxy/trace.h"
#include "proxy/witness.h"

struct exchange;
struct settings;

/* leg is the exchange's when err is NULL; reused: it is from a pool, and may be stale. */
typedef void exchange_open_fn(void *arg, struct leg *leg, bool reused, const struct error *err);

/* How long an exchange may stay in a stage, in milliseconds. */
struct exchange_ms {
	uint64_t body_stall, response_header, response_stall, tunnel_idle;
};
/* As the settings have it, for whoever asks the service itself. */
struct exchange_ms exchange_ms(const struct settings *s);

struct exchange_role {
	const char *agent; /* "nitroproxy-host": in Proxy-Status and Via */
	enum hop self;	   /* whose errors have no other hop */
	enum hop next;	   /* the hop that the opened leg leads to */
	struct exchange_ms ms;
	unsigned max_retries;	 /* of opening a leg that could not be reached */
	uint64_t retry_delay_ms; /* doubled each time, with jitter */

	/* Opens a leg; fresh: not one from a pool. One callback, or none after cancel. */
	void *(*open)(void *owner, struct exchange *x, bool fresh, exchange_open_fn *fn, void *arg);
	void (*cancel)(void *owner, void *opening);
	/* A response's head on its way to the client: hop-by-hop fields out, Via in. May be NULL. */
	bool (*on_response)(void *owner, struct exchange *x, struct head *head, struct error *err);
	/* It is over: log and count. x is freed behind the call. */
	void (*on_done)(void *owner, struct exchange *x);
	void *owner;
	struct splice_pool *pipes; /* borrowed, for raw bytes in bulk; NULL: none */
	struct list running;	   /* all exchanges of the role; the role does list_init */
};

/* What there is to know of an exchange, while it runs and at its end. */
struct exchange_info {
	uint64_t id;
	struct head *request;	     /* as rewritten by the role; NULL once the leg has gone */
	const struct stream *client; /* over which it came, while it is routed; NULL: it came in frames */
	struct target target;
	char method[16]; /* for the log: cut, cleaned */
	int status;	 /* that the client got; 0: none */
	bool failed;	 /* err says why */
	struct error err;
	unsigned attempts;
	unsigned retry_after; /* seconds, for a refusal; 0: the usual */
	void *tag;	      /* the role's own */
	struct trace *trace;  /* owned; NULL: nobody asked, or the role does not tell */
	struct witness
		*witness; /* owned; NULL: likewise, of a receipt. Set before exchange_forward, or never */
	bool reused;
	uint64_t bytes_up, bytes_down;
	uint64_t started_us, opened_us, answered_us; /* monotonic; 0: did not come to it */
};

/* Takes the leg, and part with its data. */
struct exchange *exchange_new(struct loop *l, struct exchange_role *role, uint64_t id, struct leg *leg,
			      const struct part *part);
struct exchange_info *exchange_info(struct exchange *x);
/* A place for texts that the rewritten head points at. */
struct buf *exchange_text(struct exchange *x);

/* One of the three, once: */
void exchange_forward(struct exchange *x);
void exchange_refuse(struct exchange *x, const struct error *why);
/*
 * A local answer: head is copied, what it points at lives on (static, or in exchange_text); body is copied.
 */
void exchange_reply(struct exchange *x, struct head *head, struct span body);

/* For the end of the process: all at once, with on_done. The clients' legs are not touched any more. */
void exchange_abandon_all(struct exchange_role *role);

uint64_t monotonic_us(void);

#endif
