/* Rules as text: what is printed, what is parsed, what is refused and with which words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <netbypass/rule.h>

#include "random.h"

static void check_prints(const char *text, const char *canonical)
{
    char printed[NB_RULE_TEXT_BYTES];
    struct nb_rule rule;
    struct nb_error err = {0};

    if (nb_rule_parse(text, &rule, &err))
        fail_msg("%s: %s", text, err.text);
    assert_int_equal(nb_rule_print(&rule, printed, sizeof printed), strlen(canonical));
    assert_string_equal(printed, canonical);
}

static void check_same(const char *text)
{
    check_prints(text, text);
}

static void check_refused(const char *text, const char *word)
{
    struct nb_rule rule;
    struct nb_error err = {0};

    assert_int_equal(nb_rule_parse(text, &rule, &err), -EINVAL);
    assert_int_equal(err.code, -EINVAL);
    if (!strstr(err.text, word))
        fail_msg("'%s': expected '%s' in: %s", text, word, err.text);
}

static void test_exact_rule_is_parsed_into_its_fields(void **state)
{
    struct nb_rule rule;
    struct nb_error err;
    (void)state;

    assert_int_equal(nb_rule_parse("tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3", &rule, &err), 0);
    assert_memory_equal(rule.match.src.value, ((uint8_t[16]){10, 0, 0, 1}), 16);
    assert_memory_equal(rule.match.src.mask, ((uint8_t[16]){255, 255, 255, 255}), 16);
    assert_memory_equal(rule.match.dst.value, ((uint8_t[16]){10, 0, 0, 2}), 16);
    assert_int_equal(rule.match.src_port.value, 1000);
    assert_int_equal(rule.match.src_port.mask, 0xffff);
    assert_int_equal(rule.match.dst_port.value, 80);
    assert_int_equal(rule.match.family, NB_RULE_IPV4);
    assert_int_equal(rule.match.protocol, NB_RULE_TCP);
    assert_int_equal(rule.action, NB_RULE_QUEUE);
    assert_int_equal(rule.queue, 3);
    assert_int_equal(rule.engine, NB_ENGINE_ANY);
    assert_int_equal(rule.mark, 0);
}

static void test_canonical_text_comes_back(void **state)
{
    (void)state;
    check_same("tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3");
    check_same("udp 10.0.0.0/8:* -> *:53 drop");
    check_same("tcp *:* -> *:80 queue 0");
    check_same("tcp 0.0.0.0/0:* -> *:992/0xfff0 queue 1");
    check_same("tcp [::/0]:* -> *:80 queue 1");
    check_same("tcp *:* -> [2001:db8::1]:80 queue 65535");
    check_same("tcp [2001:db8::/32]:1000 -> [2001:db8::1]:80 queue 3 mark 7 priority 2 engine 5-tuple");
    check_same("ip 10.0.0.1 -> 10.0.0.2 queue 3 mark 4294967295");
    check_same("tcp 10.0.0.1/255.0.0.255:1 -> *:* queue 1");
    check_same("tcp [2001::1/ffff::ffff]:1 -> *:* queue 1");
    check_same("tcp 10.0.0.0/8:* -> *:80 queues 2-5");
    check_same("tcp *:* -> *:80 queues 65408-65535 mark 3");
    check_same("vlan 5 tcp 10.0.0.1:1 -> 10.0.0.2:2 queue 1 engine flow-director");
    check_same("vlan 16/0xff0 ip * -> * drop");
}

static void test_other_spellings_are_accepted(void **state)
{
    (void)state;
    check_prints("  tcp\t10.0.0.1:1000   ->  10.0.0.2:80 queue 3 ", "tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3");
    check_prints("tcp 10.1.2.3/8:0x10 -> * queue 0x3", "tcp 10.0.0.0/8:16 -> *:* queue 3");
    check_prints("tcp *:1000/0xfff0 -> 10.0.0.2/32:80 drop", "tcp *:992/0xfff0 -> 10.0.0.2:80 drop");
    check_prints("tcp * -> 1.2.3.4 queue 1 engine any priority 1 mark 2",
                 "tcp *:* -> 1.2.3.4:* queue 1 mark 2 priority 1");
}

static void test_bad_text_is_refused_with_place_and_accepted_words(void **state)
{
    (void)state;
    check_refused("", "column 1: the rule ends here; accepted: tcp, udp, ip");
    check_refused("sctp 1.2.3.4 -> * drop", "column 1: 'sctp': accepted: tcp, udp, ip");
    check_refused("tcp 1.2.3:80 -> * drop", "column 5: '1.2.3:80': accepted: an endpoint");
    check_refused("tcp 10.0.0.1:65536 -> * drop", "accepted: a port 0 to 65535");
    check_refused("tcp 10.0.0.1:80/0 -> * drop", "accepted: a port 0 to 65535");
    check_refused("tcp 10.0.0.1:-1 -> * drop", "accepted: a port 0 to 65535");
    check_refused("tcp 10.0.0.1: -> * drop", "accepted: a port 0 to 65535");
    check_refused("tcp 10.0.0.1/33:1 -> * drop", "accepted: an endpoint");
    check_refused("tcp [2001:db8::1:80 -> * drop", "accepted: an endpoint");
    check_refused("tcp [2001:db8::1]80 -> * drop", "accepted: an endpoint");
    check_refused("tcp 1.2.3.4:1 -> [::1]:2 drop", "same family");
    check_refused("tcp 1.2.3.4:1 1.2.3.5:2 drop", "accepted: ->");
    check_refused("ip 1.2.3.4:1 -> * drop", "without a port");
    check_refused("ip * -> * drop", "matches every packet");
    check_refused("tcp * -> *", "column 11: the rule ends here; accepted: queue N, queues FIRST-LAST, or drop");
    check_refused("tcp * -> * queue", "the rule ends here; accepted: a queue 0 to 65535");
    check_refused("tcp * -> * queues 5", "'5': accepted: the first queue and a later one, 2 to 128 in all, as in 2-5");
    check_refused("tcp * -> * queues 5-5", "accepted: the first queue and a later one");
    check_refused("tcp * -> * queues 5-4", "accepted: the first queue and a later one");
    check_refused("tcp * -> * queues 0-128", "accepted: the first queue and a later one");
    check_refused("tcp * -> * queues 65535-65536", "accepted: the first queue and a later one");
    check_refused("tcp * -> * queues -5", "accepted: the first queue and a later one");
    check_refused("tcp * -> * queue 65536", "column 18: '65536': accepted: a queue 0 to 65535");
    check_refused("tcp * -> * queue 1 marc 2", "'marc': accepted: mark N, priority N, engine NAME");
    check_refused("tcp * -> * queue 1 mark 4294967296", "accepted: a mark 0 to");
    check_refused("tcp * -> * queue 1 engine fdir",
                  "accepted: any, flow-director, 5-tuple, switch, steering, ntuple, verbs");
    check_refused("vlan 4096 tcp * -> * drop", "accepted: a VLAN id 0 to 4095");
    check_refused("tcp * -> * drop\n", "'drop?'");
}

static void test_word_of_any_length_is_refused_not_copied(void **state)
{
    char text[1000] = "tcp ";
    (void)state;

    memset(text + 4, '1', sizeof text - 5);
    check_refused(text, "fewer than 128 characters");
    text[4 + 127] = '\0';
    check_refused(text, "accepted: an endpoint");
}

static void test_match_alone_must_end_after_the_match(void **state)
{
    struct nb_match match;
    struct nb_error err;
    (void)state;

    assert_int_equal(nb_match_parse("tcp 1.2.3.4:1 -> 5.6.7.8:2", &match, &err), 0);
    assert_int_equal(nb_match_parse("tcp 1.2.3.4:1 -> 5.6.7.8:2 queue 1", &match, &err), -EINVAL);
    assert_non_null(strstr(err.text, "accepted: the end of the match"));
}

static void test_short_buffer_is_cut_and_terminated(void **state)
{
    struct nb_rule rule;
    struct nb_error err;
    char small[10];
    (void)state;

    assert_int_equal(nb_rule_parse("tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3", &rule, &err), 0);
    memset(small, 'x', sizeof small);
    assert_int_equal(nb_rule_print(&rule, small, sizeof small), 40);
    assert_string_equal(small, "tcp 10.0.");
}

static void random_addr(struct rng *r, struct nb_match_addr *a, size_t n)
{
    uint32_t bits = rng_below(r, (uint32_t)n * 8 + 1);

    if (rng_below(r, 4) == 0)
        rng_fill(r, a->mask, n);
    else
        for (uint32_t i = 0; i < bits; i++)
            a->mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
    rng_fill(r, a->value, n);
    for (size_t i = 0; i < n; i++)
        a->value[i] &= a->mask[i];
}

static void random_u16(struct rng *r, struct nb_match_u16 *v, uint16_t widest)
{
    static const uint16_t usual[] = {0, 0xffff, 0xfff0};

    v->mask = (uint16_t)((rng_below(r, 2) ? usual[rng_below(r, 3)] : rng_next(r)) & widest);
    v->value = (uint16_t)(rng_next(r) & v->mask);
}

static struct nb_rule random_rule(struct rng *r)
{
    static const uint8_t families[] = {NB_RULE_ANY_FAMILY, NB_RULE_IPV4, NB_RULE_IPV6};
    static const uint8_t protocols[] = {NB_RULE_ANY_PROTOCOL, NB_RULE_TCP, NB_RULE_UDP};
    struct nb_rule rule;

    do {
        memset(&rule, 0, sizeof rule);
        rule.match.family = families[rng_below(r, 3)];
        rule.match.protocol = protocols[rng_below(r, 3)];
        size_t n = rule.match.family == NB_RULE_IPV6 ? 16 : rule.match.family == NB_RULE_IPV4 ? 4 : 0;
        random_addr(r, &rule.match.src, n);
        random_addr(r, &rule.match.dst, n);
        random_u16(r, &rule.match.src_port, rule.match.protocol ? 0xffff : 0);
        random_u16(r, &rule.match.dst_port, rule.match.protocol ? 0xffff : 0);
        random_u16(r, &rule.match.vlan, rng_below(r, 2) ? 0x0fff : 0);
    } while (!nb_match_valid(&rule.match));
    rule.action = (enum nb_rule_action)rng_below(r, 3);
    if (rule.action == NB_RULE_GROUP)
        rule.n_queues = (uint16_t)(2 + rng_below(r, NB_RULE_GROUP_MAX - 1));
    rule.queue = rule.action == NB_RULE_DROP ? 0 : (uint16_t)rng_below(r, UINT16_MAX - rule.n_queues);
    rule.mark = rng_below(r, 2) ? (uint32_t)rng_next(r) : 0;
    rule.priority = rng_below(r, 2) ? (uint32_t)rng_next(r) : 0;
    rule.engine = (enum nb_engine)rng_below(r, NB_ENGINE_COUNT);
    return rule;
}

static void test_random_rules_survive_print_and_parse(void **state)
{
    struct rng r = {1};
    (void)state;

    for (int i = 0; i < 20000; i++) {
        struct nb_rule rule = random_rule(&r), back;
        char text[NB_RULE_TEXT_BYTES], again[NB_RULE_TEXT_BYTES];
        struct nb_error err = {0};

        assert_in_range(nb_rule_print(&rule, text, sizeof text), 1, sizeof text - 1);
        if (nb_rule_parse(text, &back, &err))
            fail_msg("%s: %s", text, err.text);
        nb_rule_print(&back, again, sizeof again);
        assert_string_equal(again, text);
        assert_memory_equal(&back, &rule, sizeof rule);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_rule_is_parsed_into_its_fields),
        cmocka_unit_test(test_canonical_text_comes_back),
        cmocka_unit_test(test_other_spellings_are_accepted),
        cmocka_unit_test(test_bad_text_is_refused_with_place_and_accepted_words),
        cmocka_unit_test(test_word_of_any_length_is_refused_not_copied),
        cmocka_unit_test(test_match_alone_must_end_after_the_match),
        cmocka_unit_test(test_short_buffer_is_cut_and_terminated),
        cmocka_unit_test(test_random_rules_survive_print_and_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
