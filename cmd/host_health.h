/* nitroproxy host --health: asks the running host on this machine how it is. */
#ifndef CMD_HOST_HEALTH_H
#define CMD_HOST_HEALTH_H

/*
 * Finds the listener with the same settings as the host itself (file, environment, command line), sends it
 * GET /health and prints the JSON it answers with. Exit status: 0 it answered 200, 1 it did not, with the
 * reason on standard error; 2 a setting is wrong.
 */
int host_health(int argc, char **argv);

#endif
