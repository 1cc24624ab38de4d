/* lwip_end.c - lwIP's raw API as an end, over the same net_memif: one thread, frames copied between pbufs and mbufs. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/ip4_addr.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <rte_mbuf.h>

#include "memif.h"
#include "rate.h"

#define BURST           32
#define TURNS_PER_TIMER 64
#define TURNS_PER_CHECK 1024

static struct rate_arguments arguments;
static struct rate_report *report;
static struct rte_mempool *pool;
static uint16_t port;
static struct rte_mbuf *out[BURST];
static unsigned n_out;
static const char message[RATE_BYTES] = "message";
static bool over;
static struct tcp_pcb *idle[RATE_CONNECTIONS]; /* paced: connections without a request under way */
static unsigned n_idle;

/* --- the interface ------------------------------------------------------------------------------------------------ */

static void flush(void)
{
    memif_tx(port, out, n_out);
    n_out = 0;
}

static err_t output(struct netif *netif, struct pbuf *p)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    char *to = m ? rte_pktmbuf_append(m, p->tot_len) : NULL;

    (void)netif;
    if (!to)
        return ERR_MEM;
    pbuf_copy_partial(p, to, p->tot_len, 0);
    out[n_out++] = m;
    if (n_out == BURST)
        flush();
    return ERR_OK;
}

static err_t init(struct netif *netif)
{
    memif_mac(port, netif->hwaddr);
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    netif->linkoutput = output;
    netif->output = etharp_output;
    return ERR_OK;
}

static void start_interface(struct netif *netif)
{
    ip4_addr_t address, mask, gateway = {0};

    ip4addr_aton(arguments.server ? RATE_SERVER : RATE_CLIENT, &address);
    ip4addr_aton("255.255.255.0", &mask);
    netif_add(netif, &address, &mask, &gateway, NULL, init, ethernet_input);
    netif_set_default(netif);
    netif_set_up(netif);
}

static void input(struct netif *netif)
{
    struct rte_mbuf *m[BURST];
    unsigned n = memif_rx(port, m, BURST);

    for (unsigned i = 0; i < n; i++) {
        struct pbuf *p = pbuf_alloc(PBUF_RAW, m[i]->data_len, PBUF_POOL);

        if (p) {
            pbuf_take(p, rte_pktmbuf_mtod(m[i], void *), m[i]->data_len);
            if (netif->input(p, netif) != ERR_OK)
                pbuf_free(p);
        }
        rte_pktmbuf_free(m[i]);
    }
}

/* --- server ------------------------------------------------------------------------------------------------------- */

static void end_connection(struct tcp_pcb *pcb)
{
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    if (tcp_close(pcb) != ERR_OK)
        tcp_abort(pcb);
}

static err_t serve_data(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg, (void)err;
    if (!p) {
        end_connection(pcb);
        return ERR_OK;
    }
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    if (arguments.mode == RATE_BULK)
        return ERR_OK;
    tcp_write(pcb, message, sizeof message, TCP_WRITE_FLAG_COPY);
    if (arguments.mode == RATE_SHORT)
        end_connection(pcb);
    else
        tcp_output(pcb);
    return ERR_OK;
}

static err_t serve_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg, (void)err;
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, serve_data);
    return ERR_OK;
}

static void listen_here(void)
{
    struct tcp_pcb *pcb = tcp_new();

    tcp_bind(pcb, IP_ADDR_ANY, RATE_PORT);
    pcb = tcp_listen_with_backlog(pcb, 255);
    tcp_accept(pcb, serve_accept);
}

/* --- client ------------------------------------------------------------------------------------------------------- */

static void open_one(void);

static void ask(struct tcp_pcb *pcb, uint64_t start_ns)
{
    tcp_arg(pcb, (void *)start_ns);
    tcp_write(pcb, message, sizeof message, TCP_WRITE_FLAG_COPY);
    tcp_output(pcb);
}

/* The connection has nothing under way. */
static void next(struct tcp_pcb *pcb)
{
    if (arguments.mode == RATE_PACED)
        idle[n_idle++] = pcb;
    else
        ask(pcb, arguments.mode == RATE_PINGPONG ? rate_now_ns() : 0);
}

static void ask_what_is_due(void)
{
    uint64_t due_ns;

    while (n_idle && (due_ns = rate_due(report)))
        ask(idle[--n_idle], due_ns);
}

static err_t send_bulk(void *arg, struct tcp_pcb *pcb, uint16_t n)
{
    static const char chunk[TCP_MSS];

    (void)arg, (void)n;
    while (tcp_sndbuf(pcb) >= sizeof chunk && tcp_write(pcb, chunk, sizeof chunk, 0) == ERR_OK)
        rate_bytes(report, sizeof chunk);
    return tcp_output(pcb);
}

static err_t client_data(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)err;
    if (!p) {
        end_connection(pcb);
        rate_count(report, 0);
        open_one();
        return ERR_OK;
    }
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    if (arguments.mode == RATE_SHORT)
        return ERR_OK;
    rate_count(report, (uintptr_t)arg);
    next(pcb);
    return ERR_OK;
}

static void client_error(void *arg, err_t err)
{
    (void)arg, (void)err;
    rate_error(report);
    open_one();
}

static err_t client_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg, (void)err;
    if (arguments.mode == RATE_BULK)
        return send_bulk(NULL, pcb, 0);
    next(pcb);
    return ERR_OK;
}

static void open_one(void)
{
    struct tcp_pcb *pcb = tcp_new();
    ip_addr_t to;

    if (!pcb) {
        rate_error(report);
        return;
    }
    ipaddr_aton(RATE_SERVER, &to);
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, client_data);
    tcp_err(pcb, client_error);
    tcp_sent(pcb, arguments.mode == RATE_BULK ? send_bulk : NULL);
    tcp_connect(pcb, &to, RATE_PORT, client_connected);
}

/* --- the program -------------------------------------------------------------------------------------------------- */

static bool input_ended(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;

    return poll(&in, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

int main(int argc, char **argv)
{
    struct netif netif = {0};

    arguments = rate_arguments(argc, argv, true);
    memif_eal(&arguments);
    if (arguments.server) { /* the other side is started when we say so */
        puts("ready");
        fflush(stdout);
    }
    port = memif_port(&pool);
    lwip_init();
    start_interface(&netif);
    report = rate_begin(&arguments);
    if (arguments.server)
        listen_here();
    for (unsigned i = 0; !arguments.server && i < rate_connections(arguments.mode); i++)
        open_one();
    for (unsigned turn = 0; !over; turn++) {
        input(&netif);
        if (turn % TURNS_PER_TIMER == 0)
            sys_check_timeouts();
        if (!arguments.server && arguments.mode == RATE_PACED)
            ask_what_is_due();
        if (n_out)
            flush();
        if (!arguments.server)
            over = rate_over(report);
        else if (turn % TURNS_PER_CHECK == 0)
            over = input_ended();
    }
    return arguments.server ? 0 : rate_print(report);
}
