/* port_82599.h - the moves world over the simulated 82599 in stepped time, under DPDK's own driver: RSS, rules and
 * rings are the card's, rules are made by netbypassd's steering, turn by turn. One card in a process.
 */
#ifndef TESTS_MOVES_PORT_82599_H
#define TESTS_MOVES_PORT_82599_H

struct world_port;
extern const struct world_port world_82599;

#endif
