/* signals.c - see signals.h. */
#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static pthread_t starter;
static bool starting;
static const char *file_to_remove;

static void end_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

/* Ignored signals (a background job's SIGINT, nohup's SIGHUP) count too: blocked, they arrive. A reader of ours that
 * has gone is an error of write(2), not our end. */
int nb_signals_open(struct nb_error *err)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    end_signals(&set);
    int rc = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (rc)
        return nb_error_set(err, -rc, "signals: %s", strerror(rc));
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 ? fd : nb_error_set(err, -errno, "signals: %s", strerror(errno));
}

static void *wait_for_signal(void *nothing)
{
    sigset_t set;
    int number;

    (void)nothing;
    end_signals(&set);
    while (sigwait(&set, &number) != 0)
        continue;
    if (file_to_remove)
        unlink(file_to_remove);
    _exit(0);
}

int nb_signals_starting(const char *file, struct nb_error *err)
{
    file_to_remove = file;
    int rc = pthread_create(&starter, NULL, wait_for_signal, NULL);
    starting = rc == 0;
    return rc ? nb_error_set(err, -rc, "signals: %s", strerror(rc)) : 0;
}

void nb_signals_started(void)
{
    if (!starting)
        return;
    pthread_cancel(starter);
    pthread_join(starter, NULL);
    starting = false;
}
