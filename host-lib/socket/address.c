/* address.c - see address.h. An AF_INET6 socket speaks IPv4 through ::ffff:a.b.c.d (RFC 4291 §2.5.5.2). */
#include "address.h"

#include <errno.h>
#include <string.h>

#include <netinet/in.h>

#define MAPPED_WORD 2 /* of the four: 0, 0, ffff, the IPv4 address */

bool nb__addr_is_any(const struct nb_addr *address)
{
    return !(address->word[0] | address->word[1] | address->word[2] | address->word[3]);
}

bool nb__addr_equal(const struct nb_addr *a, const struct nb_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void read_v6(struct nb_endpoint *endpoint, const struct in6_addr *address)
{
    struct nb_addr words;
    memcpy(&words, address, sizeof words);
    endpoint->family = NB_FAMILY_IPV6;
    endpoint->address = words;
    if (nb__addr_is_any(&words)) {
        endpoint->family = 0;
    } else if (IN6_IS_ADDR_V4MAPPED(address)) {
        endpoint->family = NB_FAMILY_IPV4;
        endpoint->address = (struct nb_addr){{words.word[3]}};
    }
}

int nb__endpoint_read(struct nb_endpoint *endpoint, bool v6, const struct sockaddr *address, socklen_t bytes)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    *endpoint = (struct nb_endpoint){0};
    if (!address)
        return -EFAULT;
    if (bytes < sizeof address->sa_family)
        return -EINVAL;
    if (address->sa_family == AF_INET && !v6) {
        if (bytes < sizeof in)
            return -EINVAL;
        memcpy(&in, address, sizeof in);
        endpoint->family = NB_FAMILY_IPV4;
        endpoint->address.word[0] = in.sin_addr.s_addr;
        endpoint->port = ntohs(in.sin_port);
        return 0;
    }
    if (address->sa_family != AF_INET6 || !v6)
        return bytes < sizeof in ? -EINVAL : -EAFNOSUPPORT;
    if (bytes < sizeof in6 - sizeof in6.sin6_scope_id) /* RFC 2133 had none; Linux still takes those */
        return -EINVAL;
    memset(&in6, 0, sizeof in6);
    memcpy(&in6, address, bytes < sizeof in6 ? bytes : sizeof in6);
    read_v6(endpoint, &in6.sin6_addr);
    endpoint->port = ntohs(in6.sin6_port);
    return 0;
}

void nb__copy_out(void *to, socklen_t *room, const void *from, socklen_t bytes)
{
    if (!to || !room)
        return;
    memcpy(to, from, *room < bytes ? *room : bytes);
    *room = bytes;
}

void nb__endpoint_write(const struct nb_endpoint *endpoint, bool v6, struct sockaddr *address, socklen_t *bytes)
{
    if (!v6) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
        in.sin_addr.s_addr = endpoint->address.word[0];
        nb__copy_out(address, bytes, &in, sizeof in);
        return;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
    struct nb_addr words = endpoint->address;
    if (endpoint->family == NB_FAMILY_IPV4) {
        words.word[3] = words.word[0];
        words.word[0] = 0;
        words.word[MAPPED_WORD] = htonl(0xffff);
    }
    memcpy(&in6.sin6_addr, &words, sizeof words);
    nb__copy_out(address, bytes, &in6, sizeof in6);
}
