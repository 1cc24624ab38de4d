/* window.c - the receive window (RFC 9293 §3.8.6.2.2).
 *
 * The buffer is counted in bytes of payload; it grows with the path (rightsize.c) unless the user chose its size.
 * Offered is at first as much as a peer's initial window needs, and more as it sends: rcv_ssthresh, which grows with
 * in-order data up to the buffer, so that a connection that receives little cannot be made to hold much. The right edge
 * never moves to the left, and only by steps worth telling.
 */
#include "window.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "../wire/tcp_option.h"
#include "core.h"
#include "minmax.h"

#define INITIAL_WINDOW_BYTES 65535u
#define PRESSURE_SEGMENTS    4

/* Half of what settings and users name is overhead, as in Linux. */
#define OVERHEAD 2

static uint32_t buffer(const struct nb_tcb *tcb)
{
    uint32_t own = tcb->options->recv_buffer_bytes;
    return own ? own / OVERHEAD : tcb->rcv_buffer;
}

static uint32_t clamp(const struct nb_tcb *tcb)
{
    uint32_t own = tcb->options->window_clamp_bytes;
    return own ? nb__min(own, buffer(tcb)) : buffer(tcb);
}

/* The least shift with which the window field can express the largest buffer (RFC 7323 §2.3). */
static uint8_t scale_for(uint32_t bytes)
{
    unsigned excess = bytes > UINT16_MAX ? 16u - (unsigned)__builtin_clz(bytes) : 0;
    return (uint8_t)nb__min(excess, NB_WSCALE_MAX);
}

void nb__window_init(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t own = tcb->options->recv_buffer_bytes;
    tcb->rcv_buffer = tcp->settings.rmem[1] / OVERHEAD;
    tcb->rcv_scale = scale_for(own ? own / OVERHEAD : tcp->settings.rmem[2]);
    tcb->rcv_ssthresh = nb__min(INITIAL_WINDOW_BYTES, clamp(tcb));
}

uint32_t nb__window_bound(const struct nb_tcb *tcb)
{
    return tcb->rcv_ssthresh + (1u << tcb->rcv_scale);
}

/* In units that the field can express, rounded up. */
static uint32_t in_units(const struct nb_tcb *tcb, uint32_t window)
{
    uint32_t unit = 1u << tcb->rcv_scale;
    return (window + unit - 1) & ~(unit - 1);
}

/* Something is unread, the user has a wish, or the window is not scaled. */
static __rte_noinline uint32_t select_otherwise(const struct nb_tcb *tcb)
{
    uint32_t size = clamp(tcb), room = tcb->rcv_unread < size ? size - tcb->rcv_unread : 0;
    /* Nearly full: offer nothing rather than a silly window. */
    if (room < size / 2 && room < nb__min(size >> 4, tcb->rcv_mss))
        return 0;
    uint32_t window = nb__min(room, tcb->rcv_ssthresh);
    if (tcb->rcv_scale)
        return in_units(tcb, window);
    uint32_t now = nb_tcb_rcv_wnd(tcb), mss = nb__min(tcb->rcv_mss, size);
    if (window + mss <= now || window > now + mss)
        return window / mss * mss;
    return now;
}

uint32_t nb__window_select(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    (void)tcp;
    if (unlikely(tcb->rcv_unread || !tcb->rcv_scale || tcb->options != &nb_tcp_options_default))
        return select_otherwise(tcb);
    return in_units(tcb, nb__min(tcb->rcv_buffer, tcb->rcv_ssthresh));
}

/* Never to the left (RFC 9293 §3.8.6), except for what the scale rounds. */
static uint32_t move_edge(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t now = nb_tcb_rcv_wnd(tcb), window = nb__window_select(tcp, tcb);
    if (window < now)
        window = in_units(tcb, now);
    window = nb__min(window, (uint32_t)UINT16_MAX << tcb->rcv_scale);
    tcb->rcv_adv = tcb->rcv_nxt + window;
    return window;
}

uint16_t nb__window_field(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    return (uint16_t)(move_edge(tcp, tcb) >> tcb->rcv_scale);
}

/* A SYN's window is never scaled (RFC 7323 §2.2). */
uint16_t nb__window_syn_field(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    (void)tcp;
    uint32_t window = nb__min(tcb->rcv_ssthresh, UINT16_MAX);
    tcb->rcv_adv = tcb->rcv_nxt + window;
    return (uint16_t)window;
}

/* Linux's tcp_adjust_rcv_ssthresh: who lags behind is offered little. */
static void clamp_under_pressure(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t little = PRESSURE_SEGMENTS * (uint32_t)tcb->advertised_mss;
    if ((!tcb->rcv_unread && tcb->reasm == NB_REASM_NONE) || tcb->rcv_ssthresh <= little)
        return;
    tcb->rcv_ssthresh = little;
    nb__count(tcp, NB_COUNTER_MEMORY_CLAMPED);
}

/* By as much as arrives, ahead of a sender in slow start; and by as much again while there is a gap, since what waits
 * behind it takes up its room for a round trip longer. */
void nb__window_grow(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t bytes, uint32_t segs)
{
    uint32_t most = clamp(tcb);
    if (unlikely(tcp->memory.level)) {
        clamp_under_pressure(tcp, tcb);
    } else if (tcb->rcv_ssthresh < most && tcb->rcv_unread < most / 2) {
        uint32_t step = nb__min(bytes, 2u * tcb->rcv_mss * segs), steps = tcb->reasm == NB_REASM_NONE ? 1 : 2;
        tcb->rcv_ssthresh = nb__min(tcb->rcv_ssthresh + steps * step, most);
    }
}

void nb__window_enlarge(struct nb_tcp *tcp, struct nb_tcb *tcb, uint64_t bytes)
{
    uint32_t most = tcp->settings.rmem[2] / OVERHEAD;
    if (tcp->settings.moderate_rcvbuf && !tcb->options->recv_buffer_bytes && tcp->memory.level == NB_MEMORY_CALM)
        tcb->rcv_buffer = (uint32_t)nb__max(tcb->rcv_buffer, nb__min(bytes, most));
}

uint32_t nb__recv_buffer(const struct nb_tcb *tcb)
{
    return OVERHEAD * buffer(tcb);
}
