/* stack.c - see stack.h. */
#include "stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include "../../host-lib/tcp/stream.h"
#include "../../host-lib/wire/checksum.h"
#include "ip_input.h"
#include "sysctl.h"

#define MBUFS      8192
#define START_US   (1000ull * 1000000) /* any instant will do, but 0 is not one */
#define FIRST_PORT 40000

static void die(const char *what, const char *why)
{
    fprintf(stderr, "conformance: %s: %s\n", what, why);
    exit(2);
}

/* --- what the stack sends
 * ------------------------------------------------------------------ */

static void verify_checksums(const struct packet *packet, const struct nb_flow_key *key)
{
    unsigned ip_bytes = key->family == NB_FAMILY_IPV4 ? 20 : 40;
    uint64_t sum = nb_checksum_pseudo(key, (uint32_t)(packet->n - ip_bytes));
    sum = nb_checksum_add(sum, packet->bytes + ip_bytes, packet->n - ip_bytes);
    if (nb_checksum_fold(sum) != 0xffff)
        die("a packet was sent", "its TCP checksum is wrong");
}

static void output(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *m)
{
    struct stack *stack = arg;
    (void)path;
    if (stack->closed) {
        rte_pktmbuf_free(m);
        return;
    }
    struct packet *packet = malloc(sizeof *packet + m->pkt_len);
    packet->next = NULL;
    packet->sent_us = stack->clock.now_us;
    packet->n = 0;
    for (const struct rte_mbuf *part = m; part; part = part->next) {
        memcpy(packet->bytes + packet->n, rte_pktmbuf_mtod(part, const void *), part->data_len);
        packet->n += part->data_len;
    }
    rte_pktmbuf_free(m);
    verify_checksums(packet, key);
    *stack->last_packet = packet;
    stack->last_packet = &packet->next;
}

static bool room(void *arg, const struct nb_flow_key *key)
{
    (void)key;
    return !((struct stack *)arg)->closed;
}

struct packet *stack_take(struct stack *stack)
{
    struct packet *packet = stack->first_packet;
    if (!packet)
        return NULL;
    stack->first_packet = packet->next;
    if (!stack->first_packet)
        stack->last_packet = &stack->first_packet;
    return packet;
}

/* --- events of TCP, passed on to the sockets
 * ----------------------------------------------- */

static struct nb_sockets *sockets_of(void *arg)
{
    return ((struct stack *)arg)->sockets;
}

static bool accepted(void *arg, struct nb_tcb *tcb)
{
    return nb_sockets_on_accepted(sockets_of(arg), tcb);
}

static void connected(void *arg, struct nb_tcb *tcb)
{
    nb_sockets_on_connected(sockets_of(arg), tcb);
}

static void data(void *arg, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    nb_sockets_on_data(sockets_of(arg), tcb, m);
}

static void urgent(void *arg, struct nb_tcb *tcb, uint32_t ahead)
{
    nb_sockets_on_urgent(sockets_of(arg), tcb, ahead);
}

static void writable(void *arg, struct nb_tcb *tcb)
{
    nb_sockets_on_writable(sockets_of(arg), tcb);
}

static void progress(void *arg, struct nb_tcb *tcb)
{
    nb_sockets_on_progress(sockets_of(arg), tcb);
}

static void soft_error(void *arg, struct nb_tcb *tcb, int error)
{
    nb_sockets_on_soft_error(sockets_of(arg), tcb, error);
}

static bool accepting(void *arg, void *listener_user)
{
    (void)arg;
    return nb_sockets_accepting(listener_user);
}

static void peer_closed(void *arg, struct nb_tcb *tcb)
{
    nb_sockets_on_peer_closed(sockets_of(arg), tcb);
}

static void closed(void *arg, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    nb_sockets_on_closed(sockets_of(arg), tcb, reason);
}

/* --- what the sockets need
 * ----------------------------------------------------------------- */

static uint64_t now_us(void *arg)
{
    return ((struct stack *)arg)->clock.now_us;
}

static int wait(void *arg, struct nb_sock_sleep *sleep, uint64_t deadline_us)
{
    return clock_wait(&((struct stack *)arg)->clock, sleep, deadline_us);
}

