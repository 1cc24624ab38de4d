/* interpose.c - C library functions that this library stands before.
 *
 * open:      a few paths lead into the simulator's directory instead
 * mmap:      a mapping of the BAR is trapped
 * sigaction: the program may register for SIGSEGV and SIGTRAP, but behind us; and may not block them
 *
 * While the process has no simulated NIC each is one branch and the function itself. mmap and munmap call the kernel
 * directly: memory allocators call them before dlsym may be used.
 */
#include "interpose.h"

#include "inside.h"
#include "mmio.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *sim_next_symbol(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) {
        fprintf(stderr, "nicsim: the program's libraries have no %s\n", name);
        abort();
    }
    return symbol;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

typedef int open_fn(const char *path, int flags, ...);

static int open_through(open_fn *next, const char *path, int flags, mode_t mode)
{
    char buffer[PATH_MAX];
    return next(sim_inside_redirect(path, buffer, sizeof buffer), flags, mode);
}

/* The mode is there only when the flags create a file. */
#define TAKE_MODE(mode, flags)                                                                                         \
    mode_t mode = 0;                                                                                                   \
    if ((flags)&O_CREAT || ((flags)&O_TMPFILE) == O_TMPFILE) {                                                         \
        va_list ap;                                                                                                    \
        va_start(ap, flags);                                                                                           \
        mode = va_arg(ap, mode_t);                                                                                     \
        va_end(ap);                                                                                                    \
    }

SIM_INTERPOSED int open(const char *path, int flags, ...)
{
    static open_fn *next;
    if (!next)
        *(void **)&next = sim_next_symbol("open");
    TAKE_MODE(mode, flags);
    return open_through(next, path, flags, mode);
}

SIM_INTERPOSED int open64(const char *path, int flags, ...)
{
    static open_fn *next;
    if (!next)
        *(void **)&next = sim_next_symbol("open64");
    TAKE_MODE(mode, flags);
    return open_through(next, path, flags, mode);
}

/* --- mappings ----------------------------------------------------------------------------------------------------- */

SIM_INTERPOSED void *mmap(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
    void *mapped = (void *)syscall(SYS_mmap, addr, n, prot, flags, fd, offset);
    if (mapped == MAP_FAILED || fd < 0 || !(flags & MAP_SHARED) || !sim_inside_active())
        return mapped;
    int saved_errno = errno, rc = sim_inside_mapped(mapped, n, fd);
    errno = saved_errno;
    if (rc) {
        munmap(mapped, n);
        errno = -rc;
        return MAP_FAILED;
    }
    return mapped;
}

SIM_INTERPOSED void *mmap64(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
    return mmap(addr, n, prot, flags, fd, offset);
}

SIM_INTERPOSED int munmap(void *addr, size_t n)
{
    if (sim_inside_active())
        sim_inside_unmapped(addr, n);
    return syscall(SYS_munmap, addr, n);
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

SIM_INTERPOSED int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
    static int (*next)(int, const struct sigaction *, struct sigaction *);
    if (sim_mmio_owns_signal(sig))
        return sim_mmio_program_sigaction(sig, act, old);
    if (!next)
        *(void **)&next = sim_next_symbol("sigaction");
    return next(sig, act, old);
}

SIM_INTERPOSED sighandler_t signal(int sig, sighandler_t handler)
{
    static sighandler_t (*next)(int, sighandler_t);
    struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    if (sim_mmio_owns_signal(sig))
        return sim_mmio_program_sigaction(sig, &act, &old) ? SIG_ERR : old.sa_handler;
    if (!next)
        *(void **)&next = sim_next_symbol("signal");
    return next(sig, handler);
}

/* A thread that blocks SIGSEGV would be killed at its first register access. */
static const sigset_t *without_ours(int how, const sigset_t *set, sigset_t *copy)
{
    if (!set || how == SIG_UNBLOCK || !sim_mmio_owns_signal(SIGSEGV))
        return set;
    *copy = *set;
    sigdelset(copy, SIGSEGV);
    sigdelset(copy, SIGTRAP);
    return copy;
}

SIM_INTERPOSED int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    static int (*next)(int, const sigset_t *, sigset_t *);
    sigset_t copy;
    if (!next)
        *(void **)&next = sim_next_symbol("pthread_sigmask");
    return next(how, without_ours(how, set, &copy), old);
}

SIM_INTERPOSED int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    static int (*next)(int, const sigset_t *, sigset_t *);
    sigset_t copy;
    if (!next)
        *(void **)&next = sim_next_symbol("sigprocmask");
    return next(how, without_ours(how, set, &copy), old);
}
