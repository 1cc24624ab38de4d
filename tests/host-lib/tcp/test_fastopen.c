/* test_fastopen.c - TCP Fast Open (RFC 7413), both roles, with Linux's cookies.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define PSH NB_TCP_PSH

static const struct nb_cookie request = {.bytes = 0};

/* SipHash-2-4 of 10.99.0.1, 10.99.0.2 under the bytes 0 to 15, and of fd99::1, fd99::2: computed by another program. */
static const struct nb_cookie good = {.bytes = 8, .value = {0x6d, 0x77, 0x46, 0xed, 0xd7, 0x78, 0x35, 0x71}};
static const struct nb_cookie good6 = {.bytes = 8, .value = {0xc3, 0x52, 0xbd, 0xfb, 0xe7, 0x6d, 0x13, 0xe8}};
static const struct nb_cookie bad = {.bytes = 8, .value = {1, 2, 3, 4, 5, 6, 7, 8}};

static struct nb_tcp_options listener_options;

static struct one_end *server_of(uint8_t family, uint32_t bits)
{
    struct one_end *e = end_new(&(struct end_options){.family = family, .recv_buffer = 1 << 20});
    struct nb_tcp_settings *s = nb_tcp_settings(e->tcp);
    s->fastopen = bits;
    for (unsigned i = 0; i < NB_FASTOPEN_KEY_BYTES; i++)
        s->fastopen_key[0][i] = (uint8_t)i, s->fastopen_key[1][i] = (uint8_t)(100 + i);
    s->fastopen_keys = 1;
    end_listen(e);
    listener_options = (struct nb_tcp_options){.fastopen_queue = 2};
    nb_tcp_listener_set_options(e->tcp, &e->key, &listener_options);
    return e;
}

static struct one_end *server(void)
{
    return server_of(NB_FAMILY_IPV4, NB_FASTOPEN_SERVER);
}

static struct end_packet *syn_arrives(struct one_end *e, const struct nb_cookie *cookie, const char *text)
{
    arrive(e, .flags = SYN, .options = NB_SEG_MSS | (cookie ? NB_SEG_FASTOPEN : 0), .mss = END_MSS, .cookie = cookie,
           .text = text);
    struct end_packet *p = end_sent(e);
    assert_int_equal(p->flags, SYN | ACK);
    return p;
}

static void expect_cookie(const struct end_packet *p, const struct nb_cookie *cookie)
{
    assert_true(p->seg.options & NB_SEG_FASTOPEN);
    assert_int_equal(p->seg.cookie.bytes, cookie->bytes);
    assert_memory_equal(p->seg.cookie.value, cookie->value, (size_t)cookie->bytes);
}

/* --- server ----------------------------------------------------------------------------------- */

static void test_request_is_answered_with_linuxs_cookie(void **state)
{
    (void)state;
    struct one_end *e = server();
    expect_cookie(syn_arrives(e, &request, NULL), &good);
    assert_int_equal(e->n_accepted, 0);
    end_free(e);
    e = server_of(NB_FAMILY_IPV6, NB_FASTOPEN_SERVER);
    expect_cookie(syn_arrives(e, &request, NULL), &good6);
    end_free(e);
}

static void test_data_with_a_good_cookie_reaches_the_application_before_the_handshake_is_done(void **state)
{
    (void)state;
    struct one_end *e = server();
    struct end_packet *p = syn_arrives(e, &good, "hello");
    assert_int_equal(p->ack, 6);
    assert_int_equal(e->n_accepted, 1);
    assert_int_equal(e->n_received, 5);
    assert_memory_equal(e->received, "hello", 5);
    assert_true(end_info(e).syn_data);
    assert_int_equal(end_write(e, "answer"), 6); /* and the answer leaves at once, too */
    end_expect(e, ACK | PSH, 1, 6, 6);
    arrive(e, .flags = ACK, .seq = 6, .ack = 7);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    assert_int_equal(e->n_accepted, 1);
    end_free(e);
}

static void test_data_with_a_bad_cookie_is_left_out_and_the_good_cookie_told(void **state)
{
    (void)state;
    struct one_end *e = server();
    struct end_packet *p = syn_arrives(e, &bad, "hello");
    assert_int_equal(p->ack, 1);
    expect_cookie(p, &good);
    assert_int_equal(e->n_accepted, 0);
    arrive(e, .flags = ACK | PSH, .seq = 1, .ack = 1, .text = "hello"); /* the client sends it again */
    assert_int_equal(e->n_accepted, 1);
    assert_int_equal(e->n_received, 5);
    end_forget_sent(e);
    end_free(e);
}

