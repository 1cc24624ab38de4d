/* error_queue.c - marks in the byte stream, and the entries they turn into.
 *
 * Two rings in one block from a pool, taken by the first send that needs it. Entries of zero-copy completions with
 * adjacent ids are joined, as Linux does, so that a reader who comes rarely finds one range. A full entry ring loses
 * the newest time stamp (they are a diagnosis); it never loses a completion, because marks are only reserved while
 * there is room for the entry, too.
 */
#include "error_queue.h"
#include "cmsg.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <netinet/in.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#define NB_ERROR_MARKS   64  /* writes that wait for an ACK and a notification */
#define NB_ERROR_ENTRIES 256 /* four a mark: three time stamps and a completion */

#define TX_FLAGS (SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK)

struct mark {
    nb_seq_t seq; /* after the last byte of the write */
    uint32_t timestamping;
    uint32_t zerocopy_id;
    bool zerocopy, sent;
};

struct entry {
    bool zerocopy;
    uint8_t stage;      /* SCM_TSTAMP_* of a time stamp */
    bool truncated;     /* the packet itself was asked for (no OPT_TSONLY), and is not kept */
    uint32_t low, high; /* completion: ids; time stamp: key in high */
    uint64_t time_us;
};

struct nb_error_queue {
    nb_seq_t count_from;
    uint32_t zerocopy_id; /* of the next write with MSG_ZEROCOPY */
    uint32_t mark_head, mark_tail;   /* free running */
    uint32_t entry_head, entry_tail; /* likewise */
    struct mark mark[NB_ERROR_MARKS];
    struct entry entry[NB_ERROR_ENTRIES];
};

bool nb__error_pool_init(struct nb_block_pool *pool, uint32_t capacity)
{
    return nb_block_pool_init(pool, sizeof(struct nb_error_queue), capacity);
}

static struct nb_error_queue *queue_of(const struct nb_sock *sock)
{
    return nb__sock_extra_of(sock)->errors;
}

static bool allocate(struct nb_sockets *ns, struct nb_sock *sock)
{
    struct nb_error_queue *queue = nb_block_get(&ns->errors);
    if (!queue)
        return false;
    queue->count_from = queue->zerocopy_id = 0;
    queue->mark_head = queue->mark_tail = queue->entry_head = queue->entry_tail = 0;
    nb__sock_extra(ns, sock)->errors = queue;
    return true;
}

void nb__error_queue_free(struct nb_sockets *ns, struct nb_sock *sock)
{
    struct nb_error_queue *queue = queue_of(sock);
    if (!queue)
        return;
    nb_block_put(&ns->errors, queue);
    sock->extra->errors = NULL;
}

bool nb__error_queue_reserve(struct nb_sockets *ns, struct nb_sock *sock)
{
    if (!queue_of(sock) && !allocate(ns, sock))
        return false;
    const struct nb_error_queue *queue = queue_of(sock);
    uint32_t marks = queue->mark_tail - queue->mark_head, entries = queue->entry_tail - queue->entry_head;
    return marks < NB_ERROR_MARKS && entries + 4 * (marks + 1) <= NB_ERROR_ENTRIES;
}

void nb__error_queue_mark(struct nb_sock *sock, nb_seq_t seq, bool zerocopy, uint32_t timestamping)
{
    struct nb_error_queue *queue = queue_of(sock);
    queue->mark[queue->mark_tail++ % NB_ERROR_MARKS] = (struct mark){
        .seq = seq,
        .timestamping = timestamping,
        .zerocopy_id = zerocopy ? queue->zerocopy_id++ : 0,
        .zerocopy = zerocopy,
    };
}

void nb__error_queue_count_from(struct nb_sock *sock, nb_seq_t seq)
{
    struct nb_error_queue *queue = queue_of(sock);
    if (queue)
        queue->count_from = seq;
}

bool nb__error_queue_has(const struct nb_sock *sock)
{
    const struct nb_error_queue *queue = queue_of(sock);
    return queue && queue->entry_head != queue->entry_tail;
}

/* --- progress --------------------------------------------------------------------------------- */

static void add_entry(struct nb_error_queue *queue, struct entry entry)
{
    if (queue->entry_tail - queue->entry_head < NB_ERROR_ENTRIES)
        queue->entry[queue->entry_tail++ % NB_ERROR_ENTRIES] = entry;
}

/* A zero-copy send is done; ids that follow one another share an entry. */
static void complete(struct nb_error_queue *queue, uint32_t id)
{
    struct entry *last = &queue->entry[(queue->entry_tail - 1) % NB_ERROR_ENTRIES];
    if (queue->entry_head != queue->entry_tail && last->zerocopy && last->high + 1 == id)
        last->high = id;
    else
        add_entry(queue, (struct entry){.zerocopy = true, .low = id, .high = id});
}

