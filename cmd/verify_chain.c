/* nitroproxy verify-chain: the verifier of the enclave, asked about files. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "tls/verify_file.h"

static const char usage[] =
	"usage: nitroproxy verify-chain [--ca FILE] --host NAME [--at TIME] CHAIN.pem\n"
	"\n"
	"Would the enclave accept this chain (leaf first) from a server of that name?\n"
	"\n"
	"  --ca FILE    trusted roots, PEM; default: the system's\n"
	"  --host NAME  DNS name or IP address\n"
	"  --at TIME    seconds since 1970, or 2026-11-22T13:00:00Z; default: now\n"
	"\n"
	"Exit status: 0 accepted, 1 refused with the reason on standard error, 2 wrong usage.\n";

static bool read_time(const char *text, int64_t *at)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end && (*end == '\0' || strcmp(end, "Z") == 0)) {
		*at = timegm(&tm);
		return true;
	}
	char *rest;
	*at = strtoll(text, &rest, 10);
	return rest != text && *rest == '\0';
}

int cmd_verify_chain(int argc, char **argv)
{
	static const struct option options[] = {
		{"ca", required_argument, NULL, 'c'},
		{"host", required_argument, NULL, 'h'},
		{"at", required_argument, NULL, 'a'},
		{"help", no_argument, NULL, '?' + 1},
		{NULL, 0, NULL, 0},
	};
	const char *ca = NULL, *host = NULL;
	int64_t at = time(NULL);
	bool good = true;
	optind = 1;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'c':
			ca = optarg;
			break;
		case 'h':
			host = optarg;
			break;
		case 'a':
			good = good && read_time(optarg, &at);
			break;
		case '?' + 1:
			fputs(usage, stdout);
			return 0;
		default:
			good = false;
		}
	}
	if (!good || !host || optind + 1 != argc) {
		fputs(usage, stderr);
		return 2;
	}
	struct error err;
	if (verify_chain_file(ca, host, at, argv[optind], &err)) {
		printf("accepted\n");
		return 0;
	}
	fprintf(stderr, "refused: %s\n", err.text);
	return 1;
}