static void test_data_without_a_cookie_is_left_out_unless_none_is_needed(void **state)
{
    (void)state;
    struct one_end *e = server();
    assert_int_equal(syn_arrives(e, NULL, "hello")->ack, 1);
    assert_int_equal(e->n_accepted, 0);
    end_free(e);
    e = server_of(NB_FAMILY_IPV4, NB_FASTOPEN_SERVER | NB_FASTOPEN_SERVER_NO_COOKIE);
    assert_int_equal(syn_arrives(e, NULL, "hello")->ack, 6);
    assert_int_equal(e->n_accepted, 1);
    end_free(e);
}

static void test_switched_off_server_knows_no_cookies(void **state)
{
    (void)state;
    struct one_end *e = server_of(NB_FAMILY_IPV4, NB_FASTOPEN_CLIENT);
    struct end_packet *p = syn_arrives(e, &good, "hello");
    assert_int_equal(p->ack, 1);
    assert_false(p->seg.options & NB_SEG_FASTOPEN);
    assert_int_equal(e->n_accepted, 0);
    end_free(e);
}

static void test_listener_without_a_queue_takes_part_in_nothing(void **state)
{
    (void)state;
    struct one_end *e = server();
    listener_options.fastopen_queue = 0;
    assert_int_equal(syn_arrives(e, &good, "hello")->ack, 1);
    assert_int_equal(e->n_accepted, 0);
    end_free(e);
}

/* RFC 7413 §5.1: a flood of spoofed SYNs with a stolen cookie must not fill the server. */
static void test_more_pending_connections_than_the_queue_takes_wait_for_their_handshake(void **state)
{
    (void)state;
    struct one_end *e = server();
    for (unsigned i = 0; i < 3; i++) {
        e->key.remote_port = (uint16_t)(END_PEER_PORT + i);
        e->iss = 0;
        end_arrive(
            e,
            &(struct end_arrival){
                .flags = SYN, .options = NB_SEG_MSS | NB_SEG_FASTOPEN, .mss = END_MSS, .cookie = &good, .text = "x"});
        assert_int_equal(end_sent(e)->ack, i < 2 ? 2 : 1);
    }
    assert_int_equal(e->n_accepted, 2);
    end_free(e);
}

/* RFC 5961 §4.2: the application has the connection, and a SYN must not take it away behind its back. */
static void test_syn_in_window_of_a_pending_connection_is_challenged(void **state)
{
    (void)state;
    struct one_end *e = server();
    syn_arrives(e, &good, "hello");
    arrive(e, .flags = SYN, .seq = 10);
    assert_int_equal(end_state(e), NB_TCP_SYN_RECEIVED);
    end_expect(e, ACK, 1, 6, 0);
    arrive(e, .flags = ACK, .seq = 6, .ack = 1);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    end_free(e);
}

static void test_cookie_of_the_backup_key_is_taken_and_the_new_one_told(void **state)
{
    (void)state;
    struct one_end *e = server();
    struct nb_tcp_settings *s = nb_tcp_settings(e->tcp);
    memcpy(s->fastopen_key[1], s->fastopen_key[0], NB_FASTOPEN_KEY_BYTES);
    memset(s->fastopen_key[0], 7, NB_FASTOPEN_KEY_BYTES);
    s->fastopen_keys = 2;
    struct end_packet *p = syn_arrives(e, &good, "hello");
    assert_int_equal(p->ack, 6);
    assert_true(p->seg.options & NB_SEG_FASTOPEN);
    assert_memory_not_equal(p->seg.cookie.value, good.value, 8);
    end_free(e);
}

/* Of the process's secret and the time: the same at every instance. */
static struct one_end *server_without_a_key(uint64_t epochs_later)
{
    struct one_end *e = server();
    nb_tcp_settings(e->tcp)->fastopen_keys = 0;
    e->now += epochs_later << 32;
    return e;
}

static void test_without_a_chosen_key_a_cookie_is_good_everywhere_for_two_epochs(void **state)
{
    (void)state;
    struct one_end *e = server_without_a_key(0);
    struct nb_cookie given = syn_arrives(e, &request, "")->seg.cookie;
    assert_int_equal(given.bytes, 8);
    end_free(e);
    for (unsigned later = 0; later < 3; later++) {
        e = server_without_a_key(later);
        struct end_packet *p = syn_arrives(e, &given, "hello");
        assert_int_equal(p->ack, later < 2 ? 6 : 1);
        assert_int_equal((p->seg.options & NB_SEG_FASTOPEN) != 0, later > 0);
        if (later)
            assert_memory_not_equal(p->seg.cookie.value, given.value, 8);
        end_free(e);
    }
}

