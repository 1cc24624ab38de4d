/* address.h - addresses, prefixes and endpoints as people write them.
 *
 * IPv6 endpoints carry brackets ("[fd99::2]:80"). Prefixes may be written short, as iproute2 takes them ("10/8").
 */
#ifndef NB_DAEMON_ADDRESS_H
#define NB_DAEMON_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netbypass/flow.h>

#define NB_ADDR_TEXT_MAX     46                     /* INET6_ADDRSTRLEN */
#define NB_ENDPOINT_TEXT_MAX (NB_ADDR_TEXT_MAX + 8) /* brackets, colon, five digits */

struct nb_prefix {
    struct nb_addr address; /* network byte order */
    uint8_t bits;
    uint8_t family; /* enum nb_family; 0: none given */
};

struct nb_endpoint {
    struct nb_addr address; /* all zero: any of ours */
    uint16_t port;          /* host byte order */
    uint8_t family;
};

/* The gateway for IPv6 as it may be configured. */
struct nb_gateway6 {
    struct nb_addr address; /* all zero: none, or automatic */
    bool automatic;
};

/* Each returns false, and leaves *out alone, when the text is anything but what its name says. */
bool nb_addr_parse(const char *text, struct nb_addr *out, uint8_t *family);
bool nb_prefix_parse(const char *text, struct nb_prefix *out); /* an address alone is a prefix of all its bits */
bool nb_endpoint_parse(const char *text, struct nb_endpoint *out);

void nb_addr_text(uint8_t family, const struct nb_addr *address, char out[NB_ADDR_TEXT_MAX]);
void nb_endpoint_text(uint8_t family, const struct nb_addr *address, uint16_t port, char out[NB_ENDPOINT_TEXT_MAX]);

bool nb_prefix_contains(const struct nb_prefix *prefix, uint8_t family, const struct nb_addr *address);

#endif
