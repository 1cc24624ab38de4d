/* test_md5.c - TCP-MD5 (RFC 2385): whose segments must be signed, what is done with those that are not, and that ours
 * are, in every state. Signatures themselves are wire/test_md5.c's subject.
 */
#include "one_end.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define FIN NB_TCP_FIN
#define RST NB_TCP_RST

static const struct nb_md5_secret good = {.n = 4, .bytes = "good"}, bad = {.n = 3, .bytes = "bad"};
static struct nb_tcp_options with_key;

static struct nb_md5_key key_for(const char *address, uint8_t prefix_bits, const struct nb_md5_secret *secret)
{
    struct nb_md5_key key = {.family = NB_FAMILY_IPV4, .prefix_bits = prefix_bits, .secret = *secret};
    assert_int_equal(inet_pton(AF_INET, address, &key.address), 1);
    return key;
}

/* One end that shares `good` with its peer, 10.99.0.1. */
static struct one_end *keyed(void)
{
    struct one_end *e = end_new(NULL);
    struct nb_md5_key key = key_for("10.99.0.1", 32, &good);
    with_key = (struct nb_tcp_options){0};
    assert_int_equal(nb_tcp_md5_set(e->tcp, &with_key.md5_keys, &key), 0);
    e->secret = &good;
    return e;
}

/* Nobody holds a key any more. */
static void keyed_free(struct one_end *e)
{
    nb_tcp_abort_all(e->tcp);
    end_flush(e);
    end_forget_sent(e);
    wait_us(e, 2 * NB_TIME_WAIT_US);
    nb_tcp_md5_put(e->tcp, with_key.md5_keys);
    for (uint32_t i = 0; i < e->tcp->md5.fresh; i++)
        assert_int_equal(e->tcp->md5.keys[i].references, 0);
    end_free(e);
}

static void listen_with_key(struct one_end *e)
{
    end_listen(e);
    nb_tcp_listener_set_options(e->tcp, &e->key, &with_key);
}

static struct end_packet *expect_signed(struct one_end *e, uint8_t flags, nb_seq_t seq, nb_seq_t ack, uint32_t n)
{
    struct end_packet *p = end_expect(e, flags, seq, ack, n);
    assert_true(p->signed_right);
    return p;
}

#define SYN_OPTIONS (NB_SEG_MSS | NB_SEG_SACK_PERMITTED)

static void signed_syn_received(struct one_end *e)
{
    listen_with_key(e);
    arrive(e, .flags = SYN, .options = SYN_OPTIONS, .mss = 1000, .ts_value = 5, .md5 = &good);
    struct end_packet *p = expect_signed(e, SYN | ACK, 0, 1, 0);
    assert_int_equal(p->seg.options & (NB_SEG_TIMESTAMP | NB_SEG_SACK_PERMITTED), NB_SEG_SACK_PERMITTED);
}

static void signed_established(struct one_end *e)
{
    signed_syn_received(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .md5 = &good);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    end_nothing_sent(e);
}

static void test_signed_connection_opens_talks_and_closes(void **state)
{
    (void)state;
    struct one_end *e = keyed();
    signed_established(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .text = "hello", .md5 = &good);
    assert_int_equal(e->n_received, 5);
    expect_signed(e, ACK, 1, 6, 0);
    end_write(e, "answer");
    expect_signed(e, ACK | NB_TCP_PSH, 1, 6, 6);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    expect_signed(e, FIN | ACK, 7, 6, 0);
    arrive(e, .flags = FIN | ACK, .seq = 6, .ack = 8, .md5 = &good);
    expect_signed(e, ACK, 8, 7, 0);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
    keyed_free(e);
}

static void test_syn_without_the_signature_is_dropped_and_counted(void **state)
{
    (void)state;
    struct one_end *e = keyed();
    listen_with_key(e);
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = 1000);
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = 1000, .md5 = &bad);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1); /* no RST either */
    end_nothing_sent(e);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_MD5_MISSING), 2);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_MD5_WRONG), 1);
    keyed_free(e);
}