/* --- client ----------------------------------------------------------------------------------- */

static size_t open_fast(struct one_end *e, const char *text)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    struct nb_tcp_open how = {.fastopen = true, .iov = &iov, .n_iov = 1};
    int err = 0;
    e->iss = nb_isn_of((const uint8_t *)"a test's secret", &e->key, e->now).iss;
    e->tcb = nb_tcp_open(e->tcp, &e->key, &how, &err);
    assert_non_null(e->tcb);
    end_flush(e);
    return how.taken;
}

/* The first connection asks for a cookie and gets `cookie`; it is then ended. */
static struct one_end *client_with(const struct nb_cookie *cookie)
{
    struct one_end *e = end_new(NULL);
    assert_int_equal(open_fast(e, "hello"), 0);
    struct end_packet *p = end_expect(e, SYN, 0, 0, 0);
    assert_true(p->seg.options & NB_SEG_FASTOPEN);
    assert_int_equal(p->seg.cookie.bytes, 0);
    arrive(e, .flags = SYN | ACK, .ack = 1, .options = NB_SEG_MSS | (cookie ? NB_SEG_FASTOPEN : 0), .mss = END_MSS,
           .cookie = cookie);
    nb_tcp_abort(e->tcp, e->tcb);
    end_flush(e);
    end_forget_sent(e);
    return e;
}

static void test_cookie_is_asked_for_and_used_with_data_the_next_time(void **state)
{
    (void)state;
    struct one_end *e = client_with(&good);
    assert_int_equal(open_fast(e, "hello"), 5);
    struct end_packet *p = end_expect(e, SYN, 0, 0, 5);
    expect_cookie(p, &good);
    assert_memory_equal(p->payload, "hello", 5);
    arrive(e, .flags = SYN | ACK, .ack = 6, .options = NB_SEG_MSS, .mss = END_MSS);
    end_expect(e, ACK, 6, 1, 0);
    assert_int_equal(e->n_connected, 2);
    assert_true(end_info(e).syn_data);
    end_free(e);
}

static void test_data_that_the_server_left_out_is_sent_again_at_once(void **state)
{
    (void)state;
    struct one_end *e = client_with(&good);
    open_fast(e, "hello");
    end_forget_sent(e);
    arrive(e, .flags = SYN | ACK, .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS);
    struct end_packet *p = end_sent(e);
    assert_int_equal(p->seq, 1);
    assert_int_equal(p->n, 5);
    assert_false(end_info(e).syn_data);
    end_nothing_sent(e);
    end_free(e);
}

static void test_lost_syn_is_repeated_without_data_and_cookie(void **state)
{
    (void)state;
    struct one_end *e = client_with(&good);
    open_fast(e, "hello");
    end_forget_sent(e);
    wait_us(e, 1100000);
    struct end_packet *p = end_expect(e, SYN, 0, 0, 0); /* RFC 7413 §4.2.1: what dropped it may mind the data */
    assert_false(p->seg.options & NB_SEG_FASTOPEN);
    arrive(e, .flags = SYN | ACK, .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS);
    p = end_sent(e);
    assert_int_equal(p->n, 5);
    end_forget_sent(e);
    end_free(e);
}

static void test_server_without_cookies_is_an_ordinary_one(void **state)
{
    (void)state;
    struct one_end *e = client_with(NULL);
    assert_int_equal(open_fast(e, "hello"), 0);
    end_forget_sent(e);
    arrive(e, .flags = SYN | ACK, .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS);
    assert_int_equal(e->n_connected, 2);
    end_forget_sent(e);
    end_free(e);
}

static void test_forgotten_destinations_are_asked_again(void **state)
{
    (void)state;
    struct one_end *e = client_with(&good);
    assert_true(nb_tcp_fastopen_ready(e->tcp, &e->key, &nb_tcp_options_default));
    nb_tcp_forget_destinations(e->tcp);
    assert_false(nb_tcp_fastopen_ready(e->tcp, &e->key, &nb_tcp_options_default));
    end_free(e);
}

static void test_data_of_a_syn_keeps_to_the_mss_that_the_user_chose(void **state)
{
    (void)state;
    static const char bytes[2000];
    static const struct nb_tcp_options small = {.user_mss = 540};
    struct one_end *e = client_with(&good);
    struct iovec iov = {(char *)(uintptr_t)bytes, sizeof bytes};
    struct nb_tcp_open how = {.options = &small, .fastopen = true, .iov = &iov, .n_iov = 1};
    int err;
    e->iss = nb_isn_of((const uint8_t *)"a test's secret", &e->key, e->now).iss;
    e->tcb = nb_tcp_open(e->tcp, &e->key, &how, &err);
    assert_non_null(e->tcb);
    assert_int_equal(how.taken, 500); /* and leaves room for options */
    end_expect(e, SYN, 0, 0, 500);
    end_free(e);
}

