/* Flow Director filters: found only where the programmed hash puts them, under the masks in force, and booked.
 */
#include "rig.h"

#include <arpa/inet.h>

#define HASH_KEY      0x3dad14e2 /* what Intel's drivers program */
#define SIGNATURE_KEY 0x174d3614
#define CTRL_64K      (4u << 28 | 10u << 24 | 6u << 16 | 127u << 8 | FDIRCTRL_PERFECT | 1)
#define UDP           1u
#define TCP           2u
#define SCTP          3u

struct filter {
    uint32_t src, dst; /* host order */
    uint16_t sport, dport;
    uint32_t l4; /* TCP unless set; L4_ANY for none */
    uint16_t vlan, flex;
    unsigned queue, soft_id;
    uint32_t flags; /* further FDIRCMD bits */
};

#define L4_ANY 9u

static uint32_t l4_of(const struct filter *f)
{
    return f->l4 == L4_ANY ? 0 : f->l4 ? f->l4 : TCP;
}

/* The bucket hash as a driver computes it. */
static uint16_t hash_of(const struct filter *f, uint32_t key)
{
    uint32_t first = l4_of(f) << 16 | f->vlan;
    uint32_t high = f->src ^ f->dst ^ ((uint32_t)f->sport << 16 | f->dport) ^ (uint32_t)f->flex << 16;
    uint32_t low = (high >> 16) | (high << 16), hash = 0;

    high ^= first ^ first >> 16;
    hash ^= key & 1 ? low : 0;
    hash ^= key & 0x10000 ? high : 0;
    low ^= first ^ first << 16;
    for (unsigned i = 1; i < 16; i++) {
        hash ^= key >> i & 1 ? low >> i : 0;
        hash ^= key >> (16 + i) & 1 ? high >> i : 0;
    }
    return (uint16_t)hash;
}

static void no_masks(struct rig *rig)
{
    wr(rig, REG_FDIRM, 0x20 | FDIRM_FLEX | 4 | FDIRM_VLANP | FDIRM_VLANID);
    wr(rig, REG_FDIRTCPM, 0);
    wr(rig, REG_FDIRUDPM, 0);
    wr(rig, REG_FDIRSCTPM, 0);
    wr(rig, REG_FDIRSIP4M, 0);
    wr(rig, REG_FDIRDIP4M, 0);
}

static void init_table(struct rig *rig, uint32_t control)
{
    no_masks(rig);
    wr(rig, REG_FDIRHKEY, HASH_KEY);
    wr(rig, REG_FDIRCTRL, control);
    assert_true(rd(rig, REG_FDIRCTRL) & FDIRCTRL_INIT_DONE);
}

/* Every test has a started device whose RSS sends TCP elsewhere than the filters do: to queue 15. */
static int setup(void **state)
{
    rig_setup_started(state);
    struct rig *rig = *state;

    wr(rig, REG_MRQC, MRQC_MRQE_RSS | MRQC_TCP_IPV4 | MRQC_IPV4 | MRQC_UDP_IPV4);
    for (unsigned i = 0; i < 32; i++)
        wr(rig, REG_RETA + i * 4, 0x0f0f0f0f);
    init_table(rig, CTRL_64K);
    return 0;
}

/* Program a filter in a bucket of our choice; returns FDIRCMD afterwards. */
static uint32_t add_at(struct rig *rig, const struct filter *f, uint32_t hash)
{
    wr(rig, REG_FDIRIPSA, htonl(f->src));
    wr(rig, REG_FDIRIPDA, htonl(f->dst));
    wr(rig, REG_FDIRPORT, (uint32_t)f->dport << 16 | f->sport);
    wr(rig, REG_FDIRVLAN, (uint32_t)htons(f->flex) << 16 | f->vlan);
    wr(rig, REG_FDIRHASH, f->soft_id << 16 | hash);
    wr(rig, REG_FDIRCMD, FDIRCMD_ADD | l4_of(f) << 5 | 1u << 11 | FDIRCMD_QUEUE_EN | f->queue << 16 | f->flags);
    uint32_t after = rd(rig, REG_FDIRCMD);
    assert_int_equal(after & FDIRCMD_CMD, 0); /* done */
    return after;
}

static uint32_t add(struct rig *rig, const struct filter *f)
{
    return add_at(rig, f, hash_of(f, HASH_KEY) & 0x7ff);
}

static void command(struct rig *rig, const struct filter *f, uint32_t cmd)
{
    wr(rig, REG_FDIRHASH, f->soft_id << 16 | (hash_of(f, HASH_KEY) & 0x7ff));
    wr(rig, REG_FDIRCMD, cmd);
    assert_int_equal(rd(rig, REG_FDIRCMD) & FDIRCMD_CMD, 0);
}

