/* control_peer.h - the rights of whoever is at the other end of a Unix socket. */
#ifndef NB_DAEMON_CONTROL_PEER_H
#define NB_DAEMON_CONTROL_PEER_H

#include "config.h"
#include "rpc.h"

/* Operator: root, our own user, or listed. Everybody else, and whoever the kernel cannot name, is a viewer. */
enum nb_right nb_peer_right(int fd, const struct nb_config_operators *operators);

#endif
