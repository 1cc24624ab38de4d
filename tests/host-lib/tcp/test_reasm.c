/* test_reasm.c - out-of-order ranges: every way in which new data can overlap what is there, and the bounds.
 *
 * Pictures: one column is ten bytes. `have` is what is kept, `new` what arrives, `keep` what is kept afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "../../../host-lib/tcp/reasm.h"
#include "mbufs.h"

#define BASE     0xffffffe0u /* the third column lies beyond the wrap */
#define LIST_MAX 40          /* mbufs of one list */

static struct rte_mempool *mbufs;
static struct nb_reasm_pool pool;
static uint32_t head;

static int setup(void **state)
{
    (void)state;
    mbufs = support_pool_new(255);
    head = NB_REASM_NONE;
    return nb_reasm_init(&pool, 64, 64) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    nb_reasm_free(&pool, &head);
    assert_int_equal(pool.mbufs, 0);
    unsigned free_ranges = 0;
    for (uint32_t i = pool.free_head; i != NB_REASM_NONE; i = pool.ranges[i].next)
        free_ranges++;
    assert_int_equal(free_ranges, pool.capacity);
    nb_reasm_fini(&pool);
    assert_true(support_pool_full(mbufs));
    support_pool_free(mbufs);
    return 0;
}

/* Byte i of the stream is always the same, so that a wrong cut shows. */
static uint8_t byte_at(uint32_t i)
{
    return (uint8_t)(i * 7 + 3);
}

static struct rte_mbuf *bytes(uint32_t from, uint32_t to, unsigned links)
{
    struct rte_mbuf *chain = NULL;
    for (unsigned i = 0; i < links; i++) {
        uint32_t a = from + (to - from) * i / links, b = from + (to - from) * (i + 1) / links;
        struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
        uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(b - a));
        for (uint32_t j = a; j < b; j++)
            p[j - a] = byte_at(j);
        if (chain)
            rte_pktmbuf_chain(chain, m);
        else
            chain = m;
    }
    return chain;
}

/* Insert each run of # of a picture. */
static void put(const char *picture, unsigned links)
{
    for (const char *p = picture; *p;) {
        if (*p != '#') {
            p++;
            continue;
        }
        const char *end = p;
        while (*end == '#')
            end++;
        uint32_t from = (uint32_t)(p - picture) * 10, to = (uint32_t)(end - picture) * 10;
        assert_true(nb_reasm_insert(&pool, &head, BASE + from, bytes(from, to, links), 40));
        p = end;
    }
}

static void check_range(const struct nb_reasm_range *r)
{
    uint8_t copy[1000];
    uint32_t n = r->right - r->left;
    assert_int_equal(r->first->pkt_len, n);
    const uint8_t *p = rte_pktmbuf_read(r->first, 0, n, copy);
    assert_non_null(p);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(p[i], byte_at(r->left - BASE + i));
    rte_mbuf_sanity_check(r->first, 1);
    assert_ptr_equal(rte_pktmbuf_lastseg(r->first), r->last);
    assert_int_equal(r->first->nb_segs, r->mbufs);
    assert_true(r->mbufs <= pool.range_mbufs_max);
}

static void check_kept(const char *picture)
{
    char now[64];
    memset(now, '.', sizeof now);
    now[strlen(picture)] = 0;
    unsigned ranges = 0;
    for (uint32_t i = head; i != NB_REASM_NONE; i = pool.ranges[i].next, ranges++) {
        check_range(&pool.ranges[i]);
        for (uint32_t j = pool.ranges[i].left - BASE; j < pool.ranges[i].right - BASE; j++)
            now[j / 10] = '#';
    }
    assert_string_equal(now, picture);
    unsigned runs = 0;
    for (const char *p = picture; *p; p++)
        runs += *p == '#' && (p == picture || p[-1] != '#');
    if (pool.range_mbufs_max == UINT16_MAX)
        assert_int_equal(ranges, runs); /* neighbours are one range */
}

