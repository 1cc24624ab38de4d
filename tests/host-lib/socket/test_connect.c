/* test_connect.c - connect(), bind() and names: errors, states, both families (connect(2), bind(2), ip(7), ipv6(7)).
 */
#include "sock_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SA(x) ((const struct sockaddr *)&(x)), sizeof(x)

static struct nb_sockets *client(struct sock_world *w)
{
    return w->host[0].ns;
}

static int tcp_socket(struct sock_world *w, int flags)
{
    int fd = nb_sock_open(client(w), AF_INET, SOCK_STREAM | flags, 0);
    assert_true(fd >= 0);
    return fd;
}

static int so_error(struct nb_sockets *ns, int fd)
{
    int error = -1;
    socklen_t bytes = sizeof error;
    assert_int_equal(nb_sock_getsockopt(ns, fd, SOL_SOCKET, SO_ERROR, &error, &bytes), 0);
    return error;
}

static void test_socket_of_another_kind_is_refused(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    assert_int_equal(nb_sock_open(client(w), AF_UNIX, SOCK_STREAM, 0), -EAFNOSUPPORT);
    assert_int_equal(nb_sock_open(client(w), AF_INET, SOCK_DGRAM, 0), -ESOCKTNOSUPPORT);
    assert_int_equal(nb_sock_open(client(w), AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
    sock_world_free(w);
}

static void test_blocking_connect_returns_when_the_handshake_is_done(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    sock_world_listen(w, 5);
    int fd = tcp_socket(w, 0);
    uint64_t began = w->now;
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), 0);
    assert_in_range(w->now - began, SOCK_WORLD_RTT, SOCK_WORLD_RTT + 100);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), -EISCONN);
    sock_world_free(w);
}

static void test_non_blocking_connect_says_einprogress_ealready_and_then_0_once(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    sock_world_listen(w, 5);
    int fd = tcp_socket(w, SOCK_NONBLOCK);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), -EINPROGRESS);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), -EALREADY);
    sock_world_run(w, 2 * SOCK_WORLD_RTT);
    assert_int_equal(so_error(client(w), fd), 0);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), 0);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), -EISCONN);
    sock_world_free(w);
}

static void test_refused_connect_says_econnrefused_once(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in to = sock_world_v4(1, 81);
    int fd = tcp_socket(w, 0);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), -ECONNREFUSED);
    fd = tcp_socket(w, SOCK_NONBLOCK);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), -EINPROGRESS);
    sock_world_run(w, 2 * SOCK_WORLD_RTT);
    assert_int_equal(so_error(client(w), fd), ECONNREFUSED);
    assert_int_equal(so_error(client(w), fd), 0);
    sock_world_free(w);
}

static void test_unanswered_connect_times_out(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    int fd = tcp_socket(w, 0);
    w->cut = true;
    uint64_t began = w->now;
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), -ETIMEDOUT);
    assert_in_range((w->now - began) / 1000000, 120, 140); /* tcp_syn_retries 6 */
    sock_world_free(w);
}

static void test_connect_with_a_send_timeout_gives_up_waiting_with_einprogress(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    struct timeval second = {.tv_sec = 1};
    int fd = tcp_socket(w, 0);
    assert_int_equal(nb_sock_setsockopt(client(w), fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second), 0);
    w->cut = true;
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), -EINPROGRESS);
    sock_world_free(w);
}

static void test_bad_addresses_are_refused(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    int fd = tcp_socket(w, SOCK_NONBLOCK);
    assert_int_equal(nb_sock_connect(client(w), fd, NULL, sizeof to), -EFAULT);
    assert_int_equal(nb_sock_connect(client(w), fd, (const struct sockaddr *)&to, 4), -EINVAL);
    assert_int_equal(nb_sock_connect(client(w), 60, SA(to)), -EBADF);
    to.sin_family = AF_UNIX;
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), -EAFNOSUPPORT);
    sock_world_free(w);
}

static void test_unspec_gives_a_connected_socket_back(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    struct sock_pair p = sock_world_connect(w, sock_world_listen(w, 5));
    assert_int_equal(nb_sock_connect(client(w), p.client, &nobody, sizeof nobody), 0);
    socklen_t bytes = sizeof to;
    assert_int_equal(nb_sock_getpeername(client(w), p.client, (struct sockaddr *)&to, &bytes), -ENOTCONN);
    to = sock_world_v4(1, SOCK_WORLD_PORT);
    assert_int_equal(nb_sock_connect(client(w), p.client, SA(to)), 0);
    sock_world_free(w);
}

