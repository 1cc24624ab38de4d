/* chrono.h - where a connection's time goes while it has data to send (tcpi_busy_time and its parts). */
#ifndef NB_TCP_CHRONO_H
#define NB_TCP_CHRONO_H

#include <stdint.h>

struct nb_tcb;
struct nb_tcp;

/* By rising precedence: of several reasons that hold at once the last one counts. */
enum nb_chrono {
    NB_CHRONO_NONE,
    NB_CHRONO_BUSY,           /* data in flight or queued */
    NB_CHRONO_RWND_LIMITED,   /* and the peer's window is full */
    NB_CHRONO_SNDBUF_LIMITED, /* and the application could send more if it had room */
    NB_CHRONO_COUNT,
};

/* A reason begins to hold, or ceases to. */
void nb__chrono_start(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_chrono reason);
void nb__chrono_stop(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_chrono reason);

/* Time spent for a reason so far; BUSY includes the others. */
uint64_t nb__chrono_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb, enum nb_chrono reason);

#endif
