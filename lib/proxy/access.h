/* Who may connect, as far as the kernel vouches for the peer: vsock CIDs, unix uids. */
#ifndef PROXY_ACCESS_H
#define PROXY_ACCESS_H

#include "net/stream.h"
#include "proxy/settings.h"

/* False: ERR_DENIED at HOP_CLIENT names the peer. A list that is empty lets everybody in. */
bool access_allows(const struct settings *s, const struct stream *peer, struct error *err);

#endif
