/* mmio.c - every access of a driver to its BAR, delivered synchronously.
 *
 * Theory of operation. The faulting thread itself runs the model, under the simulator's lock: it was about to wait for
 * the device anyway, and so program order is register order. Handlers run with all signals blocked, on the alternate
 * stack where the thread has one. A fault within the handler is a bug of the simulator; with SIGSEGV blocked the kernel
 * ends the process with a core dump that shows it.
 *
 * An instruction that sim_insn_decode does not emulate is stepped: the registers it reads are put into the page, the
 * page is opened, the trap flag is set, and SIGTRAP closes the page and hands what was stored to the model. The lock is
 * held from one handler to the other, and all signals stay blocked for that one instruction. What another thread does
 * to the same page meanwhile would escape; no driver we know needs stepping at all, and the count is visible
 * (`nicsim ctl stats`).
 *
 * Known limits: x86-64 only; system calls given a BAR address fail with EFAULT instead of faulting.
 */
#include "mmio.h"

#include "insn.h"
#include "symbols.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "register trapping decodes x86-64 instructions"
#endif

#define MAPPINGS_MAX    8 /* BARs of simulated ports in one process; a dual-port card twice over */
#define PAGE_BYTES      4096u
#define TRAP_FLAG       0x100 /* EFLAGS.TF */
#define FAULT_WAS_WRITE 0x2   /* page fault error code, bit 1 */
#define STEP_DWORDS_MAX 9     /* a 32-byte access, not aligned */

struct mapping {
    _Atomic(uintptr_t) start; /* 0: free. Written last on attach, first on detach */
    size_t n;
    const struct sim_mmio_target *target;
};

/* One instruction being stepped by this thread. */
struct step {
    bool active, is_write;
    const struct mapping *mapping;
    uint32_t first, dwords; /* registers touched */
    sigset_t mask;          /* the thread's own, given back afterwards */
};

static struct mapping mappings[MAPPINGS_MAX];
static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction program_segv, program_trap;
static atomic_bool installed;
static _Thread_local struct step step;

void (*sim_mmio_before_crash)(void);

static const struct mapping *find_mapping(const void *addr)
{
    for (int i = 0; i < MAPPINGS_MAX; i++) {
        uintptr_t start = atomic_load_explicit(&mappings[i].start, memory_order_acquire);
        if (start && (uintptr_t)addr >= start && (uintptr_t)addr - start < mappings[i].n)
            return &mappings[i];
    }
    return NULL;
}

/* --- emulation ---------------------------------------------------------------------------------------------------- */

static const int greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static uint64_t stored_value(const struct sim_insn *insn, const ucontext_t *uc)
{
    uint64_t value = 0;
    switch (insn->kind) {
    case SIM_INSN_STORE:
        value = uc->uc_mcontext.gregs[greg_of[insn->reg]];
        break;
    case SIM_INSN_STORE_IMM:
        value = insn->imm;
        break;
    case SIM_INSN_STORE_XMM:
        memcpy(&value, &uc->uc_mcontext.fpregs->_xmm[insn->reg], sizeof value);
        break;
    case SIM_INSN_LOAD:
    case SIM_INSN_OTHER:
        break;
    }
    return value;
}

/* Perform the access and move past the instruction. A 64-bit access is two registers, the lower address first. */
static void emulate(const struct sim_mmio_target *t, uint32_t offset, const struct sim_insn *insn, ucontext_t *uc)
{
    if (insn->kind == SIM_INSN_LOAD) {
        uint64_t value = t->read(t->arg, offset);
        if (insn->width == 8)
            value |= (uint64_t)t->read(t->arg, offset + 4) << 32;
        uc->uc_mcontext.gregs[greg_of[insn->reg]] = value;
    } else {
        uint64_t value = stored_value(insn, uc);
        t->write(t->arg, offset, value);
        if (insn->width == 8)
            t->write(t->arg, offset + 4, value >> 32);
    }
    uc->uc_mcontext.gregs[REG_RIP] += insn->length;
}

