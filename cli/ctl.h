/* ctl.h - netbypassctl as a function. */
#ifndef NB_CLI_CTL_H
#define NB_CLI_CTL_H

#include <stdio.h>

/* Do what the command line says. fd is a connected control socket, or -1 to connect. Returns the exit code. */
int nb_ctl(int argc, char **argv, int fd, FILE *out, FILE *err);

#endif
