/* test_md5.c - TCP_MD5SIG and TCP_MD5SIG_EXT as tcp(7) and Linux's header have them, between two hosts. What is signed
 * and what is dropped is tcp/test_md5.c's subject.
 */
#include "sock_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <linux/tcp.h>

#include "../../../host-lib/tcp/core.h"

struct fixture {
    struct sock_world *w;
    struct nb_sockets *a, *b; /* the client's host, the server's */
    int listener, client;
};

static struct fixture begin(int domain)
{
    struct fixture f = {.w = sock_world_new(true)};
    f.a = f.w->host[0].ns;
    f.b = f.w->host[1].ns;
    f.listener = sock_world_listen(f.w, 5);
    f.client = nb_sock_open(f.a, domain, SOCK_STREAM | SOCK_NONBLOCK, 0);
    return f;
}

static struct tcp_md5sig key_for(unsigned host, const char *secret)
{
    struct sockaddr_in at = sock_world_v4(host, 0);
    struct tcp_md5sig key = {.tcpm_keylen = (uint16_t)strlen(secret)};
    memcpy(&key.tcpm_addr, &at, sizeof at);
    memcpy(key.tcpm_key, secret, strlen(secret));
    return key;
}

static int set(struct nb_sockets *ns, int fd, int name, const struct tcp_md5sig *key)
{
    return nb_sock_setsockopt(ns, fd, IPPROTO_TCP, name, key, sizeof *key);
}

static int set_key(struct nb_sockets *ns, int fd, unsigned host, const char *secret)
{
    struct tcp_md5sig key = key_for(host, secret);
    return set(ns, fd, TCP_MD5SIG, &key);
}

static int connect_client(struct fixture *f)
{
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    nb_sock_connect(f->a, f->client, (const struct sockaddr *)&to, sizeof to);
    sock_world_run(f->w, 2 * SOCK_WORLD_RTT);
    return nb_sock_connect(f->a, f->client, (const struct sockaddr *)&to, sizeof to);
}

static uint64_t dropped(const struct fixture *f, enum nb_counter counter)
{
    return nb_tcp_counters(f->w->host[1].tcp)[counter];
}

static void check_transfer(struct fixture *f, int server)
{
    char bytes[8] = "";
    assert_int_equal(nb_sock_send(f->a, f->client, "signed", 6, 0), 6);
    sock_world_run(f->w, SOCK_WORLD_RTT);
    assert_int_equal(nb_sock_recv(f->b, server, bytes, sizeof bytes, MSG_DONTWAIT), 6);
    assert_string_equal(bytes, "signed");
}

static void test_same_key_at_both_ends_connects(void **state)
{
    (void)state;
    struct fixture f = begin(AF_INET);
    assert_int_equal(set_key(f.b, f.listener, 0, "secret"), 0);
    assert_int_equal(set_key(f.a, f.client, 1, "secret"), 0);
    assert_int_equal(connect_client(&f), 0);
    check_transfer(&f, nb_sock_accept(f.b, f.listener, NULL, NULL, 0));
    assert_int_equal(dropped(&f, NB_COUNTER_DROP_MD5_MISSING) + dropped(&f, NB_COUNTER_DROP_MD5_WRONG), 0);
    sock_world_free(f.w);
}

static void test_other_key_or_none_does_not_connect(void **state)
{
    (void)state;
    static const struct {
        const char *secret;
        enum nb_counter counter;
    } cases[] = {{"Secret", NB_COUNTER_DROP_MD5_WRONG}, {NULL, NB_COUNTER_DROP_MD5_MISSING}};
    for (unsigned i = 0; i < 2; i++) {
        struct fixture f = begin(AF_INET);
        assert_int_equal(set_key(f.b, f.listener, 0, "secret"), 0);
        if (cases[i].secret)
            assert_int_equal(set_key(f.a, f.client, 1, cases[i].secret), 0);
        assert_int_equal(connect_client(&f), -EALREADY);
        assert_int_equal(dropped(&f, cases[i].counter), 1);
        sock_world_free(f.w);
    }
}

static void test_mapped_address_is_the_ipv4_peer(void **state)
{
    (void)state;
    struct fixture f = begin(AF_INET6);
    struct tcp_md5sig key = key_for(1, "secret");
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(SOCK_WORLD_PORT)};
    struct sockaddr_in v4 = sock_world_v4(1, 0);
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&mapped.sin6_addr.s6_addr[12], &v4.sin_addr, 4);
    assert_int_equal(set(f.a, f.client, TCP_MD5SIG, &key), -EINVAL); /* an AF_INET address */
    memcpy(&key.tcpm_addr, &mapped, sizeof mapped);
    assert_int_equal(set(f.a, f.client, TCP_MD5SIG, &key), 0);
    assert_int_equal(set_key(f.b, f.listener, 0, "secret"), 0);
    nb_sock_connect(f.a, f.client, (const struct sockaddr *)&mapped, sizeof mapped);
    sock_world_run(f.w, 2 * SOCK_WORLD_RTT);
    assert_int_equal(nb_sock_connect(f.a, f.client, (const struct sockaddr *)&mapped, sizeof mapped), 0);
    sock_world_free(f.w);
}

