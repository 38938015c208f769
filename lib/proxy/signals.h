/*
 * What the enclave tells of itself while it runs: its log lines and its metrics, which in production have no
 * other way out. The host opens a connection to where the enclave takes frames and says WATCH; from then on
 * that connection carries
 *
 *	host                                enclave
 *	WATCH  ---------------------------->
 *	       <---------------------------- LOG      whole lines, as they come
 *	       <---------------------------- METRICS  all of them, once a second
 *
 * One watcher at a time: the newest. The enclave never waits for it: lines stay in a bounded ring, and what
 * does not fit is lost and counted. Lines hold what log lines may hold (base/log.h): nothing from a peer.
 */
#ifndef PROXY_SIGNALS_H
#define PROXY_SIGNALS_H

#include "base/buf.h"
#include "base/log_ring.h"
#include "net/address.h"
#include "net/stream.h"
#include "proxy/crew.h"

/* ---- the enclave's side ---- */

struct signals_out;

/* render: appends the metrics. */
struct signals_out *signals_out_new(struct loop *l, void (*render)(void *arg, struct buf *out), void *arg);
/* Lines to send, too; borrowed. */
void signals_out_lines(struct signals_out *s, struct log_ring *ring);
void signals_out_watch(struct signals_out *s, struct stream *watcher); /* takes it */
void signals_out_free(struct signals_out *s);			       /* NULL is fine */

/* ---- the host's side ---- */

struct signals_in;

/*
 * Dials, and dials again when it ends. Lines go to the log as they come, metrics are told to the crew
 * (borrowed); nothing while nobody is connected.
 */
struct signals_in *signals_in_start(struct loop *l, const struct address *enclave, uint64_t connect_ms,
				    struct crew *crew);
void signals_in_free(struct signals_in *s); /* NULL is fine */

/* A line as the enclave's log writes it, in either format; anything else is not passed on as it is. */
bool signals_line_good(struct span line);
/* Metrics as the enclave writes them: nitroproxy_..{role="enclave".., HELP and TYPE of these. */
bool signals_metrics_good(struct span text);

#endif