static void test_names_of_both_ends_agree(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sock_pair p = sock_world_connect(w, sock_world_listen(w, 5));
    struct sockaddr_in own, seen;
    socklen_t bytes = sizeof own;
    assert_int_equal(nb_sock_getsockname(client(w), p.client, (struct sockaddr *)&own, &bytes), 0);
    assert_int_equal(bytes, sizeof own);
    assert_int_equal(nb_sock_getpeername(w->host[1].ns, p.server, (struct sockaddr *)&seen, &bytes), 0);
    assert_memory_equal(&own, &seen, sizeof own);
    struct sockaddr_in wanted = sock_world_v4(0, ntohs(own.sin_port));
    assert_int_equal(own.sin_addr.s_addr, wanted.sin_addr.s_addr);
    assert_int_equal(nb_sock_getpeername(client(w), p.client, (struct sockaddr *)&seen, &bytes), 0);
    wanted = sock_world_v4(1, SOCK_WORLD_PORT);
    assert_memory_equal(&seen, &wanted, sizeof seen);
    sock_world_free(w);
}

/* --- bind ------------------------------------------------------------------------------------- */

static void test_bind_to_a_port_in_use_is_refused_unless_both_reuse_it(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(7000)};
    int one = 1, a = tcp_socket(w, 0), b = tcp_socket(w, 0), c = tcp_socket(w, 0);
    assert_int_equal(nb_sock_bind(client(w), a, SA(at)), 0);
    assert_int_equal(nb_sock_bind(client(w), b, SA(at)), -EADDRINUSE);
    assert_int_equal(nb_sock_setsockopt(client(w), a, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(nb_sock_setsockopt(client(w), b, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(nb_sock_bind(client(w), b, SA(at)), 0);
    assert_int_equal(nb_sock_bind(client(w), c, SA(at)), -EADDRINUSE);
    sock_world_free(w);
}

static void test_reuse_of_an_address_ends_where_somebody_listens(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(7000)};
    int one = 1, a = tcp_socket(w, 0), b = tcp_socket(w, 0);
    assert_int_equal(nb_sock_setsockopt(client(w), a, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(nb_sock_setsockopt(client(w), b, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(nb_sock_bind(client(w), a, SA(at)), 0);
    assert_int_equal(nb_sock_listen(client(w), a, 1), 0);
    assert_int_equal(nb_sock_bind(client(w), b, SA(at)), -EADDRINUSE);
    assert_int_equal(nb_sock_close(client(w), a), 0);
    assert_int_equal(nb_sock_bind(client(w), b, SA(at)), 0);
    sock_world_free(w);
}

static void test_bind_twice_or_to_somebody_elses_address_is_refused(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in at = sock_world_v4(0, 7000), elsewhere = sock_world_v4(1, 7001);
    int fd = tcp_socket(w, 0), one = 1;
    assert_int_equal(nb_sock_bind(client(w), fd, SA(elsewhere)), -EADDRNOTAVAIL);
    assert_int_equal(nb_sock_setsockopt(client(w), fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one), 0);
    assert_int_equal(nb_sock_bind(client(w), fd, SA(elsewhere)), 0);
    assert_int_equal(nb_sock_bind(client(w), fd, SA(at)), -EINVAL);
    sock_world_free(w);
}

static void test_port_0_takes_one_of_the_ephemeral_range(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t bytes = sizeof at;
    int fd = tcp_socket(w, 0);
    assert_int_equal(nb_sock_bind(client(w), fd, SA(at)), 0);
    assert_int_equal(nb_sock_getsockname(client(w), fd, (struct sockaddr *)&at, &bytes), 0);
    assert_in_range(ntohs(at.sin_port), 32768, 60999);
    sock_world_free(w);
}

static void test_bound_port_is_the_one_that_connects(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(7000)}, to = sock_world_v4(1, SOCK_WORLD_PORT),
                       seen;
    socklen_t bytes = sizeof seen;
    int listener = sock_world_listen(w, 5), fd = tcp_socket(w, 0);
    assert_int_equal(nb_sock_bind(client(w), fd, SA(at)), 0);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), 0);
    sock_world_run(w, SOCK_WORLD_RTT);
    assert_true(nb_sock_accept(w->host[1].ns, listener, (struct sockaddr *)&seen, &bytes, 0) >= 0);
    assert_int_equal(ntohs(seen.sin_port), 7000);
    sock_world_free(w);
}

/* --- both families ---------------------------------------------------------------------------- */

static int listen_v6(struct sock_world *w, int only)
{
    struct nb_sockets *ns = w->host[1].ns;
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(SOCK_WORLD_PORT)};
    int fd = nb_sock_open(ns, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(nb_sock_setsockopt(ns, fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only), 0);
    assert_int_equal(nb_sock_bind(ns, fd, SA(at)), 0);
    assert_int_equal(nb_sock_listen(ns, fd, 5), 0);
    return fd;
}

static void test_v6_listener_shows_v4_peers_as_mapped_addresses(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    int listener = listen_v6(w, 0), fd = tcp_socket(w, 0);
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), 0);
    sock_world_run(w, SOCK_WORLD_RTT);
    struct sockaddr_in6 seen;
    socklen_t bytes = sizeof seen;
    assert_true(nb_sock_accept(w->host[1].ns, listener, (struct sockaddr *)&seen, &bytes, 0) >= 0);
    assert_int_equal(seen.sin6_family, AF_INET6);
    assert_true(IN6_IS_ADDR_V4MAPPED(&seen.sin6_addr));
    assert_int_equal(seen.sin6_addr.s6_addr[15], 1);
    sock_world_free(w);
}

static void test_v6_only_listener_takes_no_v4(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    listen_v6(w, 1);
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    assert_int_equal(nb_sock_connect(client(w), tcp_socket(w, 0), SA(to)), -ECONNREFUSED);
    struct sockaddr_in6 to6 = sock_world_v6(1, SOCK_WORLD_PORT);
    int fd = nb_sock_open(client(w), AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to6)), 0);
    sock_world_free(w);
}

