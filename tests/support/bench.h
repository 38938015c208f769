/*
 * A whole proxy in memory: a client, an exchange (or two with a framed channel between them, as host and
 * enclave have), and services that the test speaks for.
 *
 *	client wire --- server_conn > exchange > client_conn --- service wire
 *	client wire --- server_conn > exchange > channel --- channel > exchange > client_conn --- service wire
 *
 * All streams are mem_pairs of the same capacity. Nothing here knows of targets or policies.
 */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include "http/hop.h"
#include "http/server_conn.h"
#include "proxy/channel.h"
#include "proxy/exchange.h"
#include "wire.h"

#define BENCH_SERVICES 16

struct bench_side {
	struct bench *bench;
	struct exchange_role role;
	struct via via;
	struct client_conn *idle;	/* at most one is kept */
	struct channel_client *channel; /* likewise */
	unsigned open;
	unsigned done; /* exchanges */
	struct exchange_info last;
};

struct bench {
	struct loop *loop;
	size_t capacity, piece;
	bool framed;
	bool hybrid;	    /* framed: the channel cannot half-close */
	bool false_enclave; /* framed: the test speaks for the enclave, too, on a service's wire */
	struct server_conn_config conns;
	struct channel_server_config channels;
	struct bench_side host, enclave; /* not framed: only enclave, which then serves the client itself */
	struct wire service[BENCH_SERVICES];
	unsigned services;   /* so many have been opened */
	unsigned fail_opens; /* so many more fail, with ERR_REFUSED */
	bool slow_opens;     /* they wait for bench_open: at most one */
	struct opening *waiting;
	unsigned refused, closed;
	enum error_kind refused_kind;
	struct witness_key *receipts; /* borrowed; the enclave has every exchange witnessed. NULL: none */
	bool reply_at_once;	      /* requests are answered by the proxy itself */
};

void bench_start(struct bench *b, size_t capacity, bool framed);
/*
 * The body of a test at each capacity: without frames, with frames, and with frames over what cannot half-close.
 * receipts: borrowed; NULL: none.
 */
void bench_everywhere(void (*test)(struct bench *b), struct witness_key *receipts);
#define BENCH_TEST(name, receipts)                                                                           \
	static void name(struct bench *b);                                                                   \
	static void test_##name(void **state)                                                                \
	{                                                                                                    \
		(void)state;                                                                                 \
		bench_everywhere(name, receipts);                                                            \
	}                                                                                                    \
	static void name(struct bench *b)

#define BENCH_GET    "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define BENCH_POST   "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
#define BENCH_HELLO  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define BENCH_SECOND "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"

/* The side that speaks to the services. */
struct bench_side *bench_leaf(struct bench *b);
/* Waits until the client's request has come to the n-th service connection, with this text in it. */
struct wire *bench_service(struct bench *b, unsigned n, const char *text);
/* Whatever can happen without waiting has happened. */
void bench_settle(struct bench *b);
void bench_client(struct bench *b, struct wire *client);
void bench_open(struct bench *b);
/* Drops idle connections and checks that nothing else is left: no connection, exchange, block, timer. */
void bench_end(struct bench *b);

#endif
