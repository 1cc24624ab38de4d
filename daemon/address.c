/* address.c - see address.h. */
#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned family_bits(uint8_t family)
{
    return family == NB_FAMILY_IPV6 ? 128 : 32;
}

/* A decimal number without sign, space or leading zeros, up to max. */
static bool number_parse(const char *text, unsigned max, unsigned *out)
{
    unsigned value = 0;

    if (!*text || (text[0] == '0' && text[1]))
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > max)
            return false;
    }
    *out = value;
    return true;
}

bool nb_addr_parse(const char *text, struct nb_addr *out, uint8_t *family)
{
    struct nb_addr address = {0};
    bool six = strchr(text, ':') != NULL;

    if (inet_pton(six ? AF_INET6 : AF_INET, text, address.word) != 1)
        return false;
    *out = address;
    *family = six ? NB_FAMILY_IPV6 : NB_FAMILY_IPV4;
    return true;
}

/* "10" -> "10.0.0.0", with the bits that were written; what has four parts already stays as it is. */
static bool widen(const char *text, char out[NB_ADDR_TEXT_MAX], unsigned *bits)
{
    unsigned parts = 1;

    for (const char *p = text; *p; p++)
        parts += *p == '.';
    if (strchr(text, ':'))
        parts = 4;
    int n = snprintf(out, NB_ADDR_TEXT_MAX, "%s%s", text,
                     parts == 1   ? ".0.0.0"
                     : parts == 2 ? ".0.0"
                     : parts == 3 ? ".0"
                                  : "");
    *bits = parts * 8;
    return n > 0 && n < NB_ADDR_TEXT_MAX;
}

bool nb_prefix_parse(const char *text, struct nb_prefix *out)
{
    char wide[NB_ADDR_TEXT_MAX], address[NB_ADDR_TEXT_MAX];
    struct nb_prefix prefix = {0};
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    unsigned bits;

    if (n >= sizeof address)
        return false;
    memcpy(address, text, n);
    address[n] = 0;
    if (!widen(address, wide, &bits) || !nb_addr_parse(wide, &prefix.address, &prefix.family))
        return false;
    if (prefix.family == NB_FAMILY_IPV6)
        bits = 128;
    if (slash && !number_parse(slash + 1, family_bits(prefix.family), &bits))
        return false;
    prefix.bits = (uint8_t)bits;
    *out = prefix;
    return true;
}

bool nb_endpoint_parse(const char *text, struct nb_endpoint *out)
{
    char address[NB_ADDR_TEXT_MAX];
    struct nb_endpoint endpoint = {0};
    const char *colon = strrchr(text, ':'), *from = text, *to = colon;
    unsigned port;

    if (!colon || !number_parse(colon + 1, UINT16_MAX, &port) || port == 0)
        return false;
    bool brackets = *from == '[';
    if (brackets) {
        if (to == from || to[-1] != ']')
            return false;
        from++;
        to--;
    }
    if (to < from || (size_t)(to - from) >= sizeof address)
        return false;
    memcpy(address, from, (size_t)(to - from));
    address[to - from] = 0;
    if (!nb_addr_parse(address, &endpoint.address, &endpoint.family) || brackets != (endpoint.family == NB_FAMILY_IPV6))
        return false;
    endpoint.port = (uint16_t)port;
    *out = endpoint;
    return true;
}

void nb_addr_text(uint8_t family, const struct nb_addr *address, char out[NB_ADDR_TEXT_MAX])
{
    if (!inet_ntop(family == NB_FAMILY_IPV6 ? AF_INET6 : AF_INET, address->word, out, NB_ADDR_TEXT_MAX))
        out[0] = 0;
}

void nb_endpoint_text(uint8_t family, const struct nb_addr *address, uint16_t port, char out[NB_ENDPOINT_TEXT_MAX])
{
    char text[NB_ADDR_TEXT_MAX];

    nb_addr_text(family, address, text);
    snprintf(out, NB_ENDPOINT_TEXT_MAX, family == NB_FAMILY_IPV6 ? "[%s]:%u" : "%s:%u", text, port);
}

bool nb_prefix_contains(const struct nb_prefix *prefix, uint8_t family, const struct nb_addr *address)
{
    if (family != prefix->family)
        return false;
    for (unsigned word = 0, left = prefix->bits; left; word++) {
        unsigned bits = left < 32 ? left : 32;
        uint32_t mask = bits == 32 ? UINT32_MAX : htonl(~(UINT32_MAX >> bits));
        if ((prefix->address.word[word] ^ address->word[word]) & mask)
            return false;
        left -= bits;
    }
    return true;
}