/* Is this access one that emulate() can do: aligned and inside the BAR? */
static bool emulable(const struct mapping *m, uint32_t offset, const struct sim_insn *insn)
{
    return insn->kind != SIM_INSN_OTHER && offset % 4 == 0 && offset + insn->width <= m->n;
}

/* --- single-step fallback ----------------------------------------------------------------------------------------- */

static void set_page_rights(const struct step *s, int rights)
{
    uintptr_t base = s->mapping->start;
    uintptr_t from = (base + s->first) & ~(uintptr_t)(PAGE_BYTES - 1);
    uintptr_t to = base + s->first + 4 * s->dwords;
    mprotect((void *)from, to - from, rights);
}

static volatile uint32_t *dword_at(const struct step *s, uint32_t i)
{
    return (volatile uint32_t *)(s->mapping->start + s->first + 4 * i);
}

static void begin_step(const struct mapping *m, uint32_t offset, const struct sim_insn *insn, ucontext_t *uc)
{
    const struct sim_mmio_target *t = m->target;
    bool is_write = uc->uc_mcontext.gregs[REG_ERR] & FAULT_WAS_WRITE;
    uint32_t first = offset & ~3u, end = (offset + insn->width + 3) & ~3u;
    if (end > m->n)
        end = m->n;
    step = (struct step){true, is_write, m, first, (end - first) / 4, uc->uc_sigmask};
    set_page_rights(&step, PROT_READ | PROT_WRITE);
    if (!is_write || insn->reads_to_write)
        for (uint32_t i = 0; i < step.dwords; i++)
            *dword_at(&step, i) = t->read(t->arg, first + 4 * i);
    if (t->stepped)
        t->stepped(t->arg);
    sigfillset(&uc->uc_sigmask);
    sigdelset(&uc->uc_sigmask, SIGTRAP);
    uc->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void end_step(ucontext_t *uc)
{
    const struct sim_mmio_target *t = step.mapping->target;
    uint32_t stored[STEP_DWORDS_MAX];
    for (uint32_t i = 0; i < step.dwords; i++)
        stored[i] = *dword_at(&step, i);
    set_page_rights(&step, PROT_NONE);
    if (step.is_write)
        for (uint32_t i = 0; i < step.dwords; i++)
            t->write(t->arg, step.first + 4 * i, stored[i]);
    step.active = false;
    uc->uc_sigmask = step.mask;
    uc->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    t->end(t->arg);
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

/* The C library's, because the program's view of sigaction may be ours or a sanitizer's. */
static int real_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
    static int (*libc_sigaction)(int, const struct sigaction *, struct sigaction *);
    if (!libc_sigaction)
        *(void **)&libc_sigaction = sim_libc_symbol("sigaction");
    return libc_sigaction(sig, act, old);
}

/* Likewise: the program's pthread_sigmask may not block our signals, but a handler of the program's runs with its own
 * signal blocked. */
static void real_sigmask(const sigset_t *set, sigset_t *old)
{
    static int (*libc_sigmask)(int, const sigset_t *, sigset_t *);
    if (!libc_sigmask)
        *(void **)&libc_sigmask = sim_libc_symbol("pthread_sigmask");
    libc_sigmask(SIG_SETMASK, set, old);
}

/* End as if nobody had caught the signal: the faulting instruction runs again and finds the default action. A signal
 * somebody sent would not come again by itself. */
static void take_default_action(int sig, const siginfo_t *si)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    real_sigaction(sig, &dfl, NULL);
    if (si->si_code <= 0)
        raise(sig); /* blocked here, delivered on return */
}

