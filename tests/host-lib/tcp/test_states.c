/* test_states.c - the state machine as a matrix: state, event, outcome (RFC 9293 §3.10).
 *
 * Each row is a test. Sequence numbers are relative to the initial ones. The next of ours is 1, of the peer's 1; each
 * FIN that was sent makes it 2. What was sent in answer is compared exactly; a row without `sends` asserts that nothing
 * was.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S NB_TCP_SYN
#define A NB_TCP_ACK
#define F NB_TCP_FIN
#define R NB_TCP_RST
#define P NB_TCP_PSH

enum call { NONE, CALL_SHUTDOWN, CALL_CLOSE, CALL_ABORT, CALL_WRITE };
#define NOT_CLOSED 0xff

struct row {
    const char *name;
    void (*reach)(struct one_end *e);
    struct end_arrival in; /* flags 0: no segment, but */
    enum call call;
    enum nb_tcp_state then;
    struct {
        uint8_t flags;
        nb_seq_t seq, ack;
        uint32_t n;
    } sends;              /* flags 0: nothing */
    uint8_t reason;       /* NOT_CLOSED, or of the closed event */
    unsigned peer_closed; /* events */
};

static void listening(struct one_end *e)
{
    end_listen(e);
}

static void nothing(struct one_end *e)
{
    (void)e;
}

static void crossed_syns(struct one_end *e)
{
    end_syn_sent(e);
    arrive(e, .flags = S, .options = NB_SEG_MSS, .mss = END_MSS);
    end_expect(e, S | A, 0, 1, 0);
    assert_int_equal(end_state(e), NB_TCP_SYN_RECEIVED);
}

static void established(struct one_end *e)
{
    end_established(e);
}

/* The application has closed as well as the state says: it wants no more data. */
static void fin_wait_1_closed(struct one_end *e)
{
    end_established(e);
    nb_tcp_close(e->tcp, e->tcb);
    end_flush(e);
    end_expect(e, F | A, 1, 1, 0);
}

static void fin_wait_2_closed(struct one_end *e)
{
    fin_wait_1_closed(e);
    arrive(e, .flags = A, .seq = 1, .ack = 2);
    assert_int_equal(end_state(e), NB_TCP_FIN_WAIT_2);
}

