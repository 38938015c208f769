/* nitroproxy COMMAND [OPTION]..: finds the command and hands over. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"host", cmd_host, "on the instance: the HTTP proxy for its apps"},
	{"enclave", cmd_enclave, "in the enclave: policy, TLS, and the HTTP listener for apps inside"},
	{"tunnel", cmd_tunnel, "on the instance: carries the enclave's connections to services"},
	{"demo", cmd_demo, "checks a running proxy, or with --local a whole one of its own"},
	{"verify", cmd_verify, "checks an attestation document"},
	{"image", cmd_image, "builds and describes enclave images (EIF)"},
	{"verify-chain", cmd_verify_chain, "checks a certificate chain as the enclave would"},
};

static void usage(FILE *out)
{
	fputs("usage: nitroproxy COMMAND [OPTION]..\n\n", out);
	for (size_t i = 0; i < countof(commands); i++)
		fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].help);
	fputs("\n  --version      prints the version\n"
	      "  --help         prints this; nitroproxy COMMAND --help tells about one command\n",
	      out);
}

/*
 * In an enclave image this program is /init. What the kernel does not know of its command line it passes on
 * to init; in an emulator part of that is not measured, so none of it is listened to.
 */
static bool is_init(const char *name)
{
	const char *leaf = strrchr(name, '/');
	return getpid() == 1 && strcmp(leaf ? leaf + 1 : name, "init") == 0;
}

static int run_init(void)
{
	char name[] = "enclave", flag[] = "--config", file[] = "/etc/nitroproxy/config.json";
	char *args[] = {name, flag, file, NULL};
	return cmd_enclave(3, args);
}

int main(int argc, char **argv)
{
	if (argc > 0 && is_init(argv[0]))
		return run_init();
	const char *word = argc > 1 ? argv[1] : "";
	for (size_t i = 0; i < countof(commands); i++)
		if (strcmp(word, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		puts("nitroproxy " NP_VERSION);
		return 0;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		usage(stdout);
		return 0;
	}
	if (*word)
		fprintf(stderr, "nitroproxy: there is no command '%s'\n\n", word);
	usage(stderr);
	return 2;
}