static void test_signature_without_a_key_is_dropped_and_counted(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .md5 = &good); /* nobody listens */
    end_established(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .text = "hello", .md5 = &good);
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = 1000, .md5 = &good);
    end_nothing_sent(e);
    assert_int_equal(e->n_received, 0);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_MD5), 3);
    end_free(e);
}

static void test_established_rcv_unsigned_reset_or_data_ignores_it(void **state)
{
    (void)state;
    struct one_end *e = keyed();
    signed_established(e);
    arrive(e, .flags = RST, .seq = 1);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .text = "false");
    arrive(e, .flags = RST, .seq = 1, .md5 = &bad);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .text = "false", .md5 = &bad);
    end_nothing_sent(e);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    assert_int_equal(e->n_received, 0);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_MD5_MISSING), 2);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_MD5_WRONG), 2);
    arrive(e, .flags = RST, .seq = 1, .md5 = &good);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    keyed_free(e);
}

static void test_resets_are_signed(void **state)
{
    (void)state;
    struct one_end *e = keyed();
    listen_with_key(e);
    arrive(e, .flags = ACK, .seq = 7, .ack = 9, .md5 = &good); /* for no connection */
    struct end_packet *p = end_sent(e);
    assert_int_equal(p->flags, RST);
    assert_int_equal(p->seq, 9);
    assert_true(p->signed_right);
    keyed_free(e);
}

static void test_abort_is_signed(void **state)
{
    (void)state;
    struct one_end *e = keyed();
    signed_established(e);
    nb_tcp_abort(e->tcp, e->tcb);
    end_flush(e);
    expect_signed(e, RST | ACK, 1, 1, 0);
    keyed_free(e);
}

static void test_time_wait_answers_signed_segments_only_and_signs(void **state)
{
    (void)state;
    struct one_end *e = keyed();
    signed_established(e);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    expect_signed(e, FIN | ACK, 1, 1, 0);
    arrive(e, .flags = FIN | ACK, .seq = 1, .ack = 2, .md5 = &good);
    expect_signed(e, ACK, 2, 2, 0);
    wait_us(e, 1000000);
    arrive(e, .flags = FIN | ACK, .seq = 1, .ack = 2);
    arrive(e, .flags = SYN, .seq = 100000, .options = NB_SEG_MSS, .mss = 1000);
    end_nothing_sent(e);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
    arrive(e, .flags = FIN | ACK, .seq = 1, .ack = 2, .md5 = &good);
    expect_signed(e, ACK, 2, 2, 0);
    arrive(e, .flags = SYN, .seq = 100000, .options = NB_SEG_MSS, .mss = 1000, .md5 = &good);
    assert_true(end_sent(e)->signed_right);
    assert_int_equal(end_state(e), NB_TCP_SYN_RECEIVED);
    keyed_free(e);
}

static void test_active_open_is_signed_and_takes_a_signed_answer_only(void **state)
{
    (void)state;
    struct one_end *e = keyed();
    struct nb_tcp_open how = {.options = &with_key, .fastopen = true};
    int err;
    e->tcb = nb_tcp_open(e->tcp, &e->key, &how, &err);
    assert_non_null(e->tcb);
    struct end_packet *p = expect_signed(e, SYN, 0, 0, 0);
    assert_int_equal(p->seg.options & (NB_SEG_TIMESTAMP | NB_SEG_FASTOPEN), 0);
    arrive(e, .flags = SYN | ACK, .ack = 1, .options = NB_SEG_MSS, .mss = 1000);
    arrive(e, .flags = RST | ACK, .ack = 1);
    arrive(e, .flags = SYN | ACK, .ack = 1, .options = NB_SEG_MSS, .mss = 1000, .md5 = &bad);
    end_nothing_sent(e);
    assert_int_equal(end_state(e), NB_TCP_SYN_SENT);
    arrive(e, .flags = SYN | ACK, .ack = 1, .options = NB_SEG_MSS, .mss = 1000, .md5 = &good);
    expect_signed(e, ACK, 1, 1, 0);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    keyed_free(e);
}