#define OK NOT_CLOSED
static const struct row rows[] = {
    /* CLOSED, §3.10.7.1. An RST that answers an ACK takes its sequence number from there (ours + 77). */
    {"closed_rcv_syn_answers_rst_ack",
     nothing,
     {.flags = S, .seq = 5},
     .then = NB_TCP_CLOSED,
     .sends = {R | A, -0xffffff00u, 6},
     .reason = OK},
    {"closed_rcv_ack_answers_rst_at_its_ack",
     nothing,
     {.flags = A, .seq = 5, .ack = 77},
     .then = NB_TCP_CLOSED,
     .sends = {R, 77},
     .reason = OK},
    {"closed_rcv_data_answers_rst",
     nothing,
     {.flags = A, .ack = 9, .n = 10},
     .then = NB_TCP_CLOSED,
     .sends = {R, 9},
     .reason = OK},
    {"closed_rcv_fin_without_ack_answers_rst",
     nothing,
     {.flags = F, .seq = 5, .n = 3},
     .then = NB_TCP_CLOSED,
     .sends = {R | A, -0xffffff00u, 9},
     .reason = OK},
    {"closed_rcv_rst_says_nothing", nothing, {.flags = R}, .then = NB_TCP_CLOSED, .reason = OK},
    {"closed_rcv_rst_ack_says_nothing", nothing, {.flags = R | A, .ack = 7}, .then = NB_TCP_CLOSED, .reason = OK},

    /* LISTEN, §3.10.7.2 */
    {"listen_rcv_syn_goes_syn_received",
     listening,
     {.flags = S},
     .then = NB_TCP_SYN_RECEIVED,
     .sends = {S | A, 0, 1},
     .reason = OK},
    {"listen_rcv_syn_with_data_acks_the_syn",
     listening,
     {.flags = S, .n = 10},
     .then = NB_TCP_SYN_RECEIVED,
     .sends = {S | A, 0, 1},
     .reason = OK},
    {"listen_rcv_rst_says_nothing", listening, {.flags = R}, .then = NB_TCP_CLOSED, .reason = OK},
    {"listen_rcv_ack_answers_rst",
     listening,
     {.flags = A, .ack = 33},
     .then = NB_TCP_CLOSED,
     .sends = {R, 33},
     .reason = OK},
    {"listen_rcv_syn_ack_answers_rst",
     listening,
     {.flags = S | A, .ack = 33},
     .then = NB_TCP_CLOSED,
     .sends = {R, 33},
     .reason = OK},
    {"listen_rcv_fin_says_nothing", listening, {.flags = F, .seq = 4}, .then = NB_TCP_CLOSED, .reason = OK},
    {"listen_rcv_syn_fin_says_nothing", listening, {.flags = S | F}, .then = NB_TCP_CLOSED, .reason = OK},
    {"listen_rcv_no_flags_says_nothing", listening, {.flags = P, .n = 4}, .then = NB_TCP_CLOSED, .reason = OK},

    /* SYN-SENT, §3.10.7.3 */
    {"syn_sent_rcv_syn_ack_goes_established",
     end_syn_sent,
     {.flags = S | A, .ack = 1},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"syn_sent_rcv_syn_fin_ack_goes_close_wait",
     end_syn_sent,
     {.flags = S | F | A, .ack = 1},
     .then = NB_TCP_CLOSE_WAIT,
     .sends = {A, 1, 2},
     .peer_closed = 1,
     .reason = OK},
    {"syn_sent_rcv_syn_goes_syn_received",
     end_syn_sent,
     {.flags = S},
     .then = NB_TCP_SYN_RECEIVED,
     .sends = {S | A, 0, 1},
     .reason = OK},
    {"syn_sent_rcv_ack_too_low_answers_rst",
     end_syn_sent,
     {.flags = A, .ack = 0},
     .then = NB_TCP_SYN_SENT,
     .sends = {R, 0},
     .reason = OK},
    {"syn_sent_rcv_ack_too_high_answers_rst",
     end_syn_sent,
     {.flags = A, .ack = 2},
     .then = NB_TCP_SYN_SENT,
     .sends = {R, 2},
     .reason = OK},
    {"syn_sent_rcv_syn_ack_bad_ack_answers_rst",
     end_syn_sent,
     {.flags = S | A, .ack = 5},
     .then = NB_TCP_SYN_SENT,
     .sends = {R, 5},
     .reason = OK},
    {"syn_sent_rcv_bad_rst_says_nothing",
     end_syn_sent,
     {.flags = R | A, .ack = 9},
     .then = NB_TCP_SYN_SENT,
     .reason = OK},
    {"syn_sent_rcv_rst_without_ack_stays", end_syn_sent, {.flags = R}, .then = NB_TCP_SYN_SENT, .reason = OK},
    {"syn_sent_rcv_rst_ack_is_refused",
     end_syn_sent,
     {.flags = R | A, .ack = 1},
     .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_REFUSED},
    {"syn_sent_rcv_good_ack_alone_stays", end_syn_sent, {.flags = A, .ack = 1}, .then = NB_TCP_SYN_SENT, .reason = OK},
    {"syn_sent_rcv_fin_says_nothing", end_syn_sent, {.flags = F}, .then = NB_TCP_SYN_SENT, .reason = OK},
    {"syn_sent_call_close_is_gone_silently", end_syn_sent, .call = CALL_CLOSE, .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_ABORTED},
    {"syn_sent_call_abort_is_gone_silently", end_syn_sent, .call = CALL_ABORT, .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_ABORTED},
    {"syn_sent_call_write_only_queues", end_syn_sent, .call = CALL_WRITE, .then = NB_TCP_SYN_SENT, .reason = OK},

    /* SYN-RECEIVED by passive open */
    {"syn_received_rcv_ack_goes_established",
     end_syn_received,
     {.flags = A, .seq = 1, .ack = 1},
     .then = NB_TCP_ESTABLISHED,
     .reason = OK},
    {"syn_received_rcv_same_syn_repeats_syn_ack",
     end_syn_received,
     {.flags = S},
     .then = NB_TCP_SYN_RECEIVED,
     .sends = {S | A, 0, 1},
     .reason = OK},
    {"syn_received_rcv_syn_in_window_is_gone",
     end_syn_received,
     {.flags = S, .seq = 500},
     .then = NB_TCP_CLOSED,
     .reason = OK},
    {"syn_received_rcv_bad_ack_answers_rst",
     end_syn_received,
     {.flags = A, .seq = 1, .ack = 2},
     .then = NB_TCP_SYN_RECEIVED,
     .sends = {R, 2},
     .reason = OK},
    {"syn_received_rcv_old_ack_answers_rst",
     end_syn_received,
     {.flags = A, .seq = 1, .ack = 0},
     .then = NB_TCP_SYN_RECEIVED,
     .sends = {R, 0},
     .reason = OK},
    {"syn_received_rcv_rst_is_gone_without_a_word",
     end_syn_received,
     {.flags = R, .seq = 1},
     .then = NB_TCP_CLOSED,
     .reason = OK},
    {"syn_received_rcv_rst_in_window_is_challenged",
     end_syn_received,
     {.flags = R, .seq = 2},
     .then = NB_TCP_SYN_RECEIVED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"syn_received_rcv_data_without_ack_waits",
     end_syn_received,
     {.flags = P, .seq = 1, .n = 4},
     .then = NB_TCP_SYN_RECEIVED,
     .reason = OK},
    {"syn_received_rcv_fin_goes_close_wait",
     end_syn_received,
     {.flags = F | A, .seq = 1, .ack = 1},
     .then = NB_TCP_CLOSE_WAIT,
     .sends = {A, 1, 2},
     .reason = OK,
     .peer_closed = 1},
    {"syn_received_rcv_out_of_window_is_acked",
     end_syn_received,
     {.flags = A, .seq = 100000, .ack = 1},
     .then = NB_TCP_SYN_RECEIVED,
     .sends = {A, 1, 1},
     .reason = OK},

    /* SYN-RECEIVED by simultaneous open */
    {"crossed_rcv_ack_goes_established",
     crossed_syns,
     {.flags = A, .seq = 1, .ack = 1},
     .then = NB_TCP_ESTABLISHED,
     .reason = OK},
    {"crossed_rcv_syn_ack_goes_established",
     crossed_syns,
     {.flags = S | A, .seq = 0, .ack = 1},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"crossed_rcv_rst_is_refused",
     crossed_syns,
     {.flags = R, .seq = 1},
     .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_REFUSED},
    {"crossed_rcv_syn_in_window_is_challenged",
     crossed_syns,
     {.flags = S, .seq = 9},
     .then = NB_TCP_SYN_RECEIVED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"crossed_call_close_sends_fin_later", crossed_syns, .call = CALL_SHUTDOWN, .then = NB_TCP_SYN_RECEIVED,
     .reason = OK},

    /* ESTABLISHED */
    {"established_rcv_data_is_acked",
     established,
     {.flags = A, .seq = 1, .ack = 1, .n = 10},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 11},
     .reason = OK},
    {"established_rcv_pure_ack_says_nothing",
     established,
     {.flags = A, .seq = 1, .ack = 1},
     .then = NB_TCP_ESTABLISHED,
     .reason = OK},
    {"established_rcv_fin_goes_close_wait",
     established,
     {.flags = F | A, .seq = 1, .ack = 1},
     .then = NB_TCP_CLOSE_WAIT,
     .sends = {A, 1, 2},
     .reason = OK,
     .peer_closed = 1},
    {"established_rcv_data_and_fin_goes_close_wait",
     established,
     {.flags = F | A, .seq = 1, .ack = 1, .n = 5},
     .then = NB_TCP_CLOSE_WAIT,
     .sends = {A, 1, 7},
     .reason = OK,
     .peer_closed = 1},
    {"established_rcv_fin_ahead_of_a_gap_waits",
     established,
     {.flags = F | A, .seq = 6, .ack = 1},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"established_rcv_rst_is_reset",
     established,
     {.flags = R, .seq = 1},
     .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_RESET},
    {"established_rcv_rst_in_window_is_challenged",
     established,
     {.flags = R, .seq = 2},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"established_rcv_rst_out_of_window_says_nothing",
     established,
     {.flags = R, .seq = 70000},
     .then = NB_TCP_ESTABLISHED,
     .reason = OK},
    {"established_rcv_old_rst_says_nothing",
     established,
     {.flags = R, .seq = 0},
     .then = NB_TCP_ESTABLISHED,
     .reason = OK},
    {"established_rcv_syn_in_window_is_challenged",
     established,
     {.flags = S, .seq = 9},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"established_rcv_old_syn_is_challenged",
     established,
     {.flags = S, .seq = 0},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"established_rcv_syn_ack_again_is_challenged",
     established,
     {.flags = S | A, .seq = 0, .ack = 1},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"established_rcv_ack_of_the_unsent_is_dropped",
     established,
     {.flags = A, .seq = 1, .ack = 2},
     .then = NB_TCP_ESTABLISHED,
     .reason = OK},
    {"established_rcv_very_old_ack_is_challenged",
     established,
     {.flags = A, .seq = 1, .ack = 1 - 70000u},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"established_rcv_data_with_bad_ack_is_not_taken",
     established,
     {.flags = A, .seq = 1, .ack = 2, .n = 9},
     .then = NB_TCP_ESTABLISHED,
     .reason = OK},
    {"established_rcv_data_without_ack_is_dropped",
     established,
     {.flags = P, .seq = 1, .n = 9},
     .then = NB_TCP_ESTABLISHED,
     .reason = OK},
    {"established_rcv_old_data_is_acked",
     established,
     {.flags = A, .seq = -9, .ack = 1, .n = 10},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"established_rcv_keepalive_is_acked",
     established,
     {.flags = A, .seq = 0, .ack = 1},
     .then = NB_TCP_ESTABLISHED,
     .sends = {A, 1, 1},
     .reason = OK},
    {"established_call_shutdown_goes_fin_wait_1", established, .call = CALL_SHUTDOWN, .then = NB_TCP_FIN_WAIT_1,
     .sends = {F | A, 1, 1}, .reason = OK},
    {"established_call_close_goes_fin_wait_1", established, .call = CALL_CLOSE, .then = NB_TCP_FIN_WAIT_1,
     .sends = {F | A, 1, 1}, .reason = OK},
    {"established_call_abort_sends_rst", established, .call = CALL_ABORT, .then = NB_TCP_CLOSED, .sends = {R | A, 1, 1},
     .reason = NB_CLOSED_ABORTED},
    {"established_call_write_sends", established, .call = CALL_WRITE, .then = NB_TCP_ESTABLISHED,
     .sends = {P | A, 1, 1, 4}, .reason = OK},

    /* FIN-WAIT-1: our FIN is number 1, unacknowledged */
    {"fin_wait_1_rcv_ack_of_fin_goes_fin_wait_2",
     end_fin_wait_1,
     {.flags = A, .seq = 1, .ack = 2},
     .then = NB_TCP_FIN_WAIT_2,
     .reason = OK},
    {"fin_wait_1_rcv_fin_goes_closing",
     end_fin_wait_1,
     {.flags = F | A, .seq = 1, .ack = 1},
     .then = NB_TCP_CLOSING,
     .sends = {A, 2, 2},
     .reason = OK,
     .peer_closed = 1},
    {"fin_wait_1_rcv_fin_ack_of_fin_goes_time_wait",
     end_fin_wait_1,
     {.flags = F | A, .seq = 1, .ack = 2},
     .then = NB_TCP_TIME_WAIT,
     .sends = {A, 2, 2},
     .reason = NB_CLOSED_NORMAL,
     .peer_closed = 1},
    {"fin_wait_1_rcv_data_is_delivered",
     end_fin_wait_1,
     {.flags = A, .seq = 1, .ack = 1, .n = 7},
     .then = NB_TCP_FIN_WAIT_1,
     .sends = {A, 2, 8},
     .reason = OK},
    {"fin_wait_1_rcv_rst_is_reset",
     end_fin_wait_1,
     {.flags = R, .seq = 1},
     .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_RESET},
    {"fin_wait_1_rcv_syn_is_challenged",
     end_fin_wait_1,
     {.flags = S, .seq = 9},
     .then = NB_TCP_FIN_WAIT_1,
     .sends = {A, 2, 1},
     .reason = OK},
    {"fin_wait_1_call_abort_sends_rst", end_fin_wait_1, .call = CALL_ABORT, .then = NB_TCP_CLOSED,
     .sends = {R | A, 2, 1}, .reason = NB_CLOSED_ABORTED},
    {"fin_wait_1_closed_rcv_data_answers_rst",
     fin_wait_1_closed,
     {.flags = A, .seq = 1, .ack = 1, .n = 7},
     .then = NB_TCP_CLOSED,
     .sends = {R, 1},
     .reason = NB_CLOSED_ABORTED},
    {"fin_wait_1_closed_rcv_fin_goes_closing_silently",
     fin_wait_1_closed,
     {.flags = F | A, .seq = 1, .ack = 1},
     .then = NB_TCP_CLOSING,
     .sends = {A, 2, 2},
     .reason = OK},

    /* FIN-WAIT-2 */
    {"fin_wait_2_rcv_fin_goes_time_wait",
     end_fin_wait_2,
     {.flags = F | A, .seq = 1, .ack = 2},
     .then = NB_TCP_TIME_WAIT,
     .sends = {A, 2, 2},
     .reason = NB_CLOSED_NORMAL,
     .peer_closed = 1},
    {"fin_wait_2_rcv_data_is_delivered",
     end_fin_wait_2,
     {.flags = A, .seq = 1, .ack = 2, .n = 7},
     .then = NB_TCP_FIN_WAIT_2,
     .sends = {A, 2, 8},
     .reason = OK},
    {"fin_wait_2_rcv_data_and_fin_goes_time_wait",
     end_fin_wait_2,
     {.flags = F | A, .seq = 1, .ack = 2, .n = 7},
     .then = NB_TCP_TIME_WAIT,
     .sends = {A, 2, 9},
     .reason = NB_CLOSED_NORMAL,
     .peer_closed = 1},
    {"fin_wait_2_rcv_rst_is_reset",
     end_fin_wait_2,
     {.flags = R, .seq = 1},
     .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_RESET},
    {"fin_wait_2_rcv_pure_ack_says_nothing",
     end_fin_wait_2,
     {.flags = A, .seq = 1, .ack = 2},
     .then = NB_TCP_FIN_WAIT_2,
     .reason = OK},
    {"fin_wait_2_rcv_ack_of_the_unsent_is_challenged",
     end_fin_wait_2,
     {.flags = A, .seq = 1, .ack = 3},
     .then = NB_TCP_FIN_WAIT_2,
     .sends = {A, 2, 1},
     .reason = OK},
    {"fin_wait_2_closed_rcv_data_answers_rst",
     fin_wait_2_closed,
     {.flags = A, .seq = 1, .ack = 2, .n = 7},
     .then = NB_TCP_CLOSED,
     .sends = {R, 2},
     .reason = NB_CLOSED_ABORTED},
    {"fin_wait_2_closed_rcv_fin_goes_time_wait",
     fin_wait_2_closed,
     {.flags = F | A, .seq = 1, .ack = 2},
     .then = NB_TCP_TIME_WAIT,
     .sends = {A, 2, 2},
     .reason = NB_CLOSED_NORMAL},

    /* CLOSE-WAIT: the peer's FIN was number 1 */
    {"close_wait_call_write_sends", end_close_wait, .call = CALL_WRITE, .then = NB_TCP_CLOSE_WAIT,
     .sends = {P | A, 1, 2, 4}, .reason = OK, .peer_closed = 1},
    {"close_wait_call_close_goes_last_ack", end_close_wait, .call = CALL_CLOSE, .then = NB_TCP_LAST_ACK,
     .sends = {F | A, 1, 2}, .reason = OK, .peer_closed = 1},
    {"close_wait_call_abort_sends_rst", end_close_wait, .call = CALL_ABORT, .then = NB_TCP_CLOSED,
     .sends = {R | A, 1, 2}, .reason = NB_CLOSED_ABORTED, .peer_closed = 1},
    {"close_wait_rcv_fin_again_is_acked",
     end_close_wait,
     {.flags = F | A, .seq = 1, .ack = 1},
     .then = NB_TCP_CLOSE_WAIT,
     .sends = {A, 1, 2},
     .reason = OK,
     .peer_closed = 1},
    {"close_wait_rcv_data_behind_the_fin_is_only_acked",
     end_close_wait,
     {.flags = A, .seq = 2, .ack = 1, .n = 5},
     .then = NB_TCP_CLOSE_WAIT,
     .sends = {A, 1, 2},
     .reason = OK,
     .peer_closed = 1},
    {"close_wait_rcv_rst_is_reset",
     end_close_wait,
     {.flags = R, .seq = 2},
     .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_RESET,
     .peer_closed = 1},
    {"close_wait_rcv_pure_ack_says_nothing",
     end_close_wait,
     {.flags = A, .seq = 2, .ack = 1},
     .then = NB_TCP_CLOSE_WAIT,
     .reason = OK,
     .peer_closed = 1},

    /* CLOSING: both FINs are out, ours unacknowledged */
    {"closing_rcv_ack_of_fin_goes_time_wait",
     end_closing,
     {.flags = A, .seq = 2, .ack = 2},
     .then = NB_TCP_TIME_WAIT,
     .reason = NB_CLOSED_NORMAL,
     .peer_closed = 1},
    {"closing_rcv_other_ack_stays",
     end_closing,
     {.flags = A, .seq = 2, .ack = 1},
     .then = NB_TCP_CLOSING,
     .reason = OK,
     .peer_closed = 1},
    {"closing_rcv_fin_again_is_acked",
     end_closing,
     {.flags = F | A, .seq = 1, .ack = 1},
     .then = NB_TCP_CLOSING,
     .sends = {A, 2, 2},
     .reason = OK,
     .peer_closed = 1},
    {"closing_rcv_rst_is_reset",
     end_closing,
     {.flags = R, .seq = 2},
     .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_RESET,
     .peer_closed = 1},

    /* LAST-ACK */
    {"last_ack_rcv_ack_of_fin_is_closed",
     end_last_ack,
     {.flags = A, .seq = 2, .ack = 2},
     .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_NORMAL,
     .peer_closed = 1},
    {"last_ack_rcv_other_ack_stays",
     end_last_ack,
     {.flags = A, .seq = 2, .ack = 1},
     .then = NB_TCP_LAST_ACK,
     .reason = OK,
     .peer_closed = 1},
    {"last_ack_rcv_fin_again_is_acked",
     end_last_ack,
     {.flags = F | A, .seq = 1, .ack = 1},
     .then = NB_TCP_LAST_ACK,
     .sends = {A, 2, 2},
     .reason = OK,
     .peer_closed = 1},
    {"last_ack_rcv_rst_is_reset",
     end_last_ack,
     {.flags = R, .seq = 2},
     .then = NB_TCP_CLOSED,
     .reason = NB_CLOSED_RESET,
     .peer_closed = 1},
    {"last_ack_call_abort_sends_rst", end_last_ack, .call = CALL_ABORT, .then = NB_TCP_CLOSED, .sends = {R | A, 2, 2},
     .reason = NB_CLOSED_ABORTED, .peer_closed = 1},

    /* TIME-WAIT, a record */
    {"time_wait_rcv_fin_again_is_acked",
     end_time_wait,
     {.flags = F | A, .seq = 1, .ack = 2},
     .then = NB_TCP_TIME_WAIT,
     .sends = {A, 2, 2},
     .reason = NB_CLOSED_NORMAL,
     .peer_closed = 1},
    {"time_wait_rcv_ack_says_nothing",
     end_time_wait,
     {.flags = A, .seq = 2, .ack = 2},
     .then = NB_TCP_TIME_WAIT,
     .reason = NB_CLOSED_NORMAL,
     .peer_closed = 1},
    {"time_wait_rcv_rst_is_ignored",
     end_time_wait,
     {.flags = R, .seq = 2},
     .then = NB_TCP_TIME_WAIT,
     .reason = NB_CLOSED_NORMAL,
     .peer_closed = 1},
    {"time_wait_rcv_old_data_is_acked",
     end_time_wait,
     {.flags = A, .seq = -5, .ack = 2, .n = 3},
     .then = NB_TCP_TIME_WAIT,
     .sends = {A, 2, 2},
     .reason = NB_CLOSED_NORMAL,
     .peer_closed = 1},
    {"time_wait_rcv_old_syn_is_acked",
     end_time_wait,
     {.flags = S, .seq = 0},
     .then = NB_TCP_TIME_WAIT,
     .sends = {A, 2, 2},
     .reason = NB_CLOSED_NORMAL,
     .peer_closed = 1},
};

