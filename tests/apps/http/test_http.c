/* test_http.c - the responder behind its callbacks: the nb_conn_* calls are a small model of one connection's send
 * buffer, so that shortage, resumption and order of closing are seen exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <rte_mbuf.h>

#include <netbypass/app.h>

#define GET  "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define TEXT "netbypass: served by the core that owns this connection. Hello.\n"
#define HEAD_OF(bytes, type, rest)                                                                                     \
    "HTTP/1.1 200 OK\r\nServer: netbypass\r\nContent-Type: " type "\r\nContent-Length: " bytes "\r\n" rest "\r\n"
#define ROOT       HEAD_OF("64", "text/plain", "") TEXT
#define ROOT_CLOSE HEAD_OF("64", "text/plain", "Connection: close\r\n") TEXT
#define PERIOD     251
#define MBUFS      1023

extern const struct nb_app nb_app_http;

static struct rte_mempool *pool;

/* --- one connection, as the responder sees it --------------------------------------------------------------------- */

static struct model {
    void *state, *user;
    char out[1 << 20];
    size_t sent, room;          /* taken so far; space in the send buffer now */
    size_t delivered, consumed; /* received bytes, and those given back */
    bool short_write, shut_down, closed, aborted, gone;
} model;

static const struct nb_conn handle = {.index = 7, .generation = 9};

static void check_handle(struct nb_conn c)
{
    assert_int_equal(c.index, handle.index);
    assert_int_equal(c.generation, handle.generation);
    assert_false(model.gone);
}

int nb_conn_write(struct nb_worker *w, struct nb_conn c, const void *bytes, size_t n)
{
    (void)w;
    check_handle(c);
    assert_false(model.shut_down);
    assert_true(n > 0);
    size_t taken = n < model.room ? n : model.room;
    assert_true(model.sent + taken <= sizeof model.out);
    memcpy(model.out + model.sent, bytes, taken);
    model.sent += taken;
    model.room -= taken;
    model.short_write = model.short_write || taken < n;
    return (int)taken;
}

void nb_conn_consumed(struct nb_worker *w, struct nb_conn c, size_t n)
{
    (void)w;
    check_handle(c);
    model.consumed += n;
    assert_true(n > 0 && model.consumed <= model.delivered);
}

int nb_conn_shutdown(struct nb_worker *w, struct nb_conn c)
{
    (void)w;
    check_handle(c);
    assert_false(model.shut_down);
    model.shut_down = true;
    return 0;
}

int nb_conn_close(struct nb_worker *w, struct nb_conn c)
{
    (void)w;
    check_handle(c);
    assert_false(model.closed);
    assert_int_equal(model.consumed, model.delivered); /* else the stack would send RST */
    model.closed = model.shut_down = true;
    return 0;
}

static void leave(enum nb_closed_reason reason)
{
    nb_app_http.on_closed(NULL, model.state, handle, model.user, reason);
    model.gone = true;
}

void nb_conn_abort(struct nb_worker *w, struct nb_conn c)
{
    (void)w;
    check_handle(c);
    model.aborted = true;
    leave(NB_CLOSED_ABORTED);
}

static bool accepting = true; /* this worker: it outlives connections */

int nb_worker_accept(struct nb_worker *w, const void *state, bool on)
{
    (void)w;
    assert_ptr_equal(state, model.state);
    assert_true(on != accepting);
    accepting = on;
    return 0;
}

void nb_conn_set_user(struct nb_worker *w, struct nb_conn c, void *user)
{
    (void)w, (void)c;
    model.user = user;
}

unsigned nb_worker_index(const struct nb_worker *w)
{
    (void)w;
    return 0;
}

/* --- the peer ----------------------------------------------------------------------------------------------------- */

static bool accept_again(size_t room)
{
    void *state = model.state;
    memset(&model, 0, sizeof model);
    model.state = state;
    model.room = room;
    return nb_app_http.on_accept(NULL, state, handle);
}

static void deliver(const char *bytes, size_t n)
{
    while (n && !model.gone) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
        assert_non_null(m);
        size_t part = n < rte_pktmbuf_tailroom(m) ? n : rte_pktmbuf_tailroom(m);
        memcpy(rte_pktmbuf_append(m, (uint16_t)part), bytes, part);
        model.delivered += part;
        nb_app_http.on_data(NULL, model.state, handle, model.user, m);
        bytes += part;
        n -= part;
    }
}

