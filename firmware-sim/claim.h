/* claim.h - how the program under `nicsim` gets its NIC from the launcher.
 *
 * The launcher listens on DIR/claim. Whichever process of its program calls rte_eal_init first connects and receives
 * the configuration and the open descriptors; so a wrapper (env, timeout, a script, gdb) may stand between, and helpers
 * that the program starts get nothing. The connection stays open as a lifeline both ways: the launcher sees the program
 * end, the program sees the launcher gone.
 */
#ifndef SIM_CLAIM_H
#define SIM_CLAIM_H

#include "device.h"
#include "error.h"
#include "trace_filter.h"
#include "wire.h"

/* Environment that the launcher sets for its program, and the library takes away again once it has claimed the NIC. */
#define SIM_ENV_DIR "NICSIM"

#define SIM_CLAIM_VERSION 3
#define SIM_CLAIM_ENV_MAX 4096 /* bytes of an environment variable's former value */

enum sim_claim_fd {
    SIM_CLAIM_LOCK,    /* of the instance directory */
    SIM_CLAIM_CONTROL, /* listening */
    SIM_CLAIM_TRACE,
    SIM_CLAIM_WIRE, /* of each port, as many as a wire has */
    SIM_CLAIM_PCAP = SIM_CLAIM_WIRE + SIM_PORTS_MAX * SIM_WIRE_FDS,
    SIM_CLAIM_FDS = SIM_CLAIM_PCAP + SIM_PORTS_MAX,
};

struct sim_claim_port {
    char nic[32];
    struct sim_device_config device;
    char wire[SIM_WIRE_SPEC_MAX];
    struct sim_atr atr;
};

/* An environment variable as it was before nicsim changed it. */
struct sim_claim_env {
    char name[32];
    bool was_set;
    char value[SIM_CLAIM_ENV_MAX];
};

struct sim_claim {
    uint32_t version;
    char refused[256]; /* why the NIC is not to be had; "" when it is */
    unsigned ports;
    struct sim_claim_port port[SIM_PORTS_MAX];
    bool trace_registers;
    struct sim_trace_filter trace_filter;
    struct sim_claim_env restore[2]; /* LD_PRELOAD, ASAN_OPTIONS */
};

/* Launcher: a listening socket at DIR/claim, or -errno with words. */
int sim_claim_listen(const char *dir, struct sim_error *err);

/* Launcher: answer a connection. Descriptors of -1 are not sent. The caller keeps all of them. 0 or -errno. */
int sim_claim_answer(int connection, const struct sim_claim *claim, const int fds[SIM_CLAIM_FDS]);

/* Program: claim the NIC of DIR. Returns the lifeline, or -errno with words. All descriptors are close-on-exec. */
int sim_claim_take(const char *dir, struct sim_claim *claim, int fds[SIM_CLAIM_FDS], struct sim_error *err);

#endif