static bool present(struct rig *rig, const struct filter *f)
{
    command(rig, f, FDIRCMD_QUERY);
    return rd(rig, REG_FDIRCMD) & FDIRCMD_FILTER_VALID;
}

static struct packet packet_of(const struct filter *f)
{
    return (struct packet){
        .src = f->src,
        .dst = f->dst,
        .sport = f->sport,
        .dport = f->dport,
        .protocol = l4_of(f) == UDP ? 17 : 6,
    };
}

/* The queue that Flow Director chose for the filter's own packet, -1 when another table decided. */
static int hit(struct rig *rig, const struct packet *p)
{
    struct sim_verdict v = receive(rig, p);

    return strcmp(v.table, "flow-director") ? -1 : v.queue;
}

static int hit_own(struct rig *rig, const struct filter *f)
{
    struct packet p = packet_of(f);
    return hit(rig, &p);
}

static unsigned free_filters(struct rig *rig)
{
    return rd(rig, REG_FDIRFREE) & 0xffff;
}

static unsigned collisions(struct rig *rig)
{
    return rd(rig, REG_FDIRFREE) >> 16;
}

static const struct filter web = {
    .src = IP(10, 0, 0, 1), .dst = IP(10, 0, 0, 2), .sport = 1000, .dport = 80, .queue = 3, .soft_id = 7};

/* --- lookups --------------------------------------------------------------------------------------------------------
 */

static void test_fdir_exact_packet_hits(void **state)
{
    struct rig *rig = *state;
    struct packet p = packet_of(&web);

    assert_int_equal(hit(rig, &p), -1);
    add(rig, &web);
    struct sim_verdict v = receive(rig, &p);
    assert_string_equal(v.table, "flow-director");
    assert_int_equal(v.queue, 3);
    assert_int_equal(v.rule, 7);
    assert_null(v.drop);
    assert_int_equal(rx_desc(rig, 3, 0).status & 3, 3);
}

static void test_fdir_any_other_field_misses(void **state)
{
    struct rig *rig = *state;
    struct packet p[5];

    add(rig, &web);
    for (unsigned i = 0; i < 5; i++)
        p[i] = packet_of(&web);
    p[0].src++;
    p[1].dst++;
    p[2].sport++;
    p[3].dport++;
    p[4].protocol = 17;
    for (unsigned i = 0; i < 5; i++)
        assert_string_equal(receive(rig, &p[i]).table, "rss");
}

static void test_fdir_wrong_programmed_hash_is_never_found(void **state)
{
    struct rig *rig = *state;
    uint32_t right = hash_of(&web, HASH_KEY) & 0x7ff;

    for (unsigned bit = 0; bit < 11; bit++) {
        struct filter f = web;
        f.soft_id = bit;
        add_at(rig, &f, right ^ 1u << bit);
    }
    assert_int_equal(free_filters(rig), 2046 - 11); /* they are all there */
    assert_int_equal(hit_own(rig, &web), -1);
    add_at(rig, &web, right);
    assert_int_equal(hit_own(rig, &web), 3);
}

static void test_fdir_hash_bits_beyond_the_table_do_not_matter(void **state)
{
    struct rig *rig = *state;

    add_at(rig, &web, hash_of(&web, HASH_KEY) & 0x7fff);
    assert_int_equal(hit_own(rig, &web), 3);
}

static void test_fdir_hash_is_the_one_intel_drivers_compute(void **state)
{
    struct rig *rig = *state;
    /* From DPDK 22.11's ixgbe_atr_compute_hash_82599() with the bucket key. */
    const struct {
        struct filter f;
        uint32_t hash;
    } known[] = {
        {{IP(10, 0, 0, 1), IP(10, 0, 0, 2), 1000, 80, TCP, 0, 0, 1, 1, 0}, 0x76ce},
        {{IP(10, 0, 0, 1), IP(10, 0, 0, 2), 1001, 80, TCP, 0, 0, 2, 2, 0}, 0x1db6},
        {{IP(192, 168, 17, 5), IP(172, 16, 0, 9), 53, 40000, UDP, 0, 0, 3, 3, 0}, 0x2590},
        {{IP(1, 2, 3, 4), IP(250, 251, 252, 253), 0, 0, L4_ANY, 0, 0, 4, 4, 0}, 0x3ccd},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct packet p = packet_of(&known[i].f);
        if (known[i].f.l4 == L4_ANY)
            p.protocol = 1;
        add_at(rig, &known[i].f, known[i].hash & 0x7ff);
        assert_int_equal(hit(rig, &p), known[i].f.queue);
    }
}