/* Everything that is dropped, or refused with words, is counted. */
static uint64_t drops(struct one_end *e)
{
    uint64_t n = end_counter(e, NB_COUNTER_CHALLENGE_ACK);
    for (unsigned i = NB_COUNTER_DROP_NOT_FOR_US; i < NB_COUNTER_COUNT; i++)
        n += end_counter(e, i);
    return n;
}

/* Does the row's segment have no effect although it has something to say? */
static bool is_dropped(const struct row *row, enum nb_tcp_state before)
{
    const struct end_arrival *in = &row->in;
    bool says_something = in->flags & (S | F | R) || in->n || !(in->flags & A);
    return in->flags && says_something && before == row->then && !row->sends.flags && row->reason == OK;
}

static void call(struct one_end *e, enum call call)
{
    switch (call) {
    case NONE:
        break;
    case CALL_SHUTDOWN:
        nb_tcp_shutdown(e->tcp, e->tcb);
        break;
    case CALL_CLOSE:
        nb_tcp_close(e->tcp, e->tcb);
        break;
    case CALL_ABORT:
        nb_tcp_abort(e->tcp, e->tcb);
        break;
    case CALL_WRITE:
        assert_int_equal(nb_tcp_write(e->tcp, e->tcb, "text", 4), 4);
        break;
    }
    end_flush(e);
}

