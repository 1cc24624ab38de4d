/* tcp_info.h - the structures in which Linux answers TCP_INFO and SO_MEMINFO. */
#ifndef NB_SOCKET_TCP_INFO_H
#define NB_SOCKET_TCP_INFO_H

#include <sys/socket.h>

struct nb_sock;
struct nb_sockets;

/* Fill what fits into *bytes and say how much that was. 0. */
int nb__sock_tcp_info(struct nb_sockets *ns, struct nb_sock *sock, void *value, socklen_t *bytes);
int nb__sock_meminfo(struct nb_sockets *ns, struct nb_sock *sock, void *value, socklen_t *bytes);

#endif
