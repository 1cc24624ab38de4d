/* port_search.c - local ports whose packets RSS brings to a wanted queue, found by solving instead of trying.
 *
 * Theory of operation. Toeplitz is linear over GF(2): hash(tuple) = rest ^ M * port, where rest is the hash with port 0
 * and M has one column per port bit. A port leads to bucket b of the RETA when the low bits of M * port equal those of
 * rest ^ b: a linear system of at most 9 equations in 16 unknowns. It is solved once for a key, by building an echelon
 * basis from the columns in order of port bit 0, 1, 2 ..., each basis vector with the port bits that make it; a column
 * that reduces to zero gives port bits that change nothing, a null vector.
 *
 * One solution plus every combination of null vectors gives all solutions. A port range is cut into aligned blocks of
 * 2^k ports; within a block only port bits 0..k-1 are free, and because the basis was built in that order, its solution
 * is the same basis without the vectors that needed a higher bit.
 *
 * The candidates of a search are numbered (block, bucket, combination of null vectors) and visited in the order of a
 * small keyed permutation (a Feistel network, walked past numbers that are too large), so that seeing some ports does
 * not tell the next one.
 */
#include <string.h>

#include <netbypass/rss.h>

static void add_column(struct nb_port_solver *s, unsigned port_bit)
{
    uint32_t v = s->column[port_bit] & s->mask;
    uint16_t ports = (uint16_t)(1u << port_bit);

    while (v) {
        int high = 31 - __builtin_clz(v);
        if (!s->pivot[high]) {
            s->pivot[high] = v;
            s->pivot_ports[high] = ports;
            s->pivot_order[high] = (uint8_t)port_bit;
            return;
        }
        v ^= s->pivot[high];
        ports ^= s->pivot_ports[high];
    }
    s->null[s->n_null] = ports;
    s->null_order[s->n_null++] = (uint8_t)port_bit;
}

void nb_port_solver_init(struct nb_port_solver *solver, const struct nb_toeplitz *toeplitz, bool ipv6,
                         unsigned reta_bits)
{
    size_t at = ipv6 ? 34 : 10; /* of the destination port in the hash input */

    memset(solver, 0, sizeof *solver);
    solver->mask = (1u << reta_bits) - 1;
    for (unsigned bit = 0; bit < 16; bit++) {
        solver->column[bit] = bit < 8 ? toeplitz->table[at + 1][1u << bit] : toeplitz->table[at][1u << (bit - 8)];
        add_column(solver, bit);
    }
}

/* Port bits below `bits` that change the hash by `target` (its masked part), or -1. */
static int solve(const struct nb_port_solver *s, unsigned bits, uint32_t target)
{
    uint16_t ports = 0;

    target &= s->mask;
    while (target) {
        int high = 31 - __builtin_clz(target);
        if (!s->pivot[high] || s->pivot_order[high] >= bits)
            return -1;
        target ^= s->pivot[high];
        ports ^= s->pivot_ports[high];
    }
    return ports;
}

static uint32_t change(const struct nb_port_solver *s, uint16_t port)
{
    uint32_t hash = 0;

    for (unsigned bit = 0; bit < 16; bit++)
        if (port >> bit & 1)
            hash ^= s->column[bit];
    return hash;
}

/* Cut the range into aligned blocks, as CIDR cuts an address range into prefixes. */
static void cut_range(struct nb_port_search *search, uint32_t first, uint32_t last)
{
    const struct nb_port_solver *s = search->solver;

    while (first <= last) {
        unsigned bits = first ? (unsigned)__builtin_ctz(first) : 16;
        while (first + (1u << bits) - 1 > last)
            bits--;
        uint8_t n_null = 0;
        while (n_null < s->n_null && s->null_order[n_null] < bits)
            n_null++;
        unsigned i = search->n_blocks++;
        search->block[i].base = (uint16_t)first;
        search->block[i].bits = (uint8_t)bits;
        search->block[i].n_null = n_null;
        search->block[i].first = search->total;
        search->total += search->n_buckets << n_null;
        first += 1u << bits;
    }
}

void nb_port_search_start(struct nb_port_search *search, const struct nb_port_solver *solver,
                          const struct nb_toeplitz *toeplitz, const struct nb_reta *reta, const struct nb_tuple *tuple,
                          uint16_t queue, uint16_t first_port, uint16_t last_port, uint64_t secret)
{
    struct nb_tuple without_port = *tuple;

    memset(search, 0, sizeof *search);
    without_port.dst_port = 0;
    search->solver = solver;
    search->rest = nb_toeplitz_tuple(toeplitz, &without_port);
    search->secret = secret;
    if (queue < NB_RETA_SIZE_MAX) {
        search->bucket = reta->bucket + reta->first[queue];
        search->n_buckets = (uint32_t)(reta->first[queue + 1] - reta->first[queue]);
    }
    cut_range(search, first_port, last_port);
    while (1u << search->walk_bits < search->total)
        search->walk_bits += 2; /* the Feistel network wants two equal halves */
}

/* splitmix64's finaliser: every input bit changes every output bit. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

#define FEISTEL_ROUNDS 4 /* enough for a pseudo-random permutation (Luby and Rackoff, 1988) */

/* A permutation of the numbers below 2^walk_bits. */
static uint32_t permute(const struct nb_port_search *search, uint32_t x)
{
    unsigned half = search->walk_bits / 2;
    uint32_t low_mask = (1u << half) - 1, left = x >> half, right = x & low_mask;

    for (uint64_t round = 0; round < FEISTEL_ROUNDS; round++) {
        uint32_t f = (uint32_t)mix(mix(search->secret + round * 0x9e3779b97f4a7c15) ^ right) & low_mask;
        uint32_t next = left ^ f;
        left = right;
        right = next;
    }
    return left << half | right;
}

/* The port of candidate number i, or -1 where its bucket cannot be reached from its block. */
static int candidate(const struct nb_port_search *search, uint32_t i)
{
    const struct nb_port_solver *s = search->solver;
    unsigned b = search->n_blocks - 1;

    while (search->block[b].first > i)
        b--;
    i -= search->block[b].first;
    uint32_t bucket = search->bucket[i >> search->block[b].n_null];
    uint16_t base = search->block[b].base;
    int low = solve(s, search->block[b].bits, search->rest ^ change(s, base) ^ bucket);
    if (low < 0)
        return -1;
    for (unsigned k = 0; k < search->block[b].n_null; k++)
        if (i >> k & 1)
            low ^= s->null[k];
    return base + low;
}

int nb_port_search_next(struct nb_port_search *search)
{
    while (search->at < search->total) {
        uint32_t i = permute(search, search->walk++ & ((1u << search->walk_bits) - 1));
        if (i >= search->total)
            continue;
        search->at++;
        int port = candidate(search, i);
        if (port >= 0)
            return port;
    }
    return -1;
}
