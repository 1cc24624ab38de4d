/* error_queue.h - what recvmsg(MSG_ERRQUEUE) reads: completions of MSG_ZEROCOPY sends and transmit time stamps.
 *
 * Both are about a point in the byte stream: "everything up to here has been given to the device", "... acknowledged".
 * A write that somebody asked such a question about leaves a mark with its end; as TCP reports progress, marks turn
 * into entries, which are read in order.
 */
#ifndef NB_SOCKET_ERROR_QUEUE_H
#define NB_SOCKET_ERROR_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../tcp/seq.h"

struct nb_sock;
struct nb_sockets;
struct nb_block_pool;

/* The pool of queues. */
bool nb__error_pool_init(struct nb_block_pool *pool, uint32_t capacity);

/* Is there room for one more mark? Allocates the queue when it is the socket's first. */
bool nb__error_queue_reserve(struct nb_sockets *ns, struct nb_sock *sock);

/* A write with MSG_ZEROCOPY, or under SO_TIMESTAMPING, ends at seq. The room was reserved. */
void nb__error_queue_mark(struct nb_sock *sock, nb_seq_t seq, bool zerocopy, uint32_t timestamping);

/* SOF_TIMESTAMPING_OPT_ID counts bytes from seq on. */
void nb__error_queue_count_from(struct nb_sock *sock, nb_seq_t seq);

/* TCP has sent up to snd_nxt and got acknowledged up to snd_una; with ended, it will do no more. */
void nb__error_queue_progress(struct nb_sockets *ns, struct nb_sock *sock, nb_seq_t snd_una, nb_seq_t snd_nxt,
                              bool ended);

bool nb__error_queue_has(const struct nb_sock *sock);

/* recvmsg(MSG_ERRQUEUE): the oldest entry as control messages; 0, or -EAGAIN. */
int nb__error_queue_read(struct nb_sock *sock, struct msghdr *msg);

void nb__error_queue_free(struct nb_sockets *ns, struct nb_sock *sock);

#endif
