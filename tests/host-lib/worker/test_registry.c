/* test_registry.c - forward entries at home and the list of what other homes were told, to the limit of their room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../host-lib/worker/registry.h"

#define ROOM 8

static struct nb_flow_table *flows;
static struct nb_registry r;

static int setup(void **state)
{
    const uint64_t secret[2] = {1, 2};

    (void)state;
    flows = nb_flow_table_new(2 * ROOM, secret);
    return flows && nb_registry_init(&r, ROOM, flows, secret) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    nb_registry_fini(&r);
    nb_flow_table_free(flows);
    return 0;
}

static struct nb_flow_key key(uint16_t port)
{
    return (struct nb_flow_key){.remote_port = port, .family = NB_FAMILY_IPV4};
}

/* The owner of a flow according to the flow table, -1: no entry. */
static int owner(uint16_t port)
{
    struct nb_flow_key k = key(port);
    struct nb_flow_ref ref = nb_flow_find(flows, &k, nb_flow_hash(flows, &k));

    return ref.kind == NB_FLOW_FORWARD ? ((struct nb_forward *)ref.object)->owner : -1;
}

static void put(uint16_t port, uint16_t who, uint32_t incarnation)
{
    struct nb_flow_key k = key(port);

    nb_registry_put(&r, &k, who, incarnation, 0);
}

static void take_away(uint16_t port, uint16_t who, uint32_t incarnation)
{
    struct nb_flow_key k = key(port);

    nb_registry_remove(&r, &k, who, incarnation);
}

static bool tell(uint16_t port, uint16_t home)
{
    struct nb_flow_key k = key(port);

    return nb_registry_set_told(&r, &k, home, port);
}

static int told(uint16_t port)
{
    struct nb_flow_key k = key(port);

    return nb_registry_told(&r, &k);
}

static void test_entry_is_found_and_goes_when_its_owner_says_so(void **state)
{
    (void)state;
    put(1, 3, 10);
    assert_int_equal(owner(1), 3);
    take_away(1, 2, 10); /* somebody else */
    take_away(1, 3, 9);  /* an earlier use of the tuple */
    assert_int_equal(owner(1), 3);
    take_away(1, 3, 10);
    assert_int_equal(owner(1), -1);
    assert_int_equal(r.entries, 0);
}

static void test_entry_put_again_names_the_new_owner(void **state)
{
    (void)state;
    put(1, 3, 10);
    put(1, 4, 11);
    assert_int_equal(owner(1), 4);
    assert_int_equal(r.entries, 1);
    take_away(1, 3, 10);
    assert_int_equal(owner(1), 4);
}

static void test_own_flow_under_the_key_stays(void **state)
{
    struct nb_flow_object own = {.key = key(1)};
    uint32_t hash = nb_flow_hash(flows, &own.key);

    (void)state;
    nb_flow_table_set_pool(flows, NB_FLOW_TCB, &own);
    assert_true(nb_flow_insert(flows, NB_FLOW_TCB, &own, hash));
    put(1, 3, 10);
    assert_ptr_equal(nb_flow_find(flows, &own.key, hash).object, &own);
    take_away(1, 3, 10);
    assert_ptr_equal(nb_flow_find(flows, &own.key, hash).object, &own);
    assert_false(r.overflowed);
}

static void test_room_full_is_remembered_and_harms_no_entry(void **state)
{
    (void)state;
    for (uint16_t i = 1; i <= ROOM; i++)
        put(i, 3, i);
    assert_false(r.overflowed);
    put(ROOM + 1, 3, 1);
    assert_true(r.overflowed);
    assert_int_equal(owner(ROOM + 1), -1);
    assert_false(tell(99, 2));
    assert_int_equal(told(99), -1);
    for (uint16_t i = 1; i <= ROOM; i++) {
        assert_int_equal(owner(i), 3);
        take_away(i, 3, i);
    }
    put(ROOM + 1, 3, 1);
    assert_int_equal(owner(ROOM + 1), 3);
}

static void test_told_is_remembered_and_replaced(void **state)
{
    (void)state;
    assert_int_equal(told(1), -1);
    assert_true(tell(1, 2));
    assert_int_equal(told(1), 2);
    assert_true(tell(1, 3));
    assert_int_equal(told(1), 3);
    assert_int_equal(owner(1), -1); /* that is the other worker's table */
}

static void test_walk_meets_every_flow_and_forgets_some(void **state)
{
    uint32_t cursor = NB_REGISTRY_NONE;
    unsigned met = 0, sum = 0;

    (void)state;
    for (uint16_t i = 1; i <= ROOM; i++)
        assert_true(tell(i, 2));
    for (const struct nb_forward *f; (f = nb_registry_away_at(&r, &cursor)); met++) {
        sum += f->flow.key.remote_port;
        nb_registry_away_step(&r, &cursor, f->flow.key.remote_port % 2 == 0);
    }
    assert_int_equal(met, ROOM);
    assert_int_equal(sum, ROOM * (ROOM + 1) / 2);
    for (uint16_t i = 1; i <= ROOM; i++)
        assert_int_equal(told(i), i % 2 ? 2 : -1);
    for (uint16_t i = 1; i <= ROOM / 2; i++)
        assert_true(tell((uint16_t)(100 + i), 2)); /* their room is free again */
    assert_false(tell(200, 2));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_entry_is_found_and_goes_when_its_owner_says_so),
        T(test_entry_put_again_names_the_new_owner),
        T(test_own_flow_under_the_key_stays),
        T(test_room_full_is_remembered_and_harms_no_entry),
        T(test_told_is_remembered_and_replaced),
        T(test_walk_meets_every_flow_and_forgets_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
