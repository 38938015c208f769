#include <errno.h>
#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "init/machine.h"

#define PARENT_CID 3 /* always, seen from an enclave */
#define PORT	   9000
#define BEAT	   0xb7
#define SECONDS	   2

bool machine_heartbeat_on(int fd, struct error *err)
{
	const struct timeval limit = {.tv_sec = SECONDS};
	unsigned char byte = BEAT;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
		return error_errno(err, errno, "the heartbeat could not be sent");
	byte = 0;
	ssize_t n = recv(fd, &byte, 1, 0);
	if (n < 0)
		return error_errno(err, errno, "the heartbeat was not answered");
	if (n == 0 || byte != BEAT)
		return error_set(err, ERR_PROTOCOL, "the heartbeat was answered with something else");
	return true;
}

bool machine_heartbeat(struct error *err)
{
	const struct sockaddr_vm parent = {.svm_family = AF_VSOCK, .svm_cid = PARENT_CID, .svm_port = PORT};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, errno, "no vsock for the heartbeat");
	/* A vsock connect gives up by itself after two seconds. */
	bool good = connect(fd, (const struct sockaddr *)&parent, sizeof parent) == 0 ||
		    error_errno(err, errno, "the parent does not listen for a heartbeat");
	good = good && machine_heartbeat_on(fd, err);
	close(fd);
	return good;
}