static void test_fdir_vlan_and_flexible_bytes_enter_the_hash(void **state)
{
    struct rig *rig = *state;
    const struct filter tagged = {IP(10, 0, 0, 1), IP(10, 0, 0, 2), 1000, 80, TCP, 0x2005, 0, 1, 1, 0};
    const struct filter typed = {IP(10, 0, 0, 1), IP(10, 0, 0, 2), 1000, 80, TCP, 0, 0x0800, 2, 2, 0};
    struct packet p = packet_of(&tagged);

    wr(rig, REG_FDIRM, 4 | 0x20 | FDIRM_FLEX); /* VLAN id and priority are compared */
    add_at(rig, &tagged, 0x7d7d & 0x7ff);
    assert_int_equal(hit(rig, &p), -1);
    p.vlan = 0x2005;
    assert_int_equal(hit(rig, &p), 1);
    p.vlan = 0x3005; /* the drop eligible bit is nobody's business */
    assert_int_equal(hit(rig, &p), 1);
    p.vlan = 0x4005;
    assert_int_equal(hit(rig, &p), -1);

    wr(rig, REG_FDIRM, 4 | 0x20 | FDIRM_VLANID | FDIRM_VLANP); /* the two bytes at offset 12: the EtherType */
    add_at(rig, &typed, 0x32bc & 0x7ff);
    p.vlan = 0;
    assert_int_equal(hit(rig, &p), 2);
}

static void test_fdir_other_hash_key_loses_the_filters(void **state)
{
    struct rig *rig = *state;

    add(rig, &web);
    wr(rig, REG_FDIRHKEY, HASH_KEY ^ 0x00400000);
    assert_int_equal(hit_own(rig, &web), -1);
    add_at(rig, &web, hash_of(&web, HASH_KEY ^ 0x00400000) & 0x7ff);
    assert_int_equal(hit_own(rig, &web), 3);
}

static void test_fdir_hit_still_reports_the_rss_hash(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < 10; i++)
        wr(rig, REG_RSSRK + i * 4, 0x6d5a6d5a);
    struct packet p = packet_of(&web);
    uint32_t hash = receive(rig, &p).rss_hash;
    add(rig, &web);
    assert_int_equal(receive(rig, &p).rss_hash, hash);
    assert_int_not_equal(hash, 0);
    assert_int_equal(rx_desc(rig, 3, 0).hash, hash);
    assert_int_equal(rx_desc(rig, 3, 0).info & 0xf, 1);
}

static void test_fdir_report_status_puts_id_and_hash_into_the_descriptor(void **state)
{
    struct rig *rig = *state;
    struct packet p = packet_of(&web), other = p;

    wr(rig, REG_FDIRCTRL, CTRL_64K | FDIRCTRL_REPORT);
    add(rig, &web);
    receive(rig, &p);
    assert_int_equal(rx_desc(rig, 3, 0).info & 0xf, 0xf);
    assert_int_equal(rx_desc(rig, 3, 0).hash, (uint32_t)(hash_of(&web, HASH_KEY) & 0x7ff) << 16 | 7);
    other.sport++;
    receive(rig, &other);
    assert_int_equal(rx_desc(rig, 15, 0).info & 0xf, 1); /* RSS, as ever */
}

static void test_fdir_fragment_has_no_ports_to_match(void **state)
{
    struct rig *rig = *state;
    struct packet p = packet_of(&web);

    add(rig, &web);
    p.fragment = 0x2000;
    assert_int_equal(hit(rig, &p), -1);
}

static void test_fdir_ipv6_frame_misses(void **state)
{
    struct rig *rig = *state;
    struct packet p = packet_of(&web);

    add(rig, &web);
    p.ipv6 = true;
    rd(rig, REG_FDIRMISS);
    assert_int_equal(hit(rig, &p), -1);
    assert_int_equal(rd(rig, REG_FDIRMISS), 1);
}

/* --- masks ----------------------------------------------------------------------------------------------------------
 */

static void test_fdir_masked_port_bits_are_ignored_one_by_one(void **state)
{
    struct rig *rig = *state;
    struct filter f = {.src = 1, .dst = 2, .sport = 1000, .dport = 0x5a00, .queue = 4};
    struct packet p;

    for (unsigned bit = 0; bit < 16; bit++) {
        struct filter masked = f;
        /* Port masks are bit-reversed; destination in the high half. */
        wr(rig, REG_FDIRTCPM, 1u << (16 + 15 - bit));
        masked.dport &= (uint16_t) ~(1u << bit);
        add(rig, &masked);
        p = packet_of(&f);
        p.dport = (uint16_t)(f.dport | 1u << bit);
        assert_int_equal(hit(rig, &p), 4);
        p.dport = (uint16_t)(f.dport & ~(1u << bit));
        assert_int_equal(hit(rig, &p), 4);
        p.dport ^= (uint16_t)(1u << ((bit + 1) % 16));
        assert_int_equal(hit(rig, &p), -1);
        command(rig, &masked, FDIRCMD_REMOVE);
    }
}