static void run_row(void **state)
{
    const struct row *row = *state;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct one_end *e = end_new(&(struct end_options){.family = ipv6 ? NB_FAMILY_IPV6 : NB_FAMILY_IPV4});
        row->reach(e);
        end_nothing_sent(e);
        enum nb_tcp_state before = end_state(e);
        uint64_t drops_before = drops(e);
        if (row->in.flags)
            end_arrive(e, &row->in);
        if (is_dropped(row, before))
            assert_int_equal(drops(e), drops_before + 1);
        call(e, row->call);
        if (row->sends.flags)
            end_expect(e, row->sends.flags, row->sends.seq, row->sends.ack, row->sends.n);
        end_nothing_sent(e);
        assert_string_equal(nb_tcp_state_name(end_state(e)), nb_tcp_state_name(row->then));
        assert_int_equal(e->n_closed, row->reason != OK);
        if (row->reason != OK)
            assert_int_equal(e->reason, row->reason);
        assert_int_equal(e->n_peer_closed, row->peer_closed);
        end_free(e);
    }
}

int main(void)
{
    enum { N = sizeof rows / sizeof rows[0] };
    static struct CMUnitTest tests[N];
    for (unsigned i = 0; i < N; i++) {
        struct row *row = malloc(sizeof *row);
        *row = rows[i];
        tests[i] = (struct CMUnitTest){.name = rows[i].name, .test_func = run_row, .initial_state = row};
    }
    int failed = _cmocka_run_group_tests("states", tests, N, NULL, NULL);
    for (unsigned i = 0; i < N; i++)
        free(tests[i].initial_state);
    return failed;
}