static void test_v6_socket_connects_to_a_mapped_address_over_v4(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    int listener = sock_world_listen(w, 5), fd = nb_sock_open(client(w), AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(SOCK_WORLD_PORT)};
    static const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2};
    memcpy(&to.sin6_addr, mapped, sizeof mapped);
    assert_int_equal(nb_sock_connect(client(w), fd, SA(to)), 0);
    sock_world_run(w, SOCK_WORLD_RTT);
    assert_true(nb_sock_accept(w->host[1].ns, listener, NULL, NULL, 0) >= 0);
    sock_world_free(w);
}

static void test_fast_open_from_a_listener_says_eisconn_and_it_goes_on_listening(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    int listener = sock_world_listen(w, 8);
    struct sockaddr_in to = sock_world_v4(0, SOCK_WORLD_PORT);
    assert_int_equal(nb_sock_sendto(w->host[1].ns, listener, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to),
                     -EISCONN);
    sock_world_connect(w, listener);
    sock_world_free(w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socket_of_another_kind_is_refused),
        cmocka_unit_test(test_blocking_connect_returns_when_the_handshake_is_done),
        cmocka_unit_test(test_non_blocking_connect_says_einprogress_ealready_and_then_0_once),
        cmocka_unit_test(test_refused_connect_says_econnrefused_once),
        cmocka_unit_test(test_unanswered_connect_times_out),
        cmocka_unit_test(test_connect_with_a_send_timeout_gives_up_waiting_with_einprogress),
        cmocka_unit_test(test_bad_addresses_are_refused),
        cmocka_unit_test(test_unspec_gives_a_connected_socket_back),
        cmocka_unit_test(test_fast_open_from_a_listener_says_eisconn_and_it_goes_on_listening),
        cmocka_unit_test(test_names_of_both_ends_agree),
        cmocka_unit_test(test_bind_to_a_port_in_use_is_refused_unless_both_reuse_it),
        cmocka_unit_test(test_reuse_of_an_address_ends_where_somebody_listens),
        cmocka_unit_test(test_bind_twice_or_to_somebody_elses_address_is_refused),
        cmocka_unit_test(test_port_0_takes_one_of_the_ephemeral_range),
        cmocka_unit_test(test_bound_port_is_the_one_that_connects),
        cmocka_unit_test(test_v6_listener_shows_v4_peers_as_mapped_addresses),
        cmocka_unit_test(test_v6_only_listener_takes_no_v4),
        cmocka_unit_test(test_v6_socket_connects_to_a_mapped_address_over_v4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
