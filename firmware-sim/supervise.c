/* supervise.c - run the program, serve its claim, forward signals, wait for its end.
 *
 * One loop over a signalfd, the claim socket and the connection of whoever holds the claim. When the launcher itself is
 * killed the program gets SIGTERM from the kernel (or, once it holds the NIC, sees the lifeline hang up and ends
 * itself); when both are killed at once the next nicsim removes the directory.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP};
#define FORWARDED (sizeof forwarded / sizeof forwarded[0])

struct supervisor {
    struct sim_launch *launch;
    struct sigaction inherited[FORWARDED]; /* what the program is to find */
    sigset_t inherited_mask;
    pid_t child;
    int signal_fd;
    int holder_fd; /* connection of the process that holds the claim, -1 when free */
    pid_t holder;
    bool claimed_once;
    bool child_ended;
    int status; /* of the child, once it has ended */
};

/* --- the child ---------------------------------------------------------------------------------------------------- */

/* LD_PRELOAD: the sanitizer's runtime first, as it insists, then ours, then what was there. */
static void preload(const struct sim_launch *l)
{
    char value[SIM_CLAIM_ENV_MAX + 512];
    const char *before = getenv("LD_PRELOAD");
    snprintf(value, sizeof value, "%s%s%s/libnicsim.so%s%s", l->asan, *l->asan ? ":" : "", l->dir, before ? ":" : "",
             before ? before : "");
    setenv("LD_PRELOAD", value, 1);
}

/* For programs built with AddressSanitizer: our handler must be allowed beside its own; when a wrapper
 * starts the program, the runtime cannot come before us. The user's words come last and win. */
static void set_sanitizer_options(void)
{
    char value[SIM_CLAIM_ENV_MAX + 512];
    const char *before = getenv("ASAN_OPTIONS");
    snprintf(value, sizeof value, "allow_user_segv_handler=1:verify_asan_link_order=0%s%s", before ? ":" : "",
             before ? before : "");
    setenv("ASAN_OPTIONS", value, 1);
}

static void run_child(const struct supervisor *sv, pid_t launcher, int report_fd)
{
    const struct sim_launch *l = sv->launch;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != launcher)
        _exit(SIM_EXIT_FAILED);
    for (size_t i = 0; i < FORWARDED; i++)
        sigaction(forwarded[i], &sv->inherited[i], NULL);
    sigprocmask(SIG_SETMASK, &sv->inherited_mask, NULL);
    setenv(SIM_ENV_DIR, l->dir, 1);
    preload(l);
    set_sanitizer_options();
    execv(l->program, l->options->program);
    int error = errno;
    if (write(report_fd, &error, sizeof error) != sizeof error)
        _exit(SIM_EXIT_FAILED);
    _exit(SIM_EXIT_NOT_EXECUTABLE);
}

/* 0, or the errno of the failed exec. The pipe closes itself when exec succeeds. */
static int start_child(struct supervisor *sv)
{
    int report[2], error = 0;
    pid_t launcher = getpid();
    if (pipe2(report, O_CLOEXEC))
        return errno;
    sv->child = fork();
    if (sv->child < 0) {
        error = errno;
    } else if (sv->child == 0) {
        run_child(sv, launcher, report[1]);
    }
    close(report[1]);
    if (!error && read(report[0], &error, sizeof error) != sizeof error)
        error = 0;
    close(report[0]);
    if (error && sv->child > 0)
        waitpid(sv->child, NULL, 0);
    return error;
}

/* --- the claim ---------------------------------------------------------------------------------------------------- */

static void accept_claim(struct supervisor *sv)
{
    struct sim_claim refusal = {.version = SIM_CLAIM_VERSION};
    struct ucred peer = {0};
    socklen_t n = sizeof peer;
    int fd = accept4(sv->launch->claim_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n);
    if (sv->holder_fd >= 0) {
        snprintf(refusal.refused, sizeof refusal.refused,
                 "this simulated NIC already belongs to process %d; give each program a nicsim of its own", sv->holder);
        sim_claim_answer(fd, &refusal, sv->launch->fds);
        close(fd);
        return;
    }
    if (sim_claim_answer(fd, &sv->launch->claim, sv->launch->fds)) {
        close(fd);
        return;
    }
    sv->holder_fd = fd;
    sv->holder = peer.pid;
    sv->claimed_once = true;
}

static void end_claim(struct supervisor *sv)
{
    close(sv->holder_fd);
    sv->holder_fd = -1;
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

/* A signal from the terminal reaches the whole foreground group, the program included; only those meant for us alone
 * are passed on. */
static void take_signal(struct supervisor *sv)
{
    struct signalfd_siginfo info;
    if (read(sv->signal_fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGCHLD)
        sv->child_ended = waitpid(sv->child, &sv->status, WNOHANG) == sv->child;
    else if (info.ssi_code != SI_KERNEL)
        kill(sv->child, info.ssi_signo);
}

static void watch(struct supervisor *sv)
{
    while (!sv->child_ended) {
        struct pollfd p[] = {
            {sv->signal_fd, POLLIN, 0},
            {sv->launch->claim_fd, POLLIN, 0},
            {sv->holder_fd, POLLIN, 0},
        };
        if (poll(p, 3, -1) < 0)
            continue;
        if (p[2].revents)
            end_claim(sv);
        if (p[1].revents)
            accept_claim(sv);
        if (p[0].revents)
            take_signal(sv);
    }
}

/* A program that ended well and never asked for its NIC. One that ended with an error has said why itself; one whose
 * DPDK is linked statically was told by the preloaded library. */
static void explain_unclaimed(const struct supervisor *sv)
{
    if (sv->claimed_once || !WIFEXITED(sv->status) || WEXITSTATUS(sv->status))
        return;
    fprintf(stderr,
            "nicsim: %s ended (status 0) without starting DPDK on the simulated NIC: it did not call rte_eal_init of a "
            "shared DPDK\n",
            sv->launch->options->program[0]);
}

/* Those three reach us even when they were ignored at our start (as in a script's background job): the program decides.
 * An inherited, ignored SIGCHLD would take its exit status away. */
static int catch_signals(struct supervisor *sv)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaction(SIGCHLD, &dfl, NULL);
    for (size_t i = 0; i < FORWARDED; i++) {
        sigaddset(&ours, forwarded[i]);
        sigaction(forwarded[i], &dfl, &sv->inherited[i]);
    }
    sigprocmask(SIG_BLOCK, &ours, &sv->inherited_mask);
    sv->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC);
    return sv->signal_fd < 0 ? errno : 0;
}

int sim_launch_run(struct sim_launch *l, int *code, struct sim_error *err)
{
    struct supervisor sv = {.launch = l, .holder_fd = -1};
    int error = catch_signals(&sv);
    if (!error)
        error = start_child(&sv);
    if (error) {
        *code = error == ENOENT ? SIM_EXIT_NOT_FOUND : SIM_EXIT_NOT_EXECUTABLE;
        return sim_fail(err, -1, "%s: cannot be executed: %s", l->program, strerror(error));
    }
    watch(&sv);
    if (sv.holder_fd >= 0)
        end_claim(&sv);
    close(sv.signal_fd);
    explain_unclaimed(&sv);
    return sv.status;
}