static void test_fdir_address_masks_are_in_network_order(void **state)
{
    struct rig *rig = *state;
    const struct filter net = {.src = IP(10, 1, 0, 0), .dst = IP(10, 0, 0, 2), .sport = 5, .dport = 80, .queue = 2};
    struct packet p = packet_of(&net);

    wr(rig, REG_FDIRSIP4M, htonl(0x0000ffff)); /* the last two octets do not matter */
    add(rig, &net);
    p.src = IP(10, 1, 200, 201);
    assert_int_equal(hit(rig, &p), 2);
    p.src = IP(10, 2, 0, 0);
    assert_int_equal(hit(rig, &p), -1);
    p.src = IP(10, 1, 0, 0);
    p.dst = IP(10, 0, 0, 3);
    assert_int_equal(hit(rig, &p), -1);
}

static void test_fdir_unmasked_value_under_a_mask_is_never_found(void **state)
{
    struct rig *rig = *state;
    /* A driver that does not apply the mask before it hashes files the filter in a bucket nobody looks into. */
    const struct filter f = {.src = 1, .dst = 2, .sport = 3, .dport = 0x1233, .queue = 2};

    wr(rig, REG_FDIRTCPM, 0x0fff0000); /* bit-reversed: only the low four bits count */
    add(rig, &f);
    assert_int_equal(hit_own(rig, &f), -1);
}

static void test_fdir_masks_of_tcp_and_udp_are_separate(void **state)
{
    struct rig *rig = *state;
    struct filter udp = web;
    struct packet p = packet_of(&web);

    udp.l4 = UDP;
    wr(rig, REG_FDIRTCPM, 0x0000ffff); /* source port of TCP only */
    struct filter tcp = web;
    tcp.sport = 0;
    add(rig, &tcp);
    add(rig, &udp);
    p.sport = 4321;
    assert_int_equal(hit(rig, &p), 3);
    p.protocol = 17;
    assert_int_equal(hit(rig, &p), -1);
    p.sport = 1000;
    assert_int_equal(hit(rig, &p), 3);
}

static void test_fdir_masked_l4_type_takes_every_protocol(void **state)
{
    struct rig *rig = *state;
    const struct filter pair = {.src = 1, .dst = 2, .l4 = L4_ANY, .queue = 5};
    struct packet p = packet_of(&pair);

    wr(rig, REG_FDIRM, 0x37 | FDIRM_L4P);
    wr(rig, REG_FDIRTCPM, ~0u);
    wr(rig, REG_FDIRUDPM, ~0u);
    add(rig, &pair);
    p.sport = 99;
    assert_int_equal(hit(rig, &p), 5);
    p.protocol = 17;
    assert_int_equal(hit(rig, &p), 5);
}

/* --- the table ------------------------------------------------------------------------------------------------------
 */

static void test_fdir_sizes_follow_pballoc(void **state)
{
    struct rig *rig = *state;
    const unsigned size[] = {0, 2046, 4094, 8190};

    for (unsigned pballoc = 0; pballoc < 4; pballoc++) {
        wr(rig, REG_FDIRCTRL, FDIRCTRL_PERFECT | pballoc);
        assert_int_equal(!!(rd(rig, REG_FDIRCTRL) & FDIRCTRL_INIT_DONE), pballoc > 0);
        assert_int_equal(free_filters(rig), size[pballoc]);
    }
}

static void test_fdir_bigger_table_uses_more_hash_bits(void **state)
{
    struct rig *rig = *state;
    uint32_t hash = hash_of(&web, HASH_KEY) & 0x1fff;

    wr(rig, REG_FDIRCTRL, FDIRCTRL_PERFECT | 3);
    add_at(rig, &web, hash ^ 0x1000);
    assert_int_equal(hit_own(rig, &web), -1);
    add_at(rig, &web, hash);
    assert_int_equal(hit_own(rig, &web), 3);
}

/* Another source port whose filter falls into the same bucket as f's. */
static struct filter neighbour(const struct filter *f)
{
    struct filter other = *f;

    do
        other.sport++;
    while ((hash_of(&other, HASH_KEY) & 0x7ff) != (hash_of(f, HASH_KEY) & 0x7ff));
    other.soft_id = f->soft_id + 1;
    other.queue = f->queue + 1;
    return other;
}

