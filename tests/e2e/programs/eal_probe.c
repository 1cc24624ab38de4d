/* eal_probe.c - the smallest DPDK program, for tests of nicsim: start DPDK, say how many ports there are, then do what
 * the word behind the -- says. Compiled by the test that uses it, with and without sanitizers.
 */
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_term(int sig)
{
    (void)sig;
    static const char words[] = "terminated\n";
    if (write(1, words, sizeof words - 1) < 0)
        _exit(2);
    _exit(33);
}

/* A thread's blocked signals must not include those of the register trap, whatever the program asks for. */
static void block_all_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static void do_as_told(const char *what, const char *argument)
{
    struct rte_eth_link link;
    if (!strcmp(what, "crash"))
        *(volatile int *volatile)8 = 1;
    if (!strcmp(what, "overflow"))
        ((volatile char *)malloc(10))[10] = 1;
    if (!strcmp(what, "run") && system(argument))
        exit(3);
    if (!strcmp(what, "masked")) {
        block_all_signals();
        printf("masked %d\n", rte_eth_link_get_nowait(0, &link));
    }
    while (!strcmp(what, "stay") || !strcmp(what, "stubborn"))
        pause();
}

/* Before the first line of output: whoever has read that may send signals. */
static void prepare_for_signals(const char *what)
{
    if (!strcmp(what, "stay"))
        signal(SIGTERM, on_term);
    if (!strcmp(what, "stubborn"))
        signal(SIGTERM, SIG_IGN);
}

int main(int argc, char **argv)
{
    int used = rte_eal_init(argc, argv);
    if (used < 0)
        return 1;
    const char *what = used + 1 < argc ? argv[used + 1] : "";
    prepare_for_signals(what);
    printf("ports %d\n", rte_eth_dev_count_avail());
    fflush(stdout);
    do_as_told(what, used + 2 < argc ? argv[used + 2] : "");
    return rte_eal_cleanup() ? 1 : 0;
}