/* Call the program's own action for a fault that is not ours, with the signal mask it asked for. */
static void hand_on(int sig, siginfo_t *si, void *context, struct sigaction *program)
{
    struct sigaction act = *program;
    sigset_t mask, ours;
    if (sim_mmio_before_crash)
        sim_mmio_before_crash();
    if (act.sa_handler == SIG_DFL || (act.sa_handler == SIG_IGN && si->si_code > 0)) {
        take_default_action(sig, si);
        return;
    }
    if (act.sa_handler == SIG_IGN)
        return;
    if (act.sa_flags & SA_RESETHAND)
        program->sa_handler = SIG_DFL;
    sigorset(&mask, &((ucontext_t *)context)->uc_sigmask, &act.sa_mask);
    if (!(act.sa_flags & SA_NODEFER))
        sigaddset(&mask, sig);
    real_sigmask(&mask, &ours);
    if (act.sa_flags & SA_SIGINFO)
        act.sa_sigaction(sig, si, context);
    else
        act.sa_handler(sig);
    real_sigmask(&ours, NULL);
}

static void on_segv(int sig, siginfo_t *si, void *context)
{
    const struct mapping *m = si->si_code == SEGV_ACCERR ? find_mapping(si->si_addr) : NULL;
    if (!m) {
        hand_on(sig, si, context, &program_segv);
        return;
    }
    int saved_errno = errno;
    ucontext_t *uc = context;
    uint32_t offset = (uintptr_t)si->si_addr - m->start;
    struct sim_insn insn;
    sim_insn_decode((const uint8_t *)uc->uc_mcontext.gregs[REG_RIP], &insn);
    m->target->begin(m->target->arg);
    if (emulable(m, offset, &insn)) {
        emulate(m->target, offset, &insn, uc);
        m->target->end(m->target->arg);
    } else {
        begin_step(m, offset, &insn, uc);
    }
    errno = saved_errno;
}

static void on_trap(int sig, siginfo_t *si, void *context)
{
    if (!step.active) {
        hand_on(sig, si, context, &program_trap);
        return;
    }
    int saved_errno = errno;
    end_step(context);
    errno = saved_errno;
}

int sim_mmio_install(void)
{
    struct sigaction segv = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigset_t both;
    if (atomic_exchange(&installed, true))
        return 0;
    sigfillset(&segv.sa_mask);
    sigfillset(&trap.sa_mask);
    if (real_sigaction(SIGSEGV, &segv, &program_segv) || real_sigaction(SIGTRAP, &trap, &program_trap))
        return -errno;
    sigemptyset(&both);
    sigaddset(&both, SIGSEGV);
    sigaddset(&both, SIGTRAP);
    return -pthread_sigmask(SIG_UNBLOCK, &both, NULL);
}

int sim_mmio_owns_signal(int sig)
{
    return atomic_load(&installed) && (sig == SIGSEGV || sig == SIGTRAP);
}

int sim_mmio_program_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
    struct sigaction *program = sig == SIGSEGV ? &program_segv : &program_trap;
    if (old)
        *old = *program;
    if (act)
        *program = *act;
    return 0;
}

/* --- mappings ----------------------------------------------------------------------------------------------------- */

int sim_mmio_attach(void *addr, size_t n, const struct sim_mmio_target *target)
{
    int rc = -ENOSPC;
    pthread_mutex_lock(&mappings_lock);
    for (int i = 0; i < MAPPINGS_MAX && rc == -ENOSPC; i++) {
        if (mappings[i].start)
            continue;
        rc = mprotect(addr, n, PROT_NONE) ? -errno : 0;
        if (rc)
            break;
        mappings[i].n = n;
        mappings[i].target = target;
        atomic_store_explicit(&mappings[i].start, (uintptr_t)addr, memory_order_release);
    }
    pthread_mutex_unlock(&mappings_lock);
    return rc;
}

void sim_mmio_detach(void *addr, size_t n)
{
    pthread_mutex_lock(&mappings_lock);
    for (int i = 0; i < MAPPINGS_MAX; i++)
        if (mappings[i].start >= (uintptr_t)addr && mappings[i].start - (uintptr_t)addr < n)
            atomic_store_explicit(&mappings[i].start, 0, memory_order_release);
    pthread_mutex_unlock(&mappings_lock);
}
