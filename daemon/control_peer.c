/* control_peer.c - who is at the other end of the control socket, as the kernel says it, and what that one may do. */
#include "control_peer.h"

#include <sys/socket.h>
#include <unistd.h>

#define GROUPS_MAX 1024 /* of the peer; with more, none counts but its primary one */

static bool listed_user(const struct nb_config_operators *operators, uid_t uid)
{
    for (unsigned i = 0; i < operators->n_users; i++)
        if (operators->user[i] == uid)
            return true;
    return false;
}

static bool listed_group(const struct nb_config_operators *operators, gid_t gid)
{
    for (unsigned i = 0; i < operators->n_groups; i++)
        if (operators->group[i] == gid)
            return true;
    return false;
}

enum nb_right nb_peer_right(int fd, const struct nb_config_operators *operators)
{
    struct ucred peer;
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return NB_RIGHT_VIEWER;
    if (peer.uid == 0 || peer.uid == geteuid() || listed_user(operators, peer.uid) || listed_group(operators, peer.gid))
        return NB_RIGHT_OPERATOR;
    size = sizeof groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
        return NB_RIGHT_VIEWER;
    for (unsigned i = 0; i < size / sizeof groups[0]; i++)
        if (listed_group(operators, groups[i]))
            return NB_RIGHT_OPERATOR;
    return NB_RIGHT_VIEWER;
}
