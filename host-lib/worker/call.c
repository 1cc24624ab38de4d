/* call.c - calls from control threads to a worker; see call.h. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "mail.h"

void nb_call_desk_init(struct nb_call_desk *desk)
{
    pthread_mutex_init(&desk->lock, NULL);
    desk->open = false;
    atomic_init(&desk->fn, NULL);
    atomic_init(&desk->served, 0);
}

void nb_call_desk_fini(struct nb_call_desk *desk)
{
    pthread_mutex_destroy(&desk->lock);
}

static void set_open(struct nb_call_desk *desk, bool open)
{
    pthread_mutex_lock(&desk->lock);
    desk->open = open;
    pthread_mutex_unlock(&desk->lock);
}

void nb_call_desk_open(struct nb_call_desk *desk)
{
    set_open(desk, true);
}

void nb_call_desk_close(struct nb_call_desk *desk)
{
    set_open(desk, false);
}

static void wait_served(struct nb_call_desk *desk, uint32_t before)
{
    while (atomic_load(&desk->served) == before)
        syscall(SYS_futex, &desk->served, FUTEX_WAIT_PRIVATE, before, NULL, NULL, 0);
}

int nb_call(struct nb_call_desk *desk, struct nb_post *post, unsigned to, nb_call_fn *fn, void *arg)
{
    int rc = -ESHUTDOWN;

    pthread_mutex_lock(&desk->lock);
    if (desk->open) {
        uint32_t before = atomic_load(&desk->served);

        desk->arg = arg;
        atomic_store(&desk->fn, fn);
        nb_post_ring(post, to, UINT64_C(1) << to);
        wait_served(desk, before);
        rc = 0;
    }
    pthread_mutex_unlock(&desk->lock);
    return rc;
}

void nb_call_serve(struct nb_call_desk *desk, struct nb_worker *w)
{
    nb_call_fn *fn = atomic_load(&desk->fn);

    if (!fn)
        return;
    fn(w, desk->arg);
    atomic_store(&desk->fn, NULL);
    atomic_fetch_add(&desk->served, 1);
    syscall(SYS_futex, &desk->served, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