static void test_signature_takes_twenty_bytes_of_a_segment_and_leaves_room_for_two_sacks(void **state)
{
    (void)state;
    struct one_end *e = keyed();
    signed_established(e);
    end_write_n(e, 1960);
    expect_signed(e, ACK, 1, 1, 980);
    expect_signed(e, ACK | NB_TCP_PSH, 981, 1, 980);
    for (unsigned i = 1; i <= 3; i++)
        arrive(e, .flags = ACK, .seq = 1 + 200 * i, .ack = 1961, .n = 100, .md5 = &good);
    expect_signed(e, ACK, 1961, 1, 0);
    expect_signed(e, ACK, 1961, 1, 0);
    assert_int_equal(expect_signed(e, ACK, 1961, 1, 0)->seg.n_sack, 2);
    keyed_free(e);
}

static void test_syn_cookie_is_signed_and_its_return_opens_a_signed_connection(void **state)
{
    (void)state;
    struct one_end *e = keyed();
    nb_tcp_settings(e->tcp)->syncookies = 2;
    listen_with_key(e);
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = 1460, .md5 = &good);
    struct end_packet *p = end_sent(e);
    assert_true(p->signed_right);
    assert_int_equal(p->flags, SYN | ACK);
    nb_seq_t cookie = p->seq;
    arrive(e, .flags = ACK, .seq = 1, .ack = cookie + 1);
    assert_int_equal(e->n_accepted, 0);
    arrive(e, .flags = ACK, .seq = 1, .ack = cookie + 1, .md5 = &good);
    assert_int_equal(e->n_accepted, 1);
    keyed_free(e);
}

static void test_key_set_on_a_live_connection_counts_at_once(void **state)
{
    (void)state;
    struct one_end *e = keyed();
    end_established_with(e, &(struct end_arrival){.flags = SYN, .options = NB_SEG_MSS, .mss = 1000, .ts_value = 5});
    nb_tcb_set_options(e->tcb, &with_key);
    nb_tcp_options_changed(e->tcp, e->tcb, NB_TCP_CHANGED_MD5);
    end_write_n(e, 1000);
    expect_signed(e, ACK, 1, 1, 968); /* beside the timestamps that were agreed on before */
    expect_signed(e, ACK | NB_TCP_PSH, 969, 1, 32);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001, .ts_value = 6);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_MD5_MISSING), 1);
    nb_tcb_set_options(e->tcb, NULL);
    nb_tcp_options_changed(e->tcp, e->tcb, NB_TCP_CHANGED_MD5);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1001, .ts_value = 6);
    assert_int_equal(nb_tcb_snd_una(e->tcb) - e->iss, 1001);
    keyed_free(e);
}

/* --- lists ------------------------------------------------------------------------------------ */

static const char *secret_for(const struct one_end *e, uint32_t list, const char *address)
{
    struct nb_flow_key flow = {.family = NB_FAMILY_IPV4};
    assert_int_equal(inet_pton(AF_INET, address, &flow.remote), 1);
    uint32_t key = nb__md5_find(e->tcp, list, &flow);
    return key ? (const char *)e->tcp->md5.keys[key - 1].secret.bytes : "none";
}

static void test_most_specific_prefix_wins(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    const struct nb_md5_secret wide = {.n = 4, .bytes = "wide"};
    struct nb_md5_key keys[] = {key_for("10.0.0.0", 9, &wide), key_for("10.1.2.3", 32, &good),
                                key_for("10.1.2.99", 24, &bad)};
    uint32_t list = 0;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(nb_tcp_md5_set(e->tcp, &list, &keys[i]), 0);
    assert_string_equal(secret_for(e, list, "10.1.2.3"), "good");
    assert_string_equal(secret_for(e, list, "10.1.2.4"), "bad");
    assert_string_equal(secret_for(e, list, "10.127.0.0"), "wide");
    assert_string_equal(secret_for(e, list, "10.128.0.0"), "none");
    nb_tcp_md5_put(e->tcp, list);
    end_free(e);
}

