/* planner_bench.h - a planner over a profile that a test may change, and a device that does what it is told.
 *
 * Include it after cmocka.h.
 */
#ifndef NB_TESTS_PLANNER_BENCH_H
#define NB_TESTS_PLANNER_BENCH_H

#include <stdlib.h>
#include <string.h>

#include <netbypass/planner.h>

#define SECOND UINT64_C(1000000)

struct bench {
    struct nb_profile profile;
    struct nb_table *table;
    int64_t next_id;
    struct nb_planner *planner;
    uint64_t now_us;
    unsigned creates, destroys, updates;
    int create_result, destroy_result;
    char log[4096]; /* operations, one per line */
};

static inline struct bench *bench_new(const struct nb_profile *profile, enum nb_policy policy, uint64_t exact_after_us,
                                      uint32_t reserve)
{
    struct bench *b = calloc(1, sizeof *b);
    struct nb_planner_config config = {.policy = policy, .exact_after_us = exact_after_us, .reserve = reserve};

    b->profile = *profile;
    b->now_us = 1000 * SECOND;
    b->next_id = 1;
    b->table = nb_table_new(&b->profile, 1, &b->next_id);
    b->planner = nb_planner_new(&b->profile, b->table, &config);
    return b;
}

static inline void bench_free(struct bench *b)
{
    nb_planner_free(b->planner);
    nb_table_free(b->table);
    free(b);
}

static inline struct bench *small(enum nb_policy policy, uint32_t size, uint32_t reserve)
{
    struct nb_profile profile = *nb_profile_for_driver("net_ixgbe");

    profile.engine[0].size = size;
    return bench_new(&profile, policy, 0, reserve);
}

static inline struct nb_wish wish(uint64_t flow, uint16_t queue, uint16_t home_queue)
{
    struct nb_wish w = {.flow = flow, .incarnation = 1, .queue = queue, .home_queue = home_queue};

    w.tuple = (struct nb_tuple){.src = {10, 0, (uint8_t)(flow >> 8), (uint8_t)flow},
                                .dst = {10, 9, 9, 9},
                                .src_port = (uint16_t)(flow >> 16),
                                .dst_port = 80,
                                .family = NB_RULE_IPV4,
                                .protocol = NB_RULE_TCP};
    return w;
}

static inline void tell(struct bench *b, struct nb_wish w)
{
    w.since_us = b->now_us;
    assert_int_equal(nb_planner_wish(b->planner, &w, b->now_us), 0);
}

static inline void note(struct bench *b, const struct nb_op *op)
{
    char match[NB_RULE_TEXT_BYTES];
    size_t n = strlen(b->log);

    nb_rule_print(&op->entry->rule, match, sizeof match);
    static const char *const kind[] = {"create", "destroy", "update"};

    snprintf(b->log + n, sizeof b->log - n, "%s %llu %s\n", kind[op->kind], (unsigned long long)op->entry->flow, match);
}

/* Carry out every operation that is due. */
static inline void run(struct bench *b)
{
    struct nb_op op;

    while (nb_planner_next(b->planner, b->now_us, &op)) {
        bool create = op.kind == NB_OP_CREATE;
        note(b, &op);
        *(create ? &b->creates : op.kind == NB_OP_DESTROY ? &b->destroys : &b->updates) += 1;
        nb_planner_done(b->planner, &op, create ? b->create_result : b->destroy_result, b, b->now_us);
    }
}

static inline struct nb_plan plan(struct bench *b, struct nb_wish w)
{
    return nb_planner_plan(b->planner, &w);
}

static inline void check_plan(struct bench *b, struct nb_wish w, bool installed, enum nb_why why)
{
    struct nb_plan p = plan(b, w);

    assert_string_equal(nb_why_text(p.why), nb_why_text(why));
    assert_int_equal(p.installed, installed);
    assert_int_equal(p.rule >= 0, installed);
}

#endif
