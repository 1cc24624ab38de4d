/* option.h - one socket option, between the files that know options: option_table.c has a row for each that is an int,
 * option_other.c those that are not, options.c the calls.
 */
#ifndef NB_SOCKET_OPTION_H
#define NB_SOCKET_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct nb_sock;
struct nb_sock_options;
struct nb_sockets;

enum nb_option_width { NONE, BOOL, U8, U16, U32, I32 };

struct nb_option {
    int level, name;
    enum nb_option_width width;
    size_t at; /* in struct nb_sock_options */
    int least, most;
    int (*set)(struct nb_sockets *ns, struct nb_sock *sock, const struct nb_option *option, int value);
    int (*get)(struct nb_sockets *ns, struct nb_sock *sock, int *value);
    uint8_t changes; /* enum nb_tcp_option_change: what TCP must do about it now */
    bool read_only;
};

/* The row of an option, NULL: no such option, or not an int. */
const struct nb_option *nb__option_find(int level, int name);

/* The value in a block of options. */
void nb__option_store(struct nb_sock_options *options, const struct nb_option *option, int value);
int nb__option_load(const struct nb_sock_options *options, const struct nb_option *option);

/* Have TCP do about a change what cannot wait; changes: enum nb_tcp_option_change. */
void nb__option_tell(struct nb_sockets *ns, struct nb_sock *sock, uint8_t changes);

/* True when the option is one that is not an int; *result is what the call returns. */
bool nb__option_set_other(struct nb_sockets *ns, struct nb_sock *sock, int level, int name, const void *value,
                          socklen_t bytes, int *result);
bool nb__option_get_other(struct nb_sockets *ns, struct nb_sock *sock, int level, int name, void *value,
                          socklen_t *bytes, int *result);

#endif
