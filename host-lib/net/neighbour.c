/* neighbour.c - the neighbour table; its theory of operation is in neighbour.h.
 *
 * Entries lie in one array, found through hash chains of indices (the hash is keyed: hosts on the link choose their
 * addresses). Entries that wait for an answer are on a list in the order of their deadlines, which is simply the order
 * in which they asked, because every wait is equally long.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <rte_jhash.h>
#include <rte_mbuf.h>

#include "neighbour.h"

#define BUCKETS     NB_NEIGHBOUR_MAX
#define PENDING_MAX (NB_NEIGHBOUR_MAX / 2) /* INCOMPLETE entries: questions must not push out answers */
#define NO_ENTRY    UINT16_MAX

static_assert(NB_NEIGHBOUR_MAX < NO_ENTRY, "entries are linked by 16-bit index");
static_assert((BUCKETS & (BUCKETS - 1)) == 0, "the hash is masked");

enum state { STATE_FREE, STATE_INCOMPLETE, STATE_REACHABLE, STATE_PROBE };

struct entry {
    uint32_t hint; /* who has this one means us as we are; another each time the entry begins anew */
    struct nb_addr address;
    uint16_t link; /* port and family */
    uint8_t mac[NB_MAC_BYTES];
    uint8_t state; /* enum state */
    uint8_t tries; /* questions asked */
    uint8_t queued;
    bool used;     /* since the clock hand came by */
    uint16_t next; /* in its bucket or the free list */
    uint64_t confirmed_at_us;
    uint64_t retry_at_us;
    TAILQ_ENTRY(entry) waiting;
    struct rte_mbuf *queue[NB_NEIGHBOUR_QUEUE];
};

struct nb_neighbours {
    struct nb_neighbour_env env;
    uint32_t secret;
    uint32_t count, incomplete;
    uint32_t queued; /* packets that wait, in all entries */
    uint32_t generation;
    uint16_t free, hand;
    TAILQ_HEAD(waiting_list, entry) waiting;
    uint16_t bucket[BUCKETS];
    struct entry entry[NB_NEIGHBOUR_MAX];
};

struct nb_neighbours *nb_neighbours_new(const struct nb_neighbour_env *env, uint32_t secret)
{
    struct nb_neighbours *n = calloc(1, sizeof *n);

    if (!n)
        return NULL;
    n->env = *env;
    n->secret = secret;
    TAILQ_INIT(&n->waiting);
    memset(n->bucket, 0xff, sizeof n->bucket);
    nb_neighbours_reroute(n); /* so that no hint is the same as none */
    for (uint16_t i = 0; i < NB_NEIGHBOUR_MAX; i++)
        n->entry[i].next = i + 1 < NB_NEIGHBOUR_MAX ? i + 1 : NO_ENTRY;
    return n;
}

void nb_neighbours_free(struct nb_neighbours *n)
{
    if (!n)
        return;
    for (unsigned i = 0; i < NB_NEIGHBOUR_MAX; i++)
        rte_pktmbuf_free_bulk(n->entry[i].queue, n->entry[i].queued);
    free(n);
}

static uint16_t link_of(unsigned port, uint8_t family)
{
    return (uint16_t)(port << 8 | family);
}

static unsigned port_of(const struct entry *e)
{
    return e->link >> 8;
}

static uint8_t family_of(const struct entry *e)
{
    return (uint8_t)e->link;
}

static bool is_about(const struct entry *e, uint16_t link, const struct nb_addr *address)
{
    return e->link == link && memcmp(&e->address, address, sizeof *address) == 0;
}

/* A number for the entry that nobody has yet: its index below, a generation above. Generations come again after four
 * million new neighbours; a hint that old means at worst that a packet goes to another neighbour, as it might have when
 * the address changed hands. */
static uint32_t new_hint(struct nb_neighbours *n, const struct entry *e)
{
    n->generation = (n->generation + 1) % (NB_NEIGHBOUR_NONE / NB_NEIGHBOUR_MAX);
    return n->generation * NB_NEIGHBOUR_MAX + (uint32_t)(e - n->entry);
}

static uint16_t *bucket_of(struct nb_neighbours *n, uint16_t link, const struct nb_addr *address)
{
    return &n->bucket[rte_jhash_32b(address->word, RTE_DIM(address->word), n->secret + link) & (BUCKETS - 1)];
}

static struct entry *find(struct nb_neighbours *n, uint16_t link, const struct nb_addr *address)
{
    for (uint16_t i = *bucket_of(n, link, address); i != NO_ENTRY; i = n->entry[i].next)
        if (is_about(&n->entry[i], link, address))
            return &n->entry[i];
    return NULL;
}

static bool is_waiting(const struct entry *e)
{
    return e->state == STATE_INCOMPLETE || e->state == STATE_PROBE;
}