static void say(const char *text)
{
    deliver(text, strlen(text));
}

static void give_room(size_t n)
{
    model.room += n;
    if (!model.short_write)
        return;
    model.short_write = false;
    nb_app_http.on_writable(NULL, model.state, handle, model.user);
}

static void peer_closes(void)
{
    nb_app_http.on_peer_closed(NULL, model.state, handle, model.user);
}

static void expect_sent(const char *text)
{
    assert_int_equal(model.sent, strlen(text));
    assert_memory_equal(model.out, text, model.sent);
}

static void expect_pattern(size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal((uint8_t)model.out[at + i], i % PERIOD);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int start_with(const char *key, const char *value, struct nb_error *err)
{
    struct nb_app_option option = {key, value};
    return nb_app_http.start(NULL, &option, key ? 1 : 0, &model.state, err);
}

static int setup(void **state)
{
    (void)state;
    struct nb_error err;
    memset(&model, 0, sizeof model);
    if (start_with("connections", "2", &err))
        return -1;
    return accept_again(SIZE_MAX / 2) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    if (!model.gone)
        leave(NB_CLOSED_RESET);
    nb_app_http.stop(NULL, model.state);
    return rte_mempool_in_use_count(pool) == 0 ? 0 : -1;
}

/* --- requests and responses --------------------------------------------------------------------------------------- */

static void test_request_split_anywhere_gets_one_response(void **state)
{
    (void)state;
    for (size_t i = 1; i < strlen(GET); i++) {
        leave(NB_CLOSED_NORMAL);
        assert_true(accept_again(SIZE_MAX / 2));
        deliver(GET, i);
        assert_int_equal(model.sent, 0);
        assert_int_equal(model.consumed, i);
        say(GET + i);
        expect_sent(ROOT);
        assert_false(model.shut_down);
    }
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    say(GET "GET /bytes/5 HTTP/1.1\r\nHost: h\r\n\r\n" GET);
    static const char expected[] = ROOT HEAD_OF("5", "application/octet-stream", "") "\0\1\2\3\4" ROOT;
    assert_int_equal(model.sent, sizeof expected - 1);
    assert_memory_equal(model.out, expected, model.sent);
}

static void test_head_request_gets_no_body(void **state)
{
    (void)state;
    say("HEAD / HTTP/1.1\r\nHost: h\r\n\r\nHEAD /bytes/9 HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_sent(HEAD_OF("64", "text/plain", "") HEAD_OF("9", "application/octet-stream", ""));
}

static void test_connection_close_closes_after_the_response(void **state)
{
    (void)state;
    say("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    expect_sent(ROOT_CLOSE);
    assert_true(model.closed);
}

static void test_http_1_0_closes_after_the_response(void **state)
{
    (void)state;
    say("GET / HTTP/1.0\r\n\r\n");
    expect_sent(ROOT_CLOSE);
    assert_true(model.closed);
}

static void test_response_survives_every_size_of_short_write(void **state)
{
    (void)state;
    const char *request = GET "GET /bytes/700 HTTP/1.1\r\nHost: h\r\n\r\n"
                              "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    const char *head = HEAD_OF("700", "application/octet-stream", "");
    size_t body_at = strlen(ROOT) + strlen(head), end_at = body_at + 700;
    for (size_t room = 1; room < end_at + strlen(ROOT_CLOSE) + 2; room++) {
        leave(NB_CLOSED_NORMAL);
        assert_true(accept_again(0));
        say(request);
        while (model.short_write)
            give_room(room);
        assert_int_equal(model.sent, end_at + strlen(ROOT_CLOSE));
        assert_memory_equal(model.out, ROOT, strlen(ROOT));
        assert_memory_equal(model.out + strlen(ROOT), head, strlen(head));
        expect_pattern(body_at, 700);
        assert_memory_equal(model.out + end_at, ROOT_CLOSE, strlen(ROOT_CLOSE));
        assert_true(model.closed);
        assert_int_equal(model.consumed, strlen(request));
    }
}

static void test_pattern_goes_on_across_chunks(void **state)
{
    (void)state;
    say("GET /bytes/1000000 HTTP/1.1\r\nHost: h\r\n\r\n");
    size_t head = strlen(HEAD_OF("1000000", "application/octet-stream", ""));
    assert_int_equal(model.sent, head + 1000000);
    expect_pattern(head, 1000000);
}

/* --- holding back ------------------------------------------------------------------------------------------------- */

static void test_requests_behind_a_stalled_response_are_not_consumed(void **state)
{
    (void)state;
    model.room = 10;
    say(GET);
    assert_int_equal(model.consumed, strlen(GET));
    say(GET GET);
    assert_int_equal(model.consumed, strlen(GET));
    give_room(3 * strlen(ROOT));
    expect_sent(ROOT ROOT ROOT);
    assert_int_equal(model.consumed, 3 * strlen(GET));
}

static void test_stalled_input_byte_by_byte_pins_few_buffers(void **state)
{
    (void)state;
    model.room = 0;
    say(GET);
    for (unsigned i = 0; i < 8000; i++)
        deliver(GET + i % strlen(GET), 1);
    assert_true(rte_mempool_in_use_count(pool) <= 8000 / 1024);
    give_room(SIZE_MAX / 2);
    assert_int_equal(model.sent, (1 + 8000 / strlen(GET)) * strlen(ROOT));
    assert_int_equal(model.consumed, model.delivered);
}

/* A buffer has two holders; one of them is the responder, whichever it got. */
static void check_shared_buffer(bool responder_gets_clone)
{
    leave(NB_CLOSED_NORMAL);
    assert_true(accept_again(0));
    say(GET);
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *clone;
    strcpy(rte_pktmbuf_append(m, (uint16_t)strlen(GET)), GET);
    clone = rte_pktmbuf_clone(m, pool);
    assert_non_null(clone);
    model.delivered += strlen(GET);
    nb_app_http.on_data(NULL, model.state, handle, model.user, responder_gets_clone ? clone : m);
    say("X");
    struct rte_mbuf *ours = responder_gets_clone ? m : clone;
    assert_int_equal(rte_pktmbuf_mtod(ours, char *)[strlen(GET)], 0);
    give_room(SIZE_MAX / 2);
    expect_sent(ROOT ROOT);
    rte_pktmbuf_free(ours);
}

static void test_shared_buffers_are_not_written_to(void **state)
{
    (void)state;
    check_shared_buffer(true);
    check_shared_buffer(false);
}

static void test_chains_and_empty_buffers_are_taken_apart(void **state)
{
    (void)state;
    struct rte_mbuf *chain = NULL;
    for (size_t i = 0; i < strlen(GET); i++) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *empty = rte_pktmbuf_alloc(pool);
        *rte_pktmbuf_append(m, 1) = GET[i];
        rte_pktmbuf_chain(m, empty);
        if (chain)
            rte_pktmbuf_chain(chain, m);
        else
            chain = m;
    }
    model.delivered = strlen(GET);
    nb_app_http.on_data(NULL, model.state, handle, model.user, chain);
    expect_sent(ROOT);
    assert_int_equal(model.consumed, strlen(GET));
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void test_malformed_request_is_refused_and_its_rest_discarded_until_fin(void **state)
{
    (void)state;
    say("GET /\r\nand so on");
    assert_memory_equal(model.out, "HTTP/1.1 400 Bad Request\r\n", 26);
    assert_true(model.shut_down && !model.closed);
    assert_int_equal(model.consumed, model.delivered);
    say(GET);
    assert_int_equal(model.consumed, model.delivered);
    peer_closes();
    assert_true(model.closed);
}

static void test_peer_that_sends_on_after_a_refusal_is_reset(void **state)
{
    (void)state;
    static char noise[65536];
    say("\n");
    for (int i = 0; i < 1000 && !model.gone; i++)
        deliver(noise, sizeof noise);
    assert_true(model.aborted);
    assert_true(model.delivered < (4 << 20));
}

static void test_close_with_a_body_to_come_waits_for_fin(void **state)
{
    (void)state;
    say("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\n");
    expect_sent(ROOT_CLOSE);
    assert_true(model.shut_down && !model.closed);
    say("12345");
    peer_closes();
    assert_true(model.closed);
}

static void test_requests_after_connection_close_are_ignored(void **state)
{
    (void)state;
    say("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET);
    expect_sent(ROOT_CLOSE);
    assert_true(model.shut_down && !model.closed);
    assert_int_equal(model.consumed, model.delivered);
}

static void test_peer_fin_while_idle_closes(void **state)
{
    (void)state;
    say(GET);
    peer_closes();
    assert_true(model.closed);
}

static void test_peer_fin_within_a_request_closes_silently(void **state)
{
    (void)state;
    deliver(GET, 9);
    peer_closes();
    assert_int_equal(model.sent, 0);
    assert_true(model.closed);
}

static void test_peer_fin_during_a_response_closes_after_everything_asked(void **state)
{
    (void)state;
    model.room = 1;
    say(GET GET "GET");
    peer_closes();
    assert_false(model.closed);
    give_room(SIZE_MAX / 2);
    expect_sent(ROOT ROOT);
    assert_true(model.closed);
}

static void test_peer_fin_then_refusal_closes_at_once(void **state)
{
    (void)state;
    model.room = 1;
    say(GET "\n and more");
    peer_closes();
    give_room(SIZE_MAX / 2);
    assert_true(model.closed);
}

static void test_reset_with_kept_input_gives_everything_back(void **state)
{
    (void)state;
    model.room = 1;
    say(GET GET);
    leave(NB_CLOSED_RESET);
    assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static void test_as_many_connections_as_there_may_be_stop_accepting_until_one_ends(void **state)
{
    (void)state;
    struct model first = model;
    assert_true(accepting);
    assert_true(accept_again(0));
    assert_false(accepting);
    void *second = model.user;
    model = first;
    leave(NB_CLOSED_NORMAL);
    assert_true(accepting);
    assert_true(accept_again(0));
    assert_false(accepting);
    assert_ptr_not_equal(model.user, second);
    nb_app_http.on_closed(NULL, model.state, handle, second, NB_CLOSED_NORMAL);
}

static void expect_refused(const char *key, const char *value, const char *words)
{
    void *state = model.state;
    struct nb_error err = {0};
    assert_int_equal(start_with(key, value, &err), -22);
    assert_non_null(strstr(err.text, words));
    model.state = state;
}

static void test_bad_options_are_refused_with_the_accepted_ones(void **state)
{
    (void)state;
    expect_refused("conections", "1", "accepted: connections");
    static const char *const bad[] = {"", "0", "-1", "1x", "1048577", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_refused("connections", bad[i], "accepted: 1 to 1048576");
}

static void test_start_without_options_has_defaults(void **state)
{
    (void)state;
    void *first = model.state;
    struct nb_error err;
    assert_int_equal(start_with(NULL, NULL, &err), 0);
    nb_app_http.stop(NULL, model.state);
    model.state = first;
}

static int make_pool(void **state)
{
    (void)state;
    char *argv[] = {"test", "--no-huge", "--no-pci", "--no-shconf", "-m", "64", "-l", "0", "--log-level=error", NULL};
    if (rte_eal_init(9, argv) < 0)
        return -1;
    pool = rte_pktmbuf_pool_create("test", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool ? 0 : -1;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_request_split_anywhere_gets_one_response),
        CASE(test_pipelined_requests_are_answered_in_order),
        CASE(test_head_request_gets_no_body),
        CASE(test_connection_close_closes_after_the_response),
        CASE(test_http_1_0_closes_after_the_response),
        CASE(test_response_survives_every_size_of_short_write),
        CASE(test_pattern_goes_on_across_chunks),
        CASE(test_requests_behind_a_stalled_response_are_not_consumed),
        CASE(test_stalled_input_byte_by_byte_pins_few_buffers),
        CASE(test_shared_buffers_are_not_written_to),
        CASE(test_chains_and_empty_buffers_are_taken_apart),
        CASE(test_malformed_request_is_refused_and_its_rest_discarded_until_fin),
        CASE(test_peer_that_sends_on_after_a_refusal_is_reset),
        CASE(test_close_with_a_body_to_come_waits_for_fin),
        CASE(test_requests_after_connection_close_are_ignored),
        CASE(test_peer_fin_while_idle_closes),
        CASE(test_peer_fin_within_a_request_closes_silently),
        CASE(test_peer_fin_during_a_response_closes_after_everything_asked),
        CASE(test_peer_fin_then_refusal_closes_at_once),
        CASE(test_reset_with_kept_input_gives_everything_back),
        CASE(test_as_many_connections_as_there_may_be_stop_accepting_until_one_ends),
        CASE(test_bad_options_are_refused_with_the_accepted_ones),
        CASE(test_start_without_options_has_defaults),
    };
    return cmocka_run_group_tests(tests, make_pool, NULL);
}
