/* address.h - sockaddr and back: AF_INET, AF_INET6 and IPv4-mapped IPv6. */
#ifndef NB_SOCKET_ADDRESS_H
#define NB_SOCKET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <netbypass/flow.h>

struct nb_sock;

/* What a sockaddr says in our terms. */
struct nb_endpoint {
    struct nb_addr address;
    uint16_t port;  /* host byte order */
    uint8_t family; /* enum nb_family; 0: the unspecified IPv6 address, which stands for both */
};

/* Read a sockaddr that a socket of this kind may be given. 0, -EINVAL (too short), -EAFNOSUPPORT. */
int nb__endpoint_read(struct nb_endpoint *endpoint, bool v6, const struct sockaddr *address, socklen_t bytes);

/* Write one as a socket of this kind shows it: *bytes is the room, then the true length. */
void nb__endpoint_write(const struct nb_endpoint *endpoint, bool v6, struct sockaddr *address, socklen_t *bytes);

bool nb__addr_is_any(const struct nb_addr *address);
bool nb__addr_equal(const struct nb_addr *a, const struct nb_addr *b);

/* Copy out what fits and report the true length, as every call does that returns an address. NULL room: nothing. */
void nb__copy_out(void *to, socklen_t *room, const void *from, socklen_t bytes);

#endif