/* The one place where an entry changes state: keeps the waiting list and the count of open questions true. */
static void set_state(struct nb_neighbours *n, struct entry *e, enum state state)
{
    if (is_waiting(e))
        TAILQ_REMOVE(&n->waiting, e, waiting);
    n->incomplete += (state == STATE_INCOMPLETE) - (e->state == STATE_INCOMPLETE);
    e->state = state;
    e->tries = 0;
    if (is_waiting(e))
        TAILQ_INSERT_TAIL(&n->waiting, e, waiting);
}

static void ask(struct nb_neighbours *n, struct entry *e, const uint8_t *mac, uint64_t now_us)
{
    TAILQ_REMOVE(&n->waiting, e, waiting);
    TAILQ_INSERT_TAIL(&n->waiting, e, waiting);
    e->tries++;
    e->retry_at_us = now_us + NB_NEIGHBOUR_RETRY_US;
    n->env.ask(n->env.arg, port_of(e), family_of(e), &e->address, mac);
}

static void forget(struct nb_neighbours *n, struct entry *e)
{
    uint16_t index = (uint16_t)(e - n->entry);
    uint16_t *link = bucket_of(n, e->link, &e->address);

    while (*link != index)
        link = &n->entry[*link].next;
    *link = e->next;
    set_state(n, e, STATE_FREE);
    for (unsigned i = 0; i < e->queued; i++)
        n->env.drop(n->env.arg, e->queue[i]);
    n->queued -= e->queued;
    e->queued = 0;
    e->next = n->free;
    n->free = index;
    n->count--;
}

/* Second chance: the hand clears `used` as it goes and takes the first entry not used since its last visit. */
static void make_room(struct nb_neighbours *n)
{
    for (unsigned steps = 0; n->free == NO_ENTRY && steps <= 2 * NB_NEIGHBOUR_MAX; steps++) {
        struct entry *e = &n->entry[n->hand];

        n->hand = (n->hand + 1) % NB_NEIGHBOUR_MAX;
        if (!e->used)
            forget(n, e);
        e->used = false;
    }
}

static struct entry *create(struct nb_neighbours *n, uint16_t link, const struct nb_addr *address)
{
    uint16_t *bucket = bucket_of(n, link, address);
    struct entry *e;

    make_room(n);
    e = &n->entry[n->free];
    n->free = e->next;
    *e = (struct entry){.hint = new_hint(n, e), .address = *address, .link = link, .used = true, .next = *bucket};
    *bucket = (uint16_t)(e - n->entry);
    n->count++;
    return e;
}

static struct entry *create_incomplete(struct nb_neighbours *n, uint16_t link, const struct nb_addr *address,
                                       uint64_t now_us)
{
    struct entry *e;

    if (n->incomplete >= PENDING_MAX)
        return NULL;
    e = create(n, link, address);
    set_state(n, e, STATE_INCOMPLETE);
    ask(n, e, NULL, now_us);
    return e;
}

/* The address is known from here on; what waited goes out in the order it came. */
static void confirm(struct nb_neighbours *n, struct entry *e, const uint8_t mac[NB_MAC_BYTES], uint64_t now_us)
{
    unsigned queued = e->queued;

    memcpy(e->mac, mac, NB_MAC_BYTES);
    e->confirmed_at_us = now_us;
    n->queued -= queued;
    e->queued = 0;
    set_state(n, e, STATE_REACHABLE);
    for (unsigned i = 0; i < queued; i++)
        n->env.send(n->env.arg, port_of(e), family_of(e), e->mac, e->queue[i]);
}

static bool is_fresh(const struct entry *e, uint64_t now_us)
{
    return e->state == STATE_REACHABLE && now_us - e->confirmed_at_us < NB_NEIGHBOUR_FRESH_US;
}

static void probe(struct nb_neighbours *n, struct entry *e, uint64_t now_us)
{
    set_state(n, e, STATE_PROBE);
    ask(n, e, e->mac, now_us);
}

/* Keep a packet until the answer comes. At the entry's limit the oldest gives way (RFC 1122 §2.3.2.2 keeps the latest);
 * at the table's limit an entry keeps the one packet that a host must keep. */
static void enqueue(struct nb_neighbours *n, struct entry *e, struct rte_mbuf *packet)
{
    if (e->queued == NB_NEIGHBOUR_QUEUE || (e->queued && n->queued >= NB_NEIGHBOUR_QUEUED)) {
        n->env.drop(n->env.arg, e->queue[0]);
        memmove(&e->queue[0], &e->queue[1], (e->queued - 1u) * sizeof e->queue[0]);
        e->queued--;
        n->queued--;
    }
    e->queue[e->queued++] = packet;
    n->queued++;
}