static void test_prefix_is_a_key_for_many(void **state)
{
    (void)state;
    struct fixture f = begin(AF_INET);
    struct tcp_md5sig key = key_for(0, "secret");
    key.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
    key.tcpm_prefixlen = 33;
    assert_int_equal(set(f.b, f.listener, TCP_MD5SIG_EXT, &key), -EINVAL);
    key.tcpm_prefixlen = 8;
    assert_int_equal(set(f.b, f.listener, TCP_MD5SIG_EXT, &key), 0);
    assert_int_equal(set_key(f.a, f.client, 1, "secret"), 0);
    assert_int_equal(connect_client(&f), 0);
    sock_world_free(f.w);
}

static void test_child_keeps_the_key_that_its_listener_gives_up(void **state)
{
    (void)state;
    struct fixture f = begin(AF_INET);
    assert_int_equal(set_key(f.b, f.listener, 0, "secret"), 0);
    assert_int_equal(set_key(f.a, f.client, 1, "secret"), 0);
    assert_int_equal(connect_client(&f), 0);
    int server = nb_sock_accept(f.b, f.listener, NULL, NULL, 0);
    assert_int_equal(set_key(f.b, f.listener, 0, ""), 0);
    assert_int_equal(set_key(f.b, f.listener, 0, ""), -ENOENT);
    check_transfer(&f, server);
    sock_world_free(f.w);
}

static void test_both_ends_change_the_key_of_a_live_connection(void **state)
{
    (void)state;
    struct fixture f = begin(AF_INET);
    assert_int_equal(set_key(f.b, f.listener, 0, "secret"), 0);
    assert_int_equal(set_key(f.a, f.client, 1, "secret"), 0);
    assert_int_equal(connect_client(&f), 0);
    int server = nb_sock_accept(f.b, f.listener, NULL, NULL, 0);
    assert_int_equal(set_key(f.a, f.client, 1, "another"), 0);
    assert_int_equal(nb_sock_send(f.a, f.client, "early", 5, 0), 5);
    sock_world_run(f.w, SOCK_WORLD_RTT);
    assert_true(dropped(&f, NB_COUNTER_DROP_MD5_WRONG) > 0);
    assert_int_equal(set_key(f.b, server, 0, "another"), 0);
    sock_world_run(f.w, 1000000); /* it is sent again */
    char bytes[8] = "";
    assert_int_equal(nb_sock_recv(f.b, server, bytes, sizeof bytes, MSG_DONTWAIT), 5);
    check_transfer(&f, server);
    sock_world_free(f.w);
}

static void test_errors_are_linuxs(void **state)
{
    (void)state;
    struct fixture f = begin(AF_INET);
    struct tcp_md5sig key = key_for(1, "secret");
    socklen_t bytes = sizeof key;
    assert_int_equal(nb_sock_setsockopt(f.a, f.client, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key - 1), -EINVAL);
    assert_int_equal(nb_sock_getsockopt(f.a, f.client, IPPROTO_TCP, TCP_MD5SIG, &key, &bytes), -ENOPROTOOPT);
    key.tcpm_keylen = TCP_MD5SIG_MAXKEYLEN + 1;
    assert_int_equal(set(f.a, f.client, TCP_MD5SIG, &key), -EINVAL);
    key.tcpm_keylen = TCP_MD5SIG_MAXKEYLEN;
    assert_int_equal(set(f.a, f.client, TCP_MD5SIG, &key), 0);
    key.tcpm_flags = TCP_MD5SIG_FLAG_IFINDEX;
    key.tcpm_ifindex = 1;
    assert_int_equal(set(f.a, f.client, TCP_MD5SIG_EXT, &key), -EINVAL);
    key.tcpm_addr.ss_family = AF_INET6;
    assert_int_equal(set(f.a, f.client, TCP_MD5SIG, &key), -EINVAL);
    sock_world_free(f.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_key_at_both_ends_connects),
        cmocka_unit_test(test_other_key_or_none_does_not_connect),
        cmocka_unit_test(test_mapped_address_is_the_ipv4_peer),
        cmocka_unit_test(test_prefix_is_a_key_for_many),
        cmocka_unit_test(test_child_keeps_the_key_that_its_listener_gives_up),
        cmocka_unit_test(test_both_ends_change_the_key_of_a_live_connection),
        cmocka_unit_test(test_errors_are_linuxs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
