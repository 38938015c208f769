/*
 * Where to listen or to dial, as users write it:
 *
 *	tcp:HOST:PORT       tcp:127.0.0.1:8080, tcp:[::1]:8080, tcp:*:8080 (listen on all)
 *	unix:PATH           unix:/run/nitroproxy/enclave.sock
 *	vsock:CID:PORT      vsock:any:5000 (listen), vsock:parent:5001 (CID 3), vsock:16:5000
 *	hybrid:PATH:PORT    a vsock behind a unix socket, as Firecracker and vhost-device-vsock
 *	                    offer it: dial PATH and say "CONNECT PORT\n"; listen on PATH_PORT
 *
 * A bare PORT or HOST:PORT is read as tcp.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum address_kind { ADDRESS_TCP = 1, ADDRESS_UNIX, ADDRESS_VSOCK, ADDRESS_HYBRID };

#define ADDRESS_TEXT 300
#define ADDRESS_HOST 254

struct address {
	enum address_kind kind;
	uint32_t port;		 /* TCP, VSOCK, HYBRID */
	uint32_t cid;		 /* VSOCK; VMADDR_CID_ANY to listen */
	char host[ADDRESS_HOST]; /* TCP: name or literal without brackets; "" means any */
	char path[108];		 /* UNIX, HYBRID: fits sun_path with its 0 */
	char text[ADDRESS_TEXT]; /* as written, for logs */
};

bool address_parse(const char *text, struct address *a, struct error *err);

#endif