static void test_changed_list_leaves_the_old_one_to_its_holders(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    struct nb_md5_key first = key_for("10.0.0.1", 32, &good), second = key_for("10.0.0.2", 32, &good),
                      third = key_for("10.0.0.3", 32, &good),
                      none = key_for("10.0.0.1", 32, &(struct nb_md5_secret){0});
    uint32_t list = 0;
    assert_int_equal(nb_tcp_md5_set(e->tcp, &list, &none), -ENOENT);
    nb_tcp_md5_set(e->tcp, &list, &first);
    nb_tcp_md5_set(e->tcp, &list, &second);
    nb_tcp_md5_set(e->tcp, &list, &third);
    uint32_t old = list;
    nb_tcp_md5_hold(e->tcp, old);
    first.secret = bad;
    assert_int_equal(nb_tcp_md5_set(e->tcp, &list, &first), 0);
    assert_int_equal(
        nb_tcp_md5_set(e->tcp, &list,
                       &(struct nb_md5_key){.family = NB_FAMILY_IPV4, .prefix_bits = 32, .address = third.address}),
        0);
    assert_string_equal(secret_for(e, list, "10.0.0.1"), "bad");
    assert_string_equal(secret_for(e, list, "10.0.0.2"), "good");
    assert_string_equal(secret_for(e, list, "10.0.0.3"), "none");
    assert_string_equal(secret_for(e, old, "10.0.0.1"), "good");
    assert_string_equal(secret_for(e, old, "10.0.0.3"), "good");
    nb_tcp_md5_put(e->tcp, list);
    nb_tcp_md5_put(e->tcp, old);
    for (uint32_t i = 0; i < e->tcp->md5.fresh; i++)
        assert_int_equal(e->tcp->md5.keys[i].references, 0);
    end_free(e);
}

static void test_full_pool_changes_nothing(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    uint32_t list = 0;
    for (unsigned i = 0; i < NB_MD5_KEYS; i++) {
        struct nb_md5_key key = {.family = NB_FAMILY_IPV4, .prefix_bits = 32, .secret = good};
        key.address.word[0] = htonl(0x0a000000 + i);
        assert_int_equal(nb_tcp_md5_set(e->tcp, &list, &key), 0);
    }
    struct nb_md5_key more = key_for("10.200.0.0", 32, &bad), changed = key_for("10.0.0.0", 32, &bad);
    assert_int_equal(nb_tcp_md5_set(e->tcp, &list, &more), -ENOMEM);
    assert_int_equal(nb_tcp_md5_set(e->tcp, &list, &changed), -ENOMEM);
    assert_string_equal(secret_for(e, list, "10.0.0.0"), "good");
    nb_tcp_md5_put(e->tcp, list);
    list = 0;
    assert_int_equal(nb_tcp_md5_set(e->tcp, &list, &more), 0);
    nb_tcp_md5_put(e->tcp, list);
    end_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signed_connection_opens_talks_and_closes),
        cmocka_unit_test(test_syn_without_the_signature_is_dropped_and_counted),
        cmocka_unit_test(test_signature_without_a_key_is_dropped_and_counted),
        cmocka_unit_test(test_established_rcv_unsigned_reset_or_data_ignores_it),
        cmocka_unit_test(test_resets_are_signed),
        cmocka_unit_test(test_abort_is_signed),
        cmocka_unit_test(test_time_wait_answers_signed_segments_only_and_signs),
        cmocka_unit_test(test_active_open_is_signed_and_takes_a_signed_answer_only),
        cmocka_unit_test(test_signature_takes_twenty_bytes_of_a_segment_and_leaves_room_for_two_sacks),
        cmocka_unit_test(test_syn_cookie_is_signed_and_its_return_opens_a_signed_connection),
        cmocka_unit_test(test_key_set_on_a_live_connection_counts_at_once),
        cmocka_unit_test(test_most_specific_prefix_wins),
        cmocka_unit_test(test_changed_list_leaves_the_old_one_to_its_holders),
        cmocka_unit_test(test_full_pool_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