struct overlap {
    const char *have, *new, *keep;
};

/* clang-format off */
static const struct overlap overlaps[] = {
    {"..........", "..##......", "..##......"}, /* the first */
    {".....##...", "..##......", "..##.##..."}, /* before, apart */
    {".....##...", "...##.....", "...####..."}, /* before, touching */
    {".....##...", "....##....", "....###..."}, /* over the left edge */
    {".....##...", ".....##...", ".....##..."}, /* the same */
    {".....####.", "......##..", ".....####."}, /* within */
    {".....##...", "....####..", "....####.."}, /* around */
    {".....##...", ".....###..", ".....###.."}, /* from the same left, longer */
    {".....###..", ".....##...", ".....###.."}, /* from the same left, shorter */
    {".....###..", "......##..", ".....###.."}, /* to the same right */
    {".....##...", "......##..", ".....###.."}, /* over the right edge */
    {".....##...", ".......##.", ".....####."}, /* behind, touching */
    {".....##...", "........#.", ".....##.#."}, /* behind, apart */
    {"..##..##..", "....##....", "..######.."}, /* fills the gap exactly */
    {"..##..##..", "...####...", "..######.."}, /* over both edges of the gap */
    {"..##..##..", "....#.....", "..###.##.."}, /* part of the gap, left */
    {"..##..##..", ".....#....", "..##.###.."}, /* part of the gap, right */
    {".#.#.#.#.#", "..#####...", ".#######.#"}, /* covers two, joins four */
    {".#.#.#.#.#", ".#########", ".#########"}, /* covers all */
    {".#.#.#.#.#", "#########.", "##########"}, /* covers all but the last, which it joins */
    {"#.........", ".########.", "#########."},
    {"..##.##.##", "....#..#..", "..########"}, /* two pieces at once */
};
/* clang-format on */

static void test_new_data_in_every_position_is_kept_once(void **state)
{
    for (unsigned i = 0; i < sizeof overlaps / sizeof overlaps[0]; i++)
        for (unsigned links = 1; links <= 3; links++) {
            print_message("# %s + %s, %u links\n", overlaps[i].have, overlaps[i].new, links);
            put(overlaps[i].have, links);
            put(overlaps[i].new, links);
            check_kept(overlaps[i].keep);
            teardown(state);
            setup(state);
        }
}

static void test_take_gives_what_is_next_and_nothing_else(void **state)
{
    (void)state;
    put("..##.##...", 2);
    assert_null(nb_reasm_take(&pool, &head, BASE + 19));
    struct rte_mbuf *m = nb_reasm_take(&pool, &head, BASE + 20);
    assert_int_equal(m->pkt_len, 20);
    rte_pktmbuf_free(m);
    check_kept(".....##...");
    assert_null(nb_reasm_take(&pool, &head, BASE + 40));
}

static void test_take_cuts_what_came_by_another_way_and_drops_what_is_old(void **state)
{
    (void)state;
    put(".#.####...", 3);
    struct rte_mbuf *m = nb_reasm_take(&pool, &head, BASE + 43);
    assert_int_equal(m->pkt_len, 27);
    uint8_t copy[32];
    assert_int_equal(*(const uint8_t *)rte_pktmbuf_read(m, 0, 27, copy), byte_at(43));
    rte_pktmbuf_free(m);
    assert_int_equal(head, NB_REASM_NONE);
}

