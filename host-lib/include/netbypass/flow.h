/* flow.h - a flow: a TCP connection as the NIC sees it (local side first, as this host sees it). */
#ifndef NETBYPASS_FLOW_H
#define NETBYPASS_FLOW_H

#include <assert.h>
#include <stdint.h>

/* An address of either family, network byte order; IPv4 lies in word 0 with the other words 0. */
struct nb_addr {
    uint32_t word[4];
};

enum nb_family { NB_FAMILY_IPV4 = 4, NB_FAMILY_IPV6 = 6 };

/* Compared and hashed as bytes, so every byte is meaningful: zero the struct before filling it. */
struct nb_flow_key {
    struct nb_addr local, remote; /* network byte order */
    uint16_t local_port;          /* host byte order */
    uint16_t remote_port;         /* host byte order */
    uint16_t vlan;                /* VLAN id, 0 = untagged */
    uint8_t port_group;           /* which group of ports (they share one RSS key and RETA); today each port is one */
    uint8_t family;               /* enum nb_family */
};
static_assert(sizeof(struct nb_flow_key) == 40, "hashed as five 64-bit words");

/* A flow's id is its first worker's number above this bit and a serial number below: unique for the life of a runtime
 * (2^47 connections are four years of a million per second) and, with NB_MAX_WORKERS 64, below 2^53, so that it
 * survives JSON readers that keep every number as a double. */
#define NB_FLOW_ID_WORKER_BIT 47

#endif