static void test_fdir_filters_in_one_bucket_are_all_found(void **state)
{
    struct rig *rig = *state;
    struct filter second = neighbour(&web), third = neighbour(&second);

    assert_int_equal(add(rig, &web) & FDIRCMD_COLLISION, 0);
    assert_int_not_equal(add(rig, &second) & FDIRCMD_COLLISION, 0);
    add(rig, &third);
    assert_int_equal(collisions(rig), 2);
    assert_int_equal(rd(rig, REG_FDIRLEN), (uint32_t)(hash_of(&web, HASH_KEY) & 0x7ff) << 16 | 3);
    assert_int_equal(hit_own(rig, &web), 3);
    assert_int_equal(hit_own(rig, &second), 4);
    assert_int_equal(hit_own(rig, &third), 5);
    command(rig, &second, FDIRCMD_REMOVE); /* the one in the middle */
    assert_int_equal(collisions(rig), 1);
    assert_int_equal(hit_own(rig, &web), 3);
    assert_int_equal(hit_own(rig, &second), -1);
    assert_int_equal(hit_own(rig, &third), 5);
}

static void test_fdir_list_longer_than_max_length_is_flagged_and_still_used(void **state)
{
    struct rig *rig = *state;
    struct filter f = web;

    wr(rig, REG_FDIRCTRL, (CTRL_64K & 0xf0ffffff) | 2u << 24 | FDIRCTRL_REPORT);
    for (unsigned i = 0; i < 4; i++) {
        f.queue = 1;
        add(rig, &f);
        assert_int_equal(hit_own(rig, &f), 1);
        assert_int_equal(rx_desc(rig, 1, i).status >> 20 & 1, i > 2);
        f = neighbour(&f);
    }
}

static void test_fdir_remove_takes_the_filter_of_hash_and_soft_id(void **state)
{
    struct rig *rig = *state;
    struct filter wrong = web;

    add(rig, &web);
    assert_true(present(rig, &web));
    wrong.soft_id = 8;
    assert_false(present(rig, &wrong));
    command(rig, &wrong, FDIRCMD_REMOVE);
    assert_int_equal(rd(rig, REG_FDIRFSTAT), 1u << 8);
    assert_int_equal(hit_own(rig, &web), 3);
    command(rig, &web, FDIRCMD_REMOVE);
    assert_false(present(rig, &web));
    assert_int_equal(hit_own(rig, &web), -1);
    assert_int_equal(free_filters(rig), 2046);
}

static void test_fdir_remove_with_equal_soft_ids_takes_the_wrong_one(void **state)
{
    struct rig *rig = *state;
    struct filter second = neighbour(&web);

    second.soft_id = web.soft_id;
    add(rig, &web);
    add(rig, &second);
    command(rig, &second, FDIRCMD_REMOVE);
    assert_int_equal(hit_own(rig, &web), -1);
    assert_int_equal(hit_own(rig, &second), 4);
}

static void test_fdir_same_filter_again_fails_unless_it_is_an_update(void **state)
{
    struct rig *rig = *state;
    struct filter moved = web;

    add(rig, &web);
    moved.queue = 9;
    moved.soft_id = 11;
    add(rig, &moved);
    assert_int_equal(rd(rig, REG_FDIRFSTAT), 1);
    assert_int_equal(hit_own(rig, &web), 3);
    moved.flags = FDIRCMD_UPDATE;
    add(rig, &moved);
    assert_int_equal(rd(rig, REG_FDIRFSTAT), 0);
    assert_int_equal(hit_own(rig, &web), 9);
    assert_true(present(rig, &moved));
    assert_false(present(rig, &web));
    assert_int_equal(free_filters(rig), 2045);
}

static void test_fdir_drop_filter_swallows_frames(void **state)
{
    struct rig *rig = *state;
    struct filter f = web;
    struct packet p = packet_of(&web);

    f.flags = FDIRCMD_DROP;
    f.queue = 127;
    add(rig, &f);
    struct sim_verdict v = receive(rig, &p);
    assert_int_equal(v.queue, -1);
    assert_string_equal(v.table, "flow-director");
    assert_int_equal(v.rule, 7);
    assert_string_equal(v.drop, "Flow Director drop rule");
    assert_int_equal(drops(rig, "Flow Director drop rule"), 1);
    wr(rig, rx_reg(127, RXQ_RXDCTL), QUEUE_ENABLE); /* somebody wants to see them */
    assert_int_equal(classify(rig, &p).queue, 127);
}

static void test_fdir_filter_without_queue_leaves_the_choice_to_rss(void **state)
{
    struct rig *rig = *state;

    add(rig, &web);
    wr(rig, REG_FDIRHASH, web.soft_id << 16 | (hash_of(&web, HASH_KEY) & 0x7ff));
    wr(rig, REG_FDIRCMD, FDIRCMD_ADD | FDIRCMD_UPDATE | TCP << 5); /* fields are still in the registers */
    struct packet p = packet_of(&web);
    assert_string_equal(receive(rig, &p).table, "rss");
    assert_int_equal(rd(rig, REG_FDIRMATCH), 1);
}