static void test_sack_blocks_are_the_latest_first(void **state)
{
    (void)state;
    struct nb_seq_range blocks[4];
    put("#.........", 1);
    put("....#.....", 1);
    put("..#.......", 1);
    put(".....#....", 1); /* grows the second */
    assert_int_equal(nb_reasm_sack(&pool, head, blocks, 4), 3);
    assert_int_equal(blocks[0].left - BASE, 40);
    assert_int_equal(blocks[0].right - BASE, 60);
    assert_int_equal(blocks[1].left - BASE, 20);
    assert_int_equal(blocks[2].left - BASE, 0);
    put("#.........", 1); /* comes again: RFC 2018 §4 wants its block first */
    assert_int_equal(nb_reasm_sack(&pool, head, blocks, 2), 2);
    assert_int_equal(blocks[0].left - BASE, 0);
    put(".....#....", 1); /* so does a part of the second */
    assert_int_equal(nb_reasm_sack(&pool, head, blocks, 1), 1);
    assert_int_equal(blocks[0].left - BASE, 40);
    put("#.........", 1);
    put("....#.....", 1); /* and its beginning */
    assert_int_equal(nb_reasm_sack(&pool, head, blocks, 1), 1);
    assert_int_equal(blocks[0].left - BASE, 40);
    assert_int_equal(nb_reasm_bytes(&pool, head), 40);
}

#define MANY NB_REASM_RANGES_MAX

/* A pool in which the number of ranges is the first bound that is reached. */
static int setup_many(void **state)
{
    (void)state;
    mbufs = support_pool_new(4 * MANY - 1);
    head = NB_REASM_NONE;
    return nb_reasm_init(&pool, 2 * MANY, 3 * MANY) ? 0 : -1;
}

static bool piece(uint32_t i)
{
    return nb_reasm_insert(&pool, &head, BASE + 10 * i, bytes(10 * i, 10 * i + 10, 1), 3 * MANY);
}

static void test_range_beyond_the_bound_is_refused_and_freed(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(piece(2 * i));
    unsigned in_use = rte_mempool_in_use_count(mbufs);
    assert_false(piece(2 * MANY));
    assert_int_equal(rte_mempool_in_use_count(mbufs), in_use);
    assert_true(piece(2 * MANY - 1)); /* what grows one is none */
}

/* Every second packet was lost; then the others come, from the front, from the end, or in no order. */
static void test_many_gaps_are_filled_from_every_side(void **state)
{
    for (unsigned order = 0; order < 3; order++) {
        for (uint32_t i = 0; i < MANY; i++)
            assert_true(piece(2 * i + 1));
        for (uint32_t i = 0; i < MANY; i++)
            assert_true(piece(2 * (order == 0 ? i : order == 1 ? MANY - 1 - i : i * 389 % MANY)));
        assert_int_equal(nb_reasm_bytes(&pool, head), 20 * MANY);
        assert_int_equal(pool.ranges[head].next, NB_REASM_NONE);
        struct rte_mbuf *m = nb_reasm_take(&pool, &head, BASE);
        assert_int_equal(m->pkt_len, 20 * MANY);
        uint32_t i = 0;
        for (const struct rte_mbuf *link = m; link; link = link->next)
            for (unsigned j = 0; j < link->data_len; j++)
                assert_int_equal(rte_pktmbuf_mtod(link, const uint8_t *)[j], byte_at(i++));
        rte_pktmbuf_free(m);
        assert_int_equal(head, NB_REASM_NONE);
        teardown(state);
        setup_many(state);
    }
}

static void test_blocks_beyond_the_youngest_are_the_lowest(void **state)
{
    (void)state;
    struct nb_seq_range blocks[4];
    for (uint32_t i = 0; i < 6; i++)
        piece(2 * i);
    for (uint32_t i = 5; i >= 3; i--) { /* the youngest three are joined: who was before them is not remembered */
        piece(2 * i - 1);
    }
    assert_int_equal(nb_reasm_sack(&pool, head, blocks, 4), 3);
    assert_int_equal(blocks[0].left - BASE, 40);
    assert_int_equal(blocks[0].right - BASE, 110);
    assert_int_equal(blocks[1].left - BASE, 0);
    assert_int_equal(blocks[2].left - BASE, 20);
}