/* The window in a SYN is for what follows ours, which nobody has acknowledged yet. */
static void test_window_of_the_syn_is_filled_before_the_handshake_is_done(void **state)
{
    (void)state;
    struct one_end *e = server();
    arrive(e, .flags = SYN, .options = NB_SEG_MSS | NB_SEG_FASTOPEN, .mss = END_MSS, .cookie = &good, .text = "hello",
           .window = 3000);
    end_expect(e, SYN | ACK, 0, 6, 0);
    uint32_t sent = 0;
    end_write_n(e, 5000);
    for (unsigned i = 1; i < e->n_sent; i++)
        sent += e->sent[i].n;
    assert_int_equal(sent, 3000);
    end_forget_sent(e);
    end_free(e);
}

/* Linux's clients rely on it: window growth begins with what comes after the handshake. */
static void test_data_of_a_syn_does_not_make_the_window_grow(void **state)
{
    (void)state;
    struct one_end *e = server();
    uint32_t offered;
    arrive(e, .flags = SYN, .options = NB_SEG_MSS | NB_SEG_FASTOPEN, .mss = END_MSS, .cookie = &good, .n = 1000);
    offered = e->tcb->rcv_ssthresh;
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1001, .ack = 1);
    assert_int_equal(e->tcb->rcv_ssthresh, offered);
    arrive(e, .flags = ACK, .seq = 1001, .ack = 1, .n = 1000);
    assert_true(e->tcb->rcv_ssthresh > offered);
    assert_int_equal(end_info(e).data_segs_in, 2);
    end_forget_sent(e);
    end_free(e);
}

static void test_answer_that_echoes_no_syn_of_ours_is_reset(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_sent(e);
    uint32_t ours = e->sent[0].seg.ts_value;
    wait_us(e, 10000);
    arrive(e, .flags = SYN | ACK, .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS, .ts_value = 7, .ts_echo = ours - 1);
    end_expect(e, NB_TCP_RST, 1, 0, 0);
    arrive(e, .flags = SYN | ACK, .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS, .ts_value = 7, .ts_echo = ours + 11);
    end_expect(e, NB_TCP_RST, 1, 0, 0);
    assert_int_equal(end_state(e), NB_TCP_SYN_SENT);
    arrive(e, .flags = SYN | ACK, .ack = 1, .options = NB_SEG_MSS, .mss = END_MSS, .ts_value = 7, .ts_echo = ours);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_is_answered_with_linuxs_cookie),
        cmocka_unit_test(test_data_with_a_good_cookie_reaches_the_application_before_the_handshake_is_done),
        cmocka_unit_test(test_data_with_a_bad_cookie_is_left_out_and_the_good_cookie_told),
        cmocka_unit_test(test_data_without_a_cookie_is_left_out_unless_none_is_needed),
        cmocka_unit_test(test_switched_off_server_knows_no_cookies),
        cmocka_unit_test(test_listener_without_a_queue_takes_part_in_nothing),
        cmocka_unit_test(test_more_pending_connections_than_the_queue_takes_wait_for_their_handshake),
        cmocka_unit_test(test_syn_in_window_of_a_pending_connection_is_challenged),
        cmocka_unit_test(test_cookie_of_the_backup_key_is_taken_and_the_new_one_told),
        cmocka_unit_test(test_without_a_chosen_key_a_cookie_is_good_everywhere_for_two_epochs),
        cmocka_unit_test(test_cookie_is_asked_for_and_used_with_data_the_next_time),
        cmocka_unit_test(test_data_that_the_server_left_out_is_sent_again_at_once),
        cmocka_unit_test(test_lost_syn_is_repeated_without_data_and_cookie),
        cmocka_unit_test(test_server_without_cookies_is_an_ordinary_one),
        cmocka_unit_test(test_forgotten_destinations_are_asked_again),
        cmocka_unit_test(test_data_of_a_syn_keeps_to_the_mss_that_the_user_chose),
        cmocka_unit_test(test_window_of_the_syn_is_filled_before_the_handshake_is_done),
        cmocka_unit_test(test_data_of_a_syn_does_not_make_the_window_grow),
        cmocka_unit_test(test_answer_that_echoes_no_syn_of_ours_is_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
