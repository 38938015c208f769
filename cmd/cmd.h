/* The commands: each is a file of its own, argv[0] is the command's name, the result is the exit status. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

int cmd_host(int argc, char **argv);
int cmd_enclave(int argc, char **argv);
int cmd_tunnel(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_verify_chain(int argc, char **argv);

#endif
