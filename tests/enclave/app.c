/*
 * The application inside the enclave, in the tests: asks the proxy that its environment names for a URL,
 * again and again. It knows no TLS: that is the proxy's part.
 *
 *	app URL [COUNT]    ends with status 0 behind COUNT answers of 200; without COUNT it goes on for ever
 *
 * Before that it leaves a process behind without a parent, which ends at once: with each answer it says
 * whether the first process has collected it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* "http://127.0.0.1:8080" */
static int connect_to(const char *proxy)
{
	char host[64];
	unsigned port;
	struct sockaddr_in to = {.sin_family = AF_INET};
	if (!proxy || sscanf(proxy, "http://%63[^:]:%u", host, &port) != 2 ||
	    inet_pton(AF_INET, host, &to.sin_addr) != 1)
		return -1;
	to.sin_port = htons((uint16_t)port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

static int ask(const char *url)
{
	char text[2048], authority[256] = "";
	int status = 0, fd = connect_to(getenv("HTTP_PROXY"));
	if (fd < 0)
		return 0;
	sscanf(url, "https://%255[^/]", authority);
	int n = snprintf(
		text, sizeof text,
		"GET %s HTTP/1.1\r\nHost: %s\r\nX-Secret: %s\r\nX-User: %u\r\nConnection: close\r\n\r\n", url,
		authority, getenv("APP_SECRET") ? getenv("APP_SECRET") : "", getuid());
	if (write(fd, text, (size_t)n) == n) {
		ssize_t got, all = 0;
		while ((got = read(fd, text + all, sizeof text - 1 - (size_t)all)) > 0)
			all += got;
		text[all] = '\0';
		sscanf(text, "HTTP/1.1 %d", &status);
	}
	close(fd);
	return status;
}

static pid_t leave_orphan(void)
{
	int ends[2];
	pid_t orphan = -1;
	if (pipe(ends) != 0)
		return -1;
	pid_t parent = fork();
	if (parent == 0) {
		orphan = fork();
		if (orphan != 0 && write(ends[1], &orphan, sizeof orphan) < 0)
			_exit(1);
		_exit(0);
	}
	if (read(ends[0], &orphan, sizeof orphan) != sizeof orphan)
		orphan = -1;
	close(ends[0]);
	close(ends[1]);
	waitpid(parent, NULL, 0);
	return orphan;
}

int main(int argc, char **argv)
{
	int left = argc > 2 ? atoi(argv[2]) : -1;
	pid_t orphan = leave_orphan();
	while (argc > 1 && left != 0) {
		int status = ask(argv[1]);
		printf("app: status %d, orphan %s\n", status, kill(orphan, 0) == 0 ? "there" : "collected");
		fflush(stdout);
		left -= status == 200;
		usleep(200000);
	}
	return 0;
}
