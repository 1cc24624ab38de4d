/* stepped_port.h - the simulated 82599 in stepped time with one DPDK port on it, and frames to give it: what the tests
 * of this folder share. One port is probed and serves all tests of a program.
 */
#ifndef STEPPED_PORT_H
#define STEPPED_PORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netbypass/nicsim.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#define RING  64
#define MBUFS 4095
#define FRAME 60
#define MAC                                                                                                            \
    {                                                                                                                  \
        0x02, 0x82, 0x59, 0, 0, 1                                                                                      \
    }

static struct nb_nicsim *nic;
static struct rte_mempool *pool;

/* Called by the sanitizer's runtime, which otherwise has no words to hear. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allow_user_segv_handler=1:verify_asan_link_order=0:detect_leaks=0";
}

/* --- the port ----------------------------------------------------------------------------------------------------- */

static inline void configure_port(uint16_t queues, uint64_t rx_offloads)
{
    struct rte_eth_rxconf rx = {.rx_drop_en = 1, .offloads = rx_offloads};
    struct rte_eth_conf port = {
        .rxmode = {.mq_mode = RTE_ETH_MQ_RX_RSS, .offloads = rx_offloads},
        .rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP,
    };
    assert_int_equal(rte_eth_dev_configure(0, queues, queues, &port), 0);
    for (uint16_t q = 0; q < queues; q++) {
        assert_int_equal(rte_eth_rx_queue_setup(0, q, RING, SOCKET_ID_ANY, &rx, pool), 0);
        assert_int_equal(rte_eth_tx_queue_setup(0, q, RING, SOCKET_ID_ANY, NULL), 0);
    }
    assert_int_equal(rte_eth_dev_start(0), 0);
}

static inline int start_port(uint16_t queues, uint64_t rx_offloads)
{
    const struct nb_nicsim_config config = {"82599", queues, MAC};
    char *argv[] = {"test", "-l", "0", "--log-level=*:4", "--no-telemetry", NULL};
    char why[NB_NICSIM_WHY_MAX];
    nic = nb_nicsim_new(&config, why);
    if (!nic)
        fail_msg("%s", why);
    assert_true(rte_eal_init(5, argv) >= 0);
    assert_int_equal(rte_eth_dev_count_avail(), 1);
    pool = rte_pktmbuf_pool_create("frames", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    assert_non_null(pool);
    configure_port(queues, rx_offloads);
    return 0;
}

static inline int stop_port(void **state)
{
    (void)state;
    rte_eth_dev_stop(0);
    rte_eth_dev_close(0);
    return rte_eal_cleanup();
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

static inline void put16(uint8_t *p, uint16_t v)
{
    p[0] = v >> 8;
    p[1] = v;
}

/* TCP 10.0.0.1:sport > 10.0.0.2:80, checksums left at zero. */
static inline void make_frame(uint8_t frame[FRAME], uint16_t sport)
{
    static const uint8_t head[] = {2,    0x82, 0x59, 0,  0, 1, 2,    0, 0,  0, 0, 0x99, 8,  0, /* Ethernet */
                                   0x45, 0,    0,    40, 0, 0, 0x40, 0, 64, 6, 0, 0,    10, 0, 0, 1, 10, 0, 0, 2};
    memset(frame, 0, FRAME);
    memcpy(frame, head, sizeof head);
    put16(frame + 34, sport);
    put16(frame + 36, 80);
    frame[46] = 0x50;
    frame[47] = 0x10;
}

static inline struct nb_nicsim_verdict inject(uint16_t sport)
{
    uint8_t frame[FRAME];
    make_frame(frame, sport);
    return nb_nicsim_inject(nic, frame, sizeof frame);
}

/* RFC 1071 over n bytes, an even number but for the last; the sum so far in, the checksum out. */
static inline uint16_t checksum(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

#endif
