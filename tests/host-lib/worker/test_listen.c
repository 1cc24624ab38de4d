/* test_listen.c - who accepts a connection, when that is not simply the worker where its SYN arrived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eal.h"
#include "worker_wire.h"

/* --- SYN cookies ---------------------------------------------------------------------------------------------------
 */

#define COOKIES 16 /* more than a change of RETA has steps */

static struct client cookie[COOKIES];
static unsigned cookies_back;

static void one_half_open(struct nb_runtime_config *c)
{
    c->limits.half_open = 1;
}

static int setup_under_pressure(void **state)
{
    (void)state;
    cookies_back = 0;
    return setup_with(one_half_open);
}

/* A client whose SYN worker 0 has answered without keeping anything. */
static void ask_for_cookie(struct client *c)
{
    uint64_t before = counter(0, NB_COUNTER_SYNCOOKIES_SENT);

    *c = client_at_home(0);
    assert_int_equal(exchange_on(0, c, NB_TCP_SYN, "").seg.flags, NB_TCP_SYN | NB_TCP_ACK);
    assert_int_equal(counter(0, NB_COUNTER_SYNCOOKIES_SENT), before + 1);
}

/* One cookie comes back through each of both queues. */
static void bring_cookies_back(void)
{
    for (unsigned queue = 0; queue < 2; queue++) {
        struct client *c = &cookie[cookies_back++];

        send_on(queue, c, NB_TCP_ACK, "");
        settle();
        receive_nothing();
        echo_on(queue, c, "remembered");
    }
}

static void test_cookie_of_one_worker_opens_at_another_in_every_step_of_a_reta_change(void **state)
{
    struct client first = client_at_home(0);
    uint16_t reta[RETA_SIZE];

    (void)state;
    exchange_on(0, &first, NB_TCP_SYN, ""); /* the one that may be half-open */
    for (unsigned i = 0; i < COOKIES; i++)
        ask_for_cookie(&cookie[i]);
    all_to(reta, 1);
    change_reta(reta, false, bring_cookies_back);
    assert_int_equal(total(NB_COUNTER_SYNCOOKIES_RETURNED), cookies_back);
    assert_true(counter(1, NB_COUNTER_SYNCOOKIES_RETURNED) > 0); /* which has sent none */
    assert_int_equal(total(NB_COUNTER_RST_SENT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cookie_of_one_worker_opens_at_another_in_every_step_of_a_reta_change,
                                        setup_under_pressure, teardown),
    };

    nb_test_eal();
    clients_pool = nb_test_pool("client", 2047);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