const uint8_t *nb_neighbour_recall(struct nb_neighbours *n, uint32_t hint, uint64_t now_us)
{
    struct entry *e = &n->entry[hint % NB_NEIGHBOUR_MAX];

    if (unlikely(e->hint != hint || !is_fresh(e, now_us)))
        return NULL;
    e->used = true;
    return e->mac;
}

void nb_neighbours_reroute(struct nb_neighbours *n)
{
    for (unsigned i = 0; i < NB_NEIGHBOUR_MAX; i++)
        n->entry[i].hint = new_hint(n, &n->entry[i]);
}

void nb_neighbour_output(struct nb_neighbours *n, unsigned port, uint8_t family, const struct nb_addr *address,
                         uint32_t *hint, struct rte_mbuf *packet, uint64_t now_us)
{
    uint16_t link = link_of(port, family);
    struct entry *e = find(n, link, address);

    if (!e)
        e = create_incomplete(n, link, address, now_us);
    if (!e) {
        n->env.drop(n->env.arg, packet);
        return;
    }
    *hint = e->hint;
    e->used = true;
    if (e->state == STATE_INCOMPLETE) {
        enqueue(n, e, packet);
        return;
    }
    if (e->state == STATE_REACHABLE && !is_fresh(e, now_us))
        probe(n, e, now_us);
    n->env.send(n->env.arg, port, family, e->mac, packet);
}

void nb_neighbour_wanted(struct nb_neighbours *n, unsigned port, uint8_t family, const struct nb_addr *address,
                         uint64_t now_us)
{
    struct entry *e = find(n, link_of(port, family), address);

    if (!e) {
        create_incomplete(n, link_of(port, family), address, now_us);
        return;
    }
    e->used = true;
    if (is_fresh(e, now_us))
        n->env.settled(n->env.arg, port, family, address, e->mac);
    else if (e->state == STATE_REACHABLE)
        probe(n, e, now_us);
}

/* An answer to our question counts, but another address than the one we believe in only when everybody was asked: by
 * then the one we believe in has been asked alone, and was silent. Without that a liar would have to speak twice only,
 * once to make us ask and once to answer. */
static bool is_believed(const struct entry *e, bool same, bool is_answer)
{
    return same || e->state == STATE_INCOMPLETE || (e->state == STATE_PROBE && is_answer && e->tries > 1);
}

void nb_neighbour_heard(struct nb_neighbours *n, unsigned port, uint8_t family, const struct nb_addr *address,
                        const uint8_t mac[NB_MAC_BYTES], bool is_answer, bool may_create, uint64_t now_us)
{
    uint16_t link = link_of(port, family);
    struct entry *e = find(n, link, address);
    bool same, waited;

    if (!e) {
        if (may_create) {
            e = create(n, link, address);
            e->used = false; /* so that hearsay gives way before what we talk to */
            confirm(n, e, mac, now_us);
        }
        return;
    }
    same = e->state != STATE_INCOMPLETE && memcmp(e->mac, mac, NB_MAC_BYTES) == 0;
    waited = is_waiting(e);
    if (is_believed(e, same, is_answer)) {
        confirm(n, e, mac, now_us);
        if (waited)
            n->env.settled(n->env.arg, port, family, address, e->mac);
    } else if (!waited && now_us - e->confirmed_at_us >= NB_NEIGHBOUR_RETRY_US) {
        probe(n, e, now_us);
    }
}

void nb_neighbour_told(struct nb_neighbours *n, unsigned port, uint8_t family, const struct nb_addr *address,
                       const uint8_t *mac, uint64_t now_us)
{
    uint16_t link = link_of(port, family);
    struct entry *e = find(n, link, address);

    if (mac)
        confirm(n, e ? e : create(n, link, address), mac, now_us);
    else if (e)
        forget(n, e);
}

static void give_up(struct nb_neighbours *n, struct entry *e)
{
    struct nb_addr address = e->address;
    uint16_t link = e->link;

    forget(n, e);
    n->env.settled(n->env.arg, link >> 8, (uint8_t)link, &address, NULL);
}

/* A probe starts with the address we believe in and ends by asking everybody. */
void nb_neighbours_advance(struct nb_neighbours *n, uint64_t now_us)
{
    struct entry *e;

    while ((e = TAILQ_FIRST(&n->waiting)) && e->retry_at_us <= now_us) {
        if (e->tries >= NB_NEIGHBOUR_TRIES)
            give_up(n, e);
        else
            ask(n, e, NULL, now_us);
    }
}

uint64_t nb_neighbours_next_us(const struct nb_neighbours *n)
{
    const struct entry *e = TAILQ_FIRST(&n->waiting);

    return e ? e->retry_at_us : UINT64_MAX;
}

uint32_t nb_neighbours_count(const struct nb_neighbours *n)
{
    return n->count;
}
