/* cmsg.h - writing control messages into the room a caller gave. */
#ifndef NB_SOCKET_CMSG_H
#define NB_SOCKET_CMSG_H

#include <stddef.h>
#include <sys/socket.h>

struct nb_cmsg {
    struct msghdr *msg;
    size_t used;
};

/* Begin; what msg_controllen says is the room. */
struct nb_cmsg nb__cmsg_begin(struct msghdr *msg);

/* Add one; cut off, and MSG_CTRUNC set, when it does not fit (Linux's put_cmsg). */
void nb__cmsg_put(struct nb_cmsg *out, int level, int type, const void *data, size_t bytes);

/* Note in the header what was used. */
void nb__cmsg_end(struct nb_cmsg *out);

#endif
