/* cmsg.c - see cmsg.h and cmsg(3). */
#include "cmsg.h"

#include <string.h>

struct nb_cmsg nb__cmsg_begin(struct msghdr *msg)
{
    return (struct nb_cmsg){.msg = msg};
}

void nb__cmsg_put(struct nb_cmsg *out, int level, int type, const void *data, size_t bytes)
{
    struct msghdr *msg = out->msg;
    size_t room = msg->msg_control ? msg->msg_controllen - out->used : 0, length = CMSG_LEN(bytes);
    struct cmsghdr header = {.cmsg_len = length, .cmsg_level = level, .cmsg_type = type};
    if (room < sizeof header) {
        msg->msg_flags |= MSG_CTRUNC;
        return;
    }
    if (room < length) {
        msg->msg_flags |= MSG_CTRUNC;
        header.cmsg_len = length = room;
    }
    char *to = (char *)msg->msg_control + out->used;
    memcpy(to, &header, sizeof header);
    memcpy(to + sizeof header, data, length - sizeof header);
    out->used += CMSG_ALIGN(length) < room ? CMSG_ALIGN(length) : room;
}

void nb__cmsg_end(struct nb_cmsg *out)
{
    out->msg->msg_controllen = out->used;
}