static void test_fdir_full_table_refuses_in_silence(void **state)
{
    struct rig *rig = *state;
    struct filter f = {.src = IP(10, 0, 0, 1), .dst = IP(10, 0, 0, 2), .dport = 80, .queue = 1};
    unsigned added = 0, failed = 0;

    for (unsigned i = 0; i < 2050; i++) {
        f.sport = (uint16_t)(1000 + i);
        f.soft_id = i;
        add(rig, &f);
        if (i % 100 == 99) { /* the failure counter has eight bits */
            added += rd(rig, REG_FDIRUSTAT) & 0xffff;
            failed += rd(rig, REG_FDIRFSTAT) & 0xff;
        }
    }
    added += rd(rig, REG_FDIRUSTAT) & 0xffff;
    failed += rd(rig, REG_FDIRFSTAT) & 0xff;
    assert_int_equal(added, 2046);
    assert_int_equal(failed, 4);
    assert_int_equal(free_filters(rig), 0);
    f.sport = 1000 + 2045;
    assert_int_equal(hit_own(rig, &f), 1);
    f.sport = 1000 + 2046;
    assert_int_equal(hit_own(rig, &f), -1);

    struct filter last = f;
    f.sport = 1000;
    f.soft_id = 0;
    command(rig, &f, FDIRCMD_REMOVE);
    add(rig, &last);
    assert_int_equal(hit_own(rig, &last), 1);
}

static void test_fdir_interrupt_when_as_many_are_left_as_the_threshold_says(void **state)
{
    struct rig *rig = *state;
    struct filter f = {.src = 1, .dst = 2, .dport = 80, .queue = 1};

    wr(rig, REG_EIMS, EICR_FLOW_DIR);
    for (f.sport = 0; f.sport < 2046 - 64; f.sport++) {
        assert_int_equal(rig->interrupts, 0);
        f.soft_id = f.sport;
        add(rig, &f);
    }
    assert_int_equal(free_filters(rig), 64);
    assert_int_equal(rig->interrupts, 1);
}

static void test_fdir_clearht_empties_the_table(void **state)
{
    struct rig *rig = *state;

    add(rig, &web);
    wr(rig, REG_FDIRFREE, 0);
    wr(rig, REG_FDIRCMD, rd(rig, REG_FDIRCMD) | FDIRCMD_CLEARHT);
    wr(rig, REG_FDIRCMD, rd(rig, REG_FDIRCMD) & ~FDIRCMD_CLEARHT);
    wr(rig, REG_FDIRHASH, 0);
    wr(rig, REG_FDIRCTRL, CTRL_64K);
    assert_true(rd(rig, REG_FDIRCTRL) & FDIRCTRL_INIT_DONE);
    assert_int_equal(free_filters(rig), 2046);
    assert_int_equal(hit_own(rig, &web), -1);
    add(rig, &web);
    assert_int_equal(hit_own(rig, &web), 3);
}

static void test_fdir_device_reset_empties_the_table_and_turns_it_off(void **state)
{
    struct rig *rig = *state;

    add(rig, &web);
    wr(rig, REG_CTRL, CTRL_RST);
    rig_start(rig);
    assert_int_equal(hit_own(rig, &web), -1);
    assert_int_equal(rd(rig, REG_FDIRMISS), 0); /* not even looked */
    assert_int_equal(free_filters(rig), 0);
    add(rig, &web); /* without a table nothing can be added */
    assert_int_equal(rd(rig, REG_FDIRFSTAT), 1);
}

static void test_fdir_statistics_count_and_clear(void **state)
{
    struct rig *rig = *state;
    struct packet p = packet_of(&web);

    add(rig, &web);
    hit(rig, &p);
    hit(rig, &p);
    p.sport++;
    hit(rig, &p);
    command(rig, &web, FDIRCMD_REMOVE);
    assert_int_equal(rd(rig, REG_FDIRMATCH), 2);
    assert_int_equal(rd(rig, REG_FDIRMISS), 1);
    assert_int_equal(rd(rig, REG_FDIRUSTAT), 1u << 16 | 1);
    assert_int_equal(rd(rig, REG_FDIRMATCH) | rd(rig, REG_FDIRMISS) | rd(rig, REG_FDIRUSTAT), 0);
}

static void test_fdir_failure_counters_stick_at_their_maximum(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < 300; i++)
        command(rig, &web, FDIRCMD_REMOVE);
    assert_int_equal(rd(rig, REG_FDIRFSTAT), 0xff00);
}