/* Single bytes, one after the other, share buffers; the range grows as ever. */
static void test_small_pieces_share_a_buffer(void **state)
{
    (void)state;
    uint64_t collapsed = 0;
    pool.collapsed = &collapsed;
    for (uint32_t i = 0; i < 200; i++)
        assert_true(nb_reasm_insert(&pool, &head, BASE + 10 + i, bytes(10 + i, 11 + i, 1), LIST_MAX));
    assert_int_equal(pool.mbufs, 1);
    assert_int_equal(collapsed, 199);
    check_range(&pool.ranges[head]);
    pool.collapsed = NULL;
}

static void test_mbufs_of_one_connection_are_bounded(void **state)
{
    (void)state;
    uint32_t i = 0;
    while (nb_reasm_insert(&pool, &head, BASE + 10 + 2 * i, bytes(10 + 2 * i, 11 + 2 * i, 1), LIST_MAX))
        i++;
    assert_int_equal(i, 40);
}

static void test_mbufs_of_all_connections_are_bounded(void **state)
{
    (void)state;
    uint32_t other = NB_REASM_NONE, i = 0;
    for (uint32_t j = 0; j < 30; j++)
        assert_true(nb_reasm_insert(&pool, &head, BASE + 10 + 2 * j, bytes(10 + 2 * j, 11 + 2 * j, 1), LIST_MAX));
    while (nb_reasm_insert(&pool, &other, BASE + 10 + 2 * i, bytes(10 + 2 * i, 11 + 2 * i, 1), LIST_MAX))
        i++;
    assert_int_equal(i, 34);
    nb_reasm_free(&pool, &other);
}

/* Each run of # of a picture is taken at once, in as many chains as it has ranges. */
static void check_taken(const char *picture)
{
    for (uint32_t i = 0; picture[i];) {
        struct rte_mbuf *m = nb_reasm_take(&pool, &head, BASE + 10 * i);
        assert_int_equal(picture[i] == '#', m != NULL);
        uint32_t columns = m ? m->pkt_len / 10 : 1;
        for (uint32_t j = 0; m && j < columns; j++)
            assert_int_equal(picture[i + j], '#');
        rte_pktmbuf_free(m);
        i += columns;
    }
    assert_int_equal(head, NB_REASM_NONE);
}

/* Against a bitmap: random pieces, then everything is taken in order. In every other run ranges are full soon. */
static void test_random_pieces_agree_with_a_bitmap(void **state)
{
    for (unsigned seed = 0; seed < 300; seed++) {
        char want[61];
        pool.range_mbufs_max = seed % 2 ? UINT16_MAX : 3;
        memset(want, '.', 60);
        want[60] = 0;
        srand(seed);
        for (unsigned n = 0; n < 12; n++) {
            unsigned from = (unsigned)rand() % 58, length = 1 + (unsigned)rand() % (60 - from > 9 ? 9 : 60 - from);
            assert_true(nb_reasm_insert(&pool, &head, BASE + from * 10,
                                        bytes(from * 10, (from + length) * 10, 1 + (unsigned)rand() % 3), LIST_MAX));
            memset(want + from, '#', length);
            check_kept(want);
        }
        check_taken(want);
        teardown(state);
        setup(state);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(test_new_data_in_every_position_is_kept_once),
        T(test_take_gives_what_is_next_and_nothing_else),
        T(test_take_cuts_what_came_by_another_way_and_drops_what_is_old),
        T(test_sack_blocks_are_the_latest_first),
        cmocka_unit_test_setup_teardown(test_range_beyond_the_bound_is_refused_and_freed, setup_many, teardown),
        cmocka_unit_test_setup_teardown(test_many_gaps_are_filled_from_every_side, setup_many, teardown),
        T(test_blocks_beyond_the_youngest_are_the_lowest),
        T(test_small_pieces_share_a_buffer),
        T(test_mbufs_of_one_connection_are_bounded),
        T(test_mbufs_of_all_connections_are_bounded),
        T(test_random_pieces_agree_with_a_bitmap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
