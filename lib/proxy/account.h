/* What stays of an exchange: one line in the log, and the counters. */
#ifndef PROXY_ACCOUNT_H
#define PROXY_ACCOUNT_H

#include "proxy/exchange.h"
#include "proxy/metrics.h"

/*
 * id= is the same in all processes that the exchange went through. Of the client's words only the
 * method and the validated target appear, never a path, a query or a field.
 */
void account_exchange(const struct exchange_info *info, struct metrics *m);

#endif