static void test_fdir_perfect_ipv6_filter_is_refused(void **state)
{
    struct rig *rig = *state;
    struct filter v6 = web;

    v6.flags = FDIRCMD_IPV6;
    add(rig, &v6);
    assert_int_equal(rd(rig, REG_FDIRFSTAT), 1);
    assert_int_equal(free_filters(rig), 2046);
}

/* --- signature filters ----------------------------------------------------------------------------------------------
 */

static void init_signatures(struct rig *rig, uint32_t pballoc)
{
    init_table(rig, (CTRL_64K & ~(FDIRCTRL_PERFECT | FDIRCTRL_PBALLOC)) | pballoc);
    wr(rig, REG_FDIRSKEY, SIGNATURE_KEY);
}

/* As Intel's drivers do: signature and bucket, then the command. */
static void add_signature(struct rig *rig, const struct filter *f)
{
    wr(rig, REG_FDIRHASH, (uint32_t)hash_of(f, SIGNATURE_KEY) << 16 | (hash_of(f, HASH_KEY) & 0x1fff));
    wr(rig, REG_FDIRCMD, FDIRCMD_ADD | l4_of(f) << 5 | 1u << 11 | FDIRCMD_QUEUE_EN | f->queue << 16 | f->flags);
}

static void test_fdir_signature_tables_hold_four_times_as_many(void **state)
{
    struct rig *rig = *state;

    for (unsigned pballoc = 1; pballoc <= 3; pballoc++) {
        init_signatures(rig, pballoc);
        assert_int_equal(free_filters(rig), (4096u << pballoc) - 2);
    }
}

static void test_fdir_signature_filter_hits_its_flow_and_no_other(void **state)
{
    struct rig *rig = *state;
    struct packet p = packet_of(&web);

    init_signatures(rig, 1);
    add_signature(rig, &web);
    assert_int_equal(free_filters(rig), 8189);
    assert_int_equal(hit(rig, &p), (int)web.queue);
    p.sport++;
    assert_int_equal(hit(rig, &p), -1);
    p.sport--;
    p.protocol = 17;
    assert_int_equal(hit(rig, &p), -1);
}

static void test_fdir_other_signature_key_loses_the_filters(void **state)
{
    struct rig *rig = *state;
    struct packet p = packet_of(&web);

    init_signatures(rig, 1);
    add_signature(rig, &web);
    wr(rig, REG_FDIRSKEY, SIGNATURE_KEY ^ 0x10);
    assert_int_equal(hit(rig, &p), -1);
    wr(rig, REG_FDIRSKEY, SIGNATURE_KEY);
    assert_int_equal(hit(rig, &p), (int)web.queue);
}

/* Swapped addresses give the same hashes: to the device the flows are one. A perfect filter tells them apart. */
static void test_fdir_flows_of_one_signature_are_one(void **state)
{
    struct rig *rig = *state;
    struct packet p = packet_of(&web);

    p.src = web.dst;
    p.dst = web.src;
    add(rig, &web);
    assert_int_equal(hit(rig, &p), -1);
    init_signatures(rig, 1);
    add_signature(rig, &web);
    assert_int_equal(hit(rig, &p), (int)web.queue);
}

static void test_fdir_signature_again_fails_unless_it_is_an_update(void **state)
{
    struct rig *rig = *state;
    struct filter moved = web;
    struct packet p = packet_of(&web);

    init_signatures(rig, 1);
    add_signature(rig, &web);
    moved.queue = web.queue + 1;
    add_signature(rig, &moved);
    assert_int_equal(rd(rig, REG_FDIRFSTAT), 1);
    assert_int_equal(hit(rig, &p), (int)web.queue);
    moved.flags = FDIRCMD_UPDATE;
    add_signature(rig, &moved);
    assert_int_equal(hit(rig, &p), (int)moved.queue);
    assert_int_equal(free_filters(rig), 8189);
}

/* fd99::a and fd99::b fold to fd990000 ^ a and fd990000 ^ b. */
static void test_fdir_signature_filter_for_ipv6_and_its_byte_masks(void **state)
{
    struct rig *rig = *state;
    struct filter v6 = web;
    struct packet p = packet_of(&web);
    const uint32_t flow_type_of_ipv6 = 4;

    init_signatures(rig, 1);
    p.ipv6 = true;
    v6.src ^= 0xfd990000;
    v6.dst ^= 0xfd990000;
    v6.l4 = TCP | flow_type_of_ipv6;
    add_signature(rig, &v6);
    assert_int_equal(hit(rig, &p), (int)web.queue);
    p.src ^= 1;
    assert_int_equal(hit(rig, &p), -1);
    p.src ^= 1;
    wr(rig, REG_FDIRIP6M, 1u << 15); /* the last byte of the source */
    v6.src &= ~0xffu;
    v6.queue = web.queue + 1;
    add_signature(rig, &v6);
    assert_int_equal(hit(rig, &p), (int)v6.queue);
    p.src ^= 1;
    assert_int_equal(hit(rig, &p), (int)v6.queue);
    p.dst ^= 0x40;
    assert_int_equal(hit(rig, &p), -1);
}

