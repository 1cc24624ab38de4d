/* move_batch.c - see move_batch.h. */
#include "move_batch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define PAUSE_NS 200000 /* between looks at moves under way */

bool nb_move_is_put_off(const struct nb_move_report *report)
{
    return report->result == -EBUSY && strncmp(report->why, "pinned", 6);
}

void nb_move_batch_begin(struct nb_move_batch *batch, struct nb_runtime *rt, uint64_t flow, unsigned to)
{
    nb_runtime_move_begin(rt, flow, to, &batch->ticket[batch->n++]);
}

void nb_move_batch_end(struct nb_move_batch *batch, void (*each)(const struct nb_move_report *report, void *arg),
                       void *arg)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};

    for (unsigned i = 0; i < batch->n; i++) {
        while (!nb_runtime_move_done(&batch->ticket[i]))
            nanosleep(&pause, NULL);
        each(&batch->ticket[i].report, arg);
    }
    batch->n = 0;
}
