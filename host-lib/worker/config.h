/* config.h - is a runtime configuration one that can work? */
#ifndef NB_WORKER_CONFIG_H
#define NB_WORKER_CONFIG_H

#include <netbypass/runtime.h>

#define NB_MTU_DEFAULT         1500
#define NB_MTU_MIN             68   /* RFC 791 */
#define NB_MTU_MAX             9000 /* what "jumbo frames" has come to mean */
#define NB_VLAN_MAX            4094 /* IEEE 802.1Q: 4095 is reserved */
#define NB_DESCRIPTORS_DEFAULT 512  /* a burst of 512 full frames is 400 us at 10 Gb/s: longer than a worker sleeps */

#define NB_MEMORY_HIGH_MAX 90 /* percent of the buffers: what is left receives and answers */

/* 0, or a negative errno with *err saying what is wrong and what would be accepted. */
int nb__config_check(const struct nb_runtime_config *config, struct nb_error *err);

/* The MTU of a port as configured. */
static inline uint16_t nb__config_mtu(const struct nb_port_config *port)
{
    return port->mtu_bytes ? port->mtu_bytes : NB_MTU_DEFAULT;
}

/* The family that a listener is of: IPv4 where none is said. */
static inline uint8_t nb__config_family(const struct nb_listener_config *listener)
{
    return listener->family == NB_FAMILY_IPV6 ? NB_FAMILY_IPV6 : NB_FAMILY_IPV4;
}

/* An address as text, for error messages. */
struct nb_address_text {
    char text[46]; /* INET6_ADDRSTRLEN */
};
struct nb_address_text nb__address_text(uint8_t family, const struct nb_addr *address);

#endif