static void wake(void *arg, struct nb_sock_sleep *sleep)
{
    clock_wake(&((struct stack *)arg)->clock, sleep);
}

static int route(void *arg, struct nb_flow_key *key, unsigned attempt)
{
    struct stack *stack = arg;
    const struct nb_addr any = {{0}};
    (void)attempt;
    if (memcmp(&key->local, &any, sizeof any) == 0)
        key->local = key->family == NB_FAMILY_IPV4 ? stack->local4 : stack->local6;
    if (!key->local_port)
        key->local_port = stack->next_port++;
    return 0;
}

/* A descriptor that is real, so that packetdrill may close() it behind our back. */
static int fd_reserve(void *arg)
{
    int fd = socket(((struct stack *)arg)->kernel_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    return fd;
}

/* --- life
 * ---------------------------------------------------------------------------------- */

static void start_eal(void)
{
    static char *args[] = {"conformance", "--no-huge",        "--no-pci",       "--no-shconf",    "-m",
                           "64",          "--lcores=0@(0-1)", "--no-telemetry", "--iova-mode=va", "--log-level=4"};
    if (rte_eal_init(RTE_DIM(args), args) < 0)
        die("rte_eal_init", rte_strerror(rte_errno));
}

static void read_flag(struct stack *stack, char *flag)
{
    char *value = strchr(flag, '=');
    if (!value)
        die("--so_flags: local4=, local6= and mtu= are known, not", flag);
    *value++ = '\0';
    if (strcmp(flag, "local4") == 0 && inet_pton(AF_INET, value, &stack->local4) == 1)
        return;
    if (strcmp(flag, "local6") == 0 && inet_pton(AF_INET6, value, &stack->local6) == 1)
        return;
    if (strcmp(flag, "mtu") == 0 && atoi(value) >= 1280 && atoi(value) <= 9000) {
        stack->mtu_bytes = (uint16_t)atoi(value);
        return;
    }
    die("--so_flags: cannot read the value of", flag);
}

static void read_flags(struct stack *stack, const char *flags)
{
    char *copy = strdup(flags ? flags : ""), *rest = copy;
    for (char *flag; (flag = strsep(&rest, ","));) {
        if (*flag)
            read_flag(stack, flag);
    }
    free(copy);
}

static void make_tcp(struct stack *stack)
{
    const struct nb_tcp_env env = {
        .arg = stack,
        .output = output,
        .room = room,
        .accepted = accepted,
        .connected = connected,
        .data = data,
        .urgent = urgent,
        .writable = writable,
        .progress = progress,
        .soft_error = soft_error,
        .accepting = accepting,
        .peer_closed = peer_closed,
        .closed = closed,
    };
    const struct nb_tcp_config config = {
        .limits = {.connections = 256,
                   .time_wait = 256,
                   .half_open = 256,
                   .send_buffer_bytes = 4 << 20,
                   .recv_buffer_bytes = 1 << 20,
                   .mbufs = MBUFS},
        .mempool = stack->pool,
        .flows = stack->flows,
        .mtu_bytes = stack->mtu_bytes,
    };
    stack->tcp = nb_tcp_new(&config, &env, stack->clock.now_us);
}

static void make_sockets(struct stack *stack)
{
    const struct nb_sockets_env env = {
        .arg = stack, .now_us = now_us, .wait = wait, .wake = wake, .route = route, .fd_reserve = fd_reserve};
    const struct nb_sockets_config config = {
        .max_sockets = 256, .max_files = STACK_FILES, .max_epolls = 16, .max_watches = 256};
    stack->sockets = nb_sockets_new(&config, &env);
}

static uint64_t next_us(void *arg)
{
    return nb_tcp_next_us(((struct stack *)arg)->tcp);
}

static void advance(void *arg, uint64_t at_us)
{
    nb_tcp_advance(((struct stack *)arg)->tcp, at_us);
}

struct stack *stack_new(const char *flags)
{
    struct stack *stack = calloc(1, sizeof *stack);
    start_eal();
    stack->mtu_bytes = 1500;
    stack->next_port = FIRST_PORT;
    stack->kernel_family = AF_INET;
    stack->last_packet = &stack->first_packet;
    inet_pton(AF_INET, "192.168.0.1", &stack->local4);
    inet_pton(AF_INET6, "fd3d:0a0b:17d6::1", &stack->local6);
    read_flags(stack, flags);
    clock_init(&stack->clock, START_US, stack, next_us, advance);
    stack->pool = rte_pktmbuf_pool_create("conformance", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    stack->flows = nb_flow_table_new(1024, (const uint64_t[2]){1, 2});
    if (!stack->pool || !stack->flows)
        die("starting", "out of memory");
    make_tcp(stack);
    make_sockets(stack);
    if (!stack->tcp || !stack->sockets)
        die("starting", "out of memory");
    nb_sockets_set_tcp(stack->sockets, stack->tcp);
    stack_read_settings(stack);
    return stack;
}

void stack_free(struct stack *stack)
{
    struct packet *packet;
    while ((packet = stack_take(stack)))
        free(packet);
    nb_sockets_free(stack->sockets);
    nb_tcp_free(stack->tcp);
    nb_flow_table_free(stack->flows);
    if (rte_mempool_in_use_count(stack->pool) != 0)
        die("at the end", "packet buffers are missing");
    rte_mempool_free(stack->pool);
    free(stack);
}

/* A file in which a shim notes something for us. */
static const char *shims_file(const char *name)
{
    static char path[4096];
    const char *directory = getenv("NB_CONFORMANCE_DIR");
    snprintf(path, sizeof path, "%s/%s", directory ? directory : "/nonexistent", name);
    return path;
}

static void read_qdisc(struct stack *stack)
{
    char word[16] = "";
    FILE *file = fopen(shims_file("qdisc"), "r");
    if (file && fscanf(file, "%15s", word) < 1)
        word[0] = '\0';
    if (file)
        fclose(file);
    stack->closed = strcmp(word, "closed") == 0;
    nb_tcp_settings(stack->tcp)->pacing = strcmp(word, "fq") == 0;
}

void stack_read_settings(struct stack *stack)
{
    struct stat st;
    sysctl_read(nb_tcp_settings(stack->tcp));
    read_qdisc(stack);
    if (stat(shims_file("tcp_metrics"), &st) < 0 || st.st_size == stack->flushes)
        return;
    stack->flushes = st.st_size;
    nb_tcp_forget_destinations(stack->tcp);
}

/* Counters as nstat(8) knows them, for its shim. */
static void write_counters(struct stack *stack)
{
    static const struct {
        const char *name;
        enum nb_counter counter;
    } rows[] = {{"TcpExtOutOfWindowIcmps", NB_COUNTER_DROP_ICMP_STALE}};
    FILE *file = fopen(shims_file("counters"), "w");
    for (unsigned i = 0; file && i < RTE_DIM(rows); i++)
        fprintf(file, "%s %llu\n", rows[i].name, (unsigned long long)nb_tcp_counters(stack->tcp)[rows[i].counter]);
    if (file)
        fclose(file);
}

void stack_flush(struct stack *stack)
{
    nb_tcp_flush(stack->tcp, stack->clock.now_us);
}

/* --- what the stack receives
 * --------------------------------------------------------------- */

static struct rte_mbuf *to_mbuf(struct stack *stack, const void *bytes, size_t n)
{
    struct rte_mbuf *head = NULL, *tail = NULL;
    for (const char *from = bytes; n > 0;) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(stack->pool);
        if (!m)
            die("a packet arrived", "no buffer for it");
        size_t part = RTE_MIN(n, (size_t)rte_pktmbuf_tailroom(m));
        memcpy(rte_pktmbuf_append(m, (uint16_t)part), from, part);
        from += part;
        n -= part;
        if (!head) {
            head = m;
        } else {
            tail->next = m;
            head->nb_segs++;
            head->pkt_len += (uint32_t)part;
        }
        tail = m;
    }
    return head;
}

bool stack_input(struct stack *stack, const void *bytes, size_t n)
{
    struct rte_mbuf *m = n ? to_mbuf(stack, bytes, n) : NULL;
    if (!m)
        return false;
    stack_read_settings(stack);
    bool ok = ip_input(stack, m);
    stack_flush(stack);
    write_counters(stack);
    return ok;
}