static void test_fdir_table_print_shows_filters(void **state)
{
    struct rig *rig = *state;
    struct rig_line line = {.start = "bucket 1742 soft id 7"};

    add(rig, &web);
    assert_int_equal(rig->ops->print_table(rig->dev, "flow-director", rig_match_line, &line), 0);
    assert_true(line.seen);
}

static void test_fdir_remarks_tell_of_additions_and_refusals(void **state)
{
    struct rig *rig = *state;

    add(rig, &web);
    assert_int_equal(rig->traced, 0); /* nobody listens */
    rig->tracing = true;
    add(rig, &web);
    assert_non_null(strstr(rig->trace, "refused (exists)"));
    command(rig, &web, FDIRCMD_REMOVE);
    assert_non_null(strstr(rig->trace, "removed, bucket 1742 soft id 7"));
}

#define FDIR_TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FDIR_TEST(test_fdir_exact_packet_hits),
        FDIR_TEST(test_fdir_any_other_field_misses),
        FDIR_TEST(test_fdir_wrong_programmed_hash_is_never_found),
        FDIR_TEST(test_fdir_hash_bits_beyond_the_table_do_not_matter),
        FDIR_TEST(test_fdir_hash_is_the_one_intel_drivers_compute),
        FDIR_TEST(test_fdir_vlan_and_flexible_bytes_enter_the_hash),
        FDIR_TEST(test_fdir_other_hash_key_loses_the_filters),
        FDIR_TEST(test_fdir_hit_still_reports_the_rss_hash),
        FDIR_TEST(test_fdir_report_status_puts_id_and_hash_into_the_descriptor),
        FDIR_TEST(test_fdir_fragment_has_no_ports_to_match),
        FDIR_TEST(test_fdir_ipv6_frame_misses),
        FDIR_TEST(test_fdir_masked_port_bits_are_ignored_one_by_one),
        FDIR_TEST(test_fdir_address_masks_are_in_network_order),
        FDIR_TEST(test_fdir_unmasked_value_under_a_mask_is_never_found),
        FDIR_TEST(test_fdir_masks_of_tcp_and_udp_are_separate),
        FDIR_TEST(test_fdir_masked_l4_type_takes_every_protocol),
        FDIR_TEST(test_fdir_sizes_follow_pballoc),
        FDIR_TEST(test_fdir_bigger_table_uses_more_hash_bits),
        FDIR_TEST(test_fdir_filters_in_one_bucket_are_all_found),
        FDIR_TEST(test_fdir_list_longer_than_max_length_is_flagged_and_still_used),
        FDIR_TEST(test_fdir_remove_takes_the_filter_of_hash_and_soft_id),
        FDIR_TEST(test_fdir_remove_with_equal_soft_ids_takes_the_wrong_one),
        FDIR_TEST(test_fdir_same_filter_again_fails_unless_it_is_an_update),
        FDIR_TEST(test_fdir_drop_filter_swallows_frames),
        FDIR_TEST(test_fdir_filter_without_queue_leaves_the_choice_to_rss),
        FDIR_TEST(test_fdir_full_table_refuses_in_silence),
        FDIR_TEST(test_fdir_interrupt_when_as_many_are_left_as_the_threshold_says),
        FDIR_TEST(test_fdir_clearht_empties_the_table),
        FDIR_TEST(test_fdir_device_reset_empties_the_table_and_turns_it_off),
        FDIR_TEST(test_fdir_statistics_count_and_clear),
        FDIR_TEST(test_fdir_failure_counters_stick_at_their_maximum),
        FDIR_TEST(test_fdir_perfect_ipv6_filter_is_refused),
        FDIR_TEST(test_fdir_signature_tables_hold_four_times_as_many),
        FDIR_TEST(test_fdir_signature_filter_hits_its_flow_and_no_other),
        FDIR_TEST(test_fdir_other_signature_key_loses_the_filters),
        FDIR_TEST(test_fdir_flows_of_one_signature_are_one),
        FDIR_TEST(test_fdir_signature_again_fails_unless_it_is_an_update),
        FDIR_TEST(test_fdir_signature_filter_for_ipv6_and_its_byte_masks),
        FDIR_TEST(test_fdir_table_print_shows_filters),
        FDIR_TEST(test_fdir_remarks_tell_of_additions_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
