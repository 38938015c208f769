#include "proxy/access.h"

#include <inttypes.h>
#include <stdio.h>

static bool listed(const struct text_list *list, int64_t number)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRId64, number);
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

bool access_allows(const struct settings *s, const struct stream *stream, struct error *err)
{
	if (!s->access.peer_cids.count && !s->access.peer_uids.count)
		return true;
	struct stream_peer peer;
	stream_peer(stream, &peer);
	if (peer.cid >= 0 && s->access.peer_cids.count && !listed(&s->access.peer_cids, peer.cid))
		return error_set_hop(err, ERR_DENIED, HOP_CLIENT, "%s is not in access.peer_cids",
				     peer.address);
	if (peer.uid >= 0 && s->access.peer_uids.count && !listed(&s->access.peer_uids, peer.uid))
		return error_set_hop(err, ERR_DENIED, HOP_CLIENT, "%s is not in access.peer_uids",
				     peer.address);
	return true;
}
