/* main.c - nicsim: run a DPDK program on a simulated NIC, or talk to one that runs (nicsim ctl).
 */
#include "launch.h"
#include "register_list.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int complain(const struct sim_error *err, int code)
{
    fprintf(stderr, "nicsim: %s\n", err->text);
    return code;
}

/* End as the program did: its exit status, or its signal (without a second core file). */
static int end_like(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, WTERMSIG(status));
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    return 128 + WTERMSIG(status);
}

static int run(const struct sim_options *options)
{
    struct sim_launch launch;
    struct sim_error err = {""};
    int status = -1, code = sim_launch_acquire(&launch, options, &err);
    if (!code)
        status = sim_launch_run(&launch, &code, &err);
    sim_launch_release(&launch);
    if (status < 0)
        return complain(&err, code);
    return end_like(status);
}

int main(int argc, char **argv)
{
    struct sim_options options;
    struct sim_error err = {""};
    if (argc > 1 && !strcmp(argv[1], "ctl"))
        return sim_ctl_main(argc - 1, argv + 1);
    if (sim_options_parse(&options, argc, argv, &err))
        return complain(&err, SIM_EXIT_USAGE);
    if (options.help) {
        sim_options_help(stdout);
        return 0;
    }
    if (options.registers) {
        sim_register_list_print(stdout, options.port[0].nic);
        return 0;
    }
    return run(&options);
}
