/*
 * The application inside the enclave, in the tests: asks the proxy that its environment names for a URL,
 *again and again. It knows no TLS: that is the proxy's part.
 *
 *	app URL [COUNT]    ends with status 0 behind COUNT answers of 200; without COUNT it goes on for ever
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

int main(int argc, char **argv)
{
	int left = argc > 2 ? atoi(argv[2]) : -1;
	while (argc > 1 && left != 0) {
		int status = ask(argv[1]);
		printf("app: status %d\n", status);
		fflush(stdout);
		left -= status == 200;
		usleep(200000);
	}
	return 0;
}
