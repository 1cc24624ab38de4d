/* test_memory.c - what an idle connection's socket holds: itself, and nothing of any other pool. */
#include "sock_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../../host-lib/socket/options.h"
#include "../../../host-lib/socket/sockets.h"

static struct nb_sock *sock_of(struct sock_world *w, unsigned host, int fd)
{
    int err;
    struct nb_sock *sock = nb__sock_get(w->host[host].ns, fd, &err);
    assert_non_null(sock);
    return sock;
}

static void exchange(struct sock_world *w, struct sock_pair p)
{
    char byte = 'x';
    assert_int_equal(nb_sock_send(w->host[0].ns, p.client, &byte, 1, 0), 1);
    assert_int_equal(nb_sock_recv(w->host[1].ns, p.server, &byte, 1, 0), 1);
    assert_int_equal(nb_sock_send(w->host[1].ns, p.server, &byte, 1, 0), 1);
    assert_int_equal(nb_sock_recv(w->host[0].ns, p.client, &byte, 1, 0), 1);
    sock_world_run(w, 1000000);
}

static void test_idle_connections_have_nothing_extra_at_either_end(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    int listener = sock_world_listen(w, 8);
    for (unsigned i = 0; i < 3; i++)
        exchange(w, sock_world_connect(w, listener));
    assert_int_equal(nb_block_pool_used(&w->host[0].ns->extras), 0);
    assert_int_equal(nb_block_pool_used(&w->host[1].ns->extras), 1); /* the listener's */
    sock_world_free(w);
}

static void test_accepted_socket_shares_its_listeners_options_until_it_changes_one(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    int listener = sock_world_listen(w, 8), on = 1;
    struct sock_pair p = sock_world_connect(w, listener);
    const struct nb_sock *server = sock_of(w, 1, p.server);
    assert_ptr_equal(server->options, sock_of(w, 1, listener)->options);
    assert_int_equal(nb_sock_setsockopt(w->host[1].ns, p.server, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on), 0);
    assert_ptr_not_equal(server->options, sock_of(w, 1, listener)->options);
    sock_world_free(w);
}

/* The address outlives the connection, in the extra that the socket then takes. */
static void test_socket_whose_connection_is_over_knows_its_own_address(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct sock_pair p = sock_world_connect(w, sock_world_listen(w, 8));
    struct sockaddr_in before, after;
    socklen_t bytes = sizeof before;
    assert_int_equal(nb_sock_getsockname(w->host[0].ns, p.client, (struct sockaddr *)&before, &bytes), 0);
    assert_null(sock_of(w, 0, p.client)->extra);
    nb_tcp_abort_all(w->host[1].tcp);
    sock_world_run(w, 1000000);
    assert_null(sock_of(w, 0, p.client)->tcb);
    bytes = sizeof after;
    assert_int_equal(nb_sock_getsockname(w->host[0].ns, p.client, (struct sockaddr *)&after, &bytes), 0);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(nb_sock_getpeername(w->host[0].ns, p.client, (struct sockaddr *)&after, &bytes), -ENOTCONN);
    sock_world_free(w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_connections_have_nothing_extra_at_either_end),
        cmocka_unit_test(test_accepted_socket_shares_its_listeners_options_until_it_changes_one),
        cmocka_unit_test(test_socket_whose_connection_is_over_knows_its_own_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