static void stamp(struct nb_error_queue *queue, const struct mark *mark, uint32_t flag, uint8_t stage, uint64_t now_us)
{
    if (!(mark->timestamping & flag))
        return;
    bool keyed = mark->timestamping & SOF_TIMESTAMPING_OPT_ID;
    add_entry(queue, (struct entry){
                         .stage = stage,
                         .truncated = !(mark->timestamping & SOF_TIMESTAMPING_OPT_TSONLY),
                         .high = keyed ? mark->seq - 1 - queue->count_from : 0,
                         .time_us = now_us,
                     });
}

/* What the news mean for one mark; true when it is done with. */
static bool progress_mark(struct nb_error_queue *queue, struct mark *mark, nb_seq_t snd_una, nb_seq_t snd_nxt,
                          uint64_t now_us)
{
    if (!mark->sent && seq_geq(snd_nxt, mark->seq)) {
        mark->sent = true;
        stamp(queue, mark, SOF_TIMESTAMPING_TX_SCHED, SCM_TSTAMP_SCHED, now_us);
        stamp(queue, mark, SOF_TIMESTAMPING_TX_SOFTWARE, SCM_TSTAMP_SND, now_us);
    }
    if (!seq_geq(snd_una, mark->seq))
        return false;
    stamp(queue, mark, SOF_TIMESTAMPING_TX_ACK, SCM_TSTAMP_ACK, now_us);
    return true;
}

void nb__error_queue_progress(struct nb_sockets *ns, struct nb_sock *sock, nb_seq_t snd_una, nb_seq_t snd_nxt,
                              bool ended)
{
    struct nb_error_queue *queue = queue_of(sock);
    if (!queue || queue->mark_head == queue->mark_tail)
        return;
    uint32_t entries_before = queue->entry_tail;
    bool completed = false;
    uint64_t now_us = ns->env.now_us ? ns->env.now_us(ns->env.arg) : 0;
    for (uint32_t i = queue->mark_head; i != queue->mark_tail; i++) {
        struct mark *mark = &queue->mark[i % NB_ERROR_MARKS];
        if (!progress_mark(queue, mark, snd_una, snd_nxt, now_us) && !ended)
            continue;
        queue->mark_head++; /* ACKs are cumulative: marks end in order */
        if (mark->zerocopy) {
            complete(queue, mark->zerocopy_id);
            completed = true;
        }
    }
    if (completed || queue->entry_tail != entries_before)
        nb__watch_announce(ns, &sock->file, EPOLLERR);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void put_extended_error(struct nb_cmsg *out, bool v6, const struct sock_extended_err *error)
{
    struct {
        struct sock_extended_err error;
        union {
            struct sockaddr_in in;
            struct sockaddr_in6 in6;
        } offender;
    } report = {.error = *error};
    size_t offender = v6 ? sizeof report.offender.in6 : sizeof report.offender.in;
    nb__cmsg_put(out, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &report, sizeof report.error + offender);
}

int nb__error_queue_read(struct nb_sock *sock, struct msghdr *msg)
{
    if (!nb__error_queue_has(sock))
        return -EAGAIN;
    struct nb_error_queue *queue = queue_of(sock);
    const struct entry *entry = &queue->entry[queue->entry_head++ % NB_ERROR_ENTRIES];
    struct sock_extended_err error = {.ee_data = entry->high};
    struct nb_cmsg out = nb__cmsg_begin(msg);
    msg->msg_flags = MSG_ERRQUEUE;
    msg->msg_namelen = 0;
    if (entry->zerocopy) {
        error.ee_origin = SO_EE_ORIGIN_ZEROCOPY;
        error.ee_code = SO_EE_CODE_ZEROCOPY_COPIED;
        error.ee_info = entry->low;
    } else {
        struct timespec at = {.tv_sec = (time_t)(entry->time_us / 1000000),
                              .tv_nsec = (long)(entry->time_us % 1000000) * 1000};
        struct scm_timestamping stamps = {.ts = {{at.tv_sec, at.tv_nsec}}};
        nb__cmsg_put(&out, SOL_SOCKET, SCM_TIMESTAMPING, &stamps, sizeof stamps);
        error.ee_errno = ENOMSG;
        error.ee_origin = SO_EE_ORIGIN_TIMESTAMPING;
        error.ee_info = entry->stage;
        if (entry->truncated)
            msg->msg_flags |= MSG_TRUNC;
    }
    put_extended_error(&out, sock->flags & NB_SOCK_V6, &error);
    nb__cmsg_end(&out);
    return 0;
}
