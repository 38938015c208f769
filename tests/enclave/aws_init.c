/*
 * An init that does what AWS's does (aws-nitro-enclaves-sdk-bootstrap): mounts, tells the parent that the
 * enclave is up, starts the one program, collects what ends, restarts the machine when the program does. It
 * leaves `lo` down.
 *
 *	rdinit=/bin/aws_init
 */
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *type, *at;
} mounts[] = {{"proc", "/proc"},     {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"devpts", "/dev/pts"},
	      {"tmpfs", "/dev/shm"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"}};

static void heartbeat(void)
{
	const struct sockaddr_vm parent = {.svm_family = AF_VSOCK, .svm_cid = 3, .svm_port = 9000};
	char beat = (char)0xb7;
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	if (connect(fd, (const struct sockaddr *)&parent, sizeof parent) != 0 || write(fd, &beat, 1) != 1 ||
	    read(fd, &beat, 1) != 1)
		perror("aws_init: heartbeat");
	close(fd);
}

int main(void)
{
	for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
		mkdir(mounts[i].at, 0755);
		if (mount(mounts[i].type, mounts[i].at, mounts[i].type, 0, NULL) != 0)
			perror(mounts[i].at);
	}
	heartbeat();
	pid_t program = fork();
	if (program == 0) {
		execl("/init", "nitroproxy", "enclave", "--config", "/etc/nitroproxy/config.json",
		      (char *)NULL);
		_exit(127);
	}
	while (wait(NULL) != program)
		;
	printf("aws_init: the program has ended\n");
	fflush(stdout);
	return reboot(RB_AUTOBOOT);
}
