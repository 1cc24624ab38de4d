/* test_splice.c - data that leaves a socket where it lies (splice(2)). */
#include "sock_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include <linux/sockios.h>

struct fixture {
    struct sock_world *w;
    struct nb_sockets *a, *b; /* the client's host, the server's */
    struct sock_pair p;
};

static struct fixture connected(void)
{
    struct fixture f = {.w = sock_world_new(true)};
    f.a = f.w->host[0].ns;
    f.b = f.w->host[1].ns;
    f.p = sock_world_connect(f.w, sock_world_listen(f.w, 5));
    return f;
}

static void put(struct fixture *f, const char *text, int flags)
{
    assert_int_equal(nb_sock_send(f->a, f->p.client, text, strlen(text), flags), strlen(text));
    sock_world_run(f->w, 100 * SOCK_WORLD_RTT);
}

/* Where spliced bytes go: as many as there is room for. */
struct sink {
    char bytes[100];
    size_t n, room;
    int error;
};

static ssize_t take(void *arg, const void *bytes, size_t n)
{
    struct sink *sink = arg;
    size_t part = n < sink->room - sink->n ? n : sink->room - sink->n;
    if (sink->error)
        return sink->error;
    memcpy(sink->bytes + sink->n, bytes, part);
    sink->n += part;
    return (ssize_t)part;
}

static ssize_t splice_to(struct fixture *f, struct sink *sink, size_t n, int flags)
{
    *sink = (struct sink){.room = sink->room, .error = sink->error};
    return nb_sock_splice(f->b, f->p.server, n, flags, take, sink);
}

static void test_segments_are_handed_over_in_order_up_to_what_was_asked(void **state)
{
    (void)state;
    struct fixture f = connected();
    struct sink sink = {.room = 100};
    put(&f, "abc", MSG_EOR);
    put(&f, "def", 0);
    assert_int_equal(splice_to(&f, &sink, 5, 0), 5);
    assert_string_equal(sink.bytes, "abcde");
    assert_int_equal(splice_to(&f, &sink, 5, 0), 1);
    assert_int_equal(splice_to(&f, &sink, 5, MSG_DONTWAIT), -EAGAIN);
    sock_world_free(f.w);
}

static void test_what_the_taker_leaves_stays_unread(void **state)
{
    (void)state;
    struct fixture f = connected();
    struct sink sink = {.room = 2};
    put(&f, "abcd", 0);
    assert_int_equal(splice_to(&f, &sink, 4, 0), 2);
    sink.error = -EPIPE;
    assert_int_equal(splice_to(&f, &sink, 4, 0), -EPIPE);
    sink = (struct sink){.room = 100};
    assert_int_equal(splice_to(&f, &sink, 4, 0), 2);
    assert_string_equal(sink.bytes, "cd");
    sock_world_free(f.w);
}

static void test_splice_waits_and_ends_with_the_stream(void **state)
{
    (void)state;
    struct fixture f = connected();
    struct sink sink = {.room = 100};
    assert_int_equal(nb_sock_send(f.a, f.p.client, "later", 5, 0), 5); /* arrives while the call sleeps */
    assert_int_equal(splice_to(&f, &sink, 100, 0), 5);
    assert_int_equal(nb_sock_shutdown(f.a, f.p.client, SHUT_WR), 0);
    assert_int_equal(splice_to(&f, &sink, 100, 0), 0);
    assert_int_equal(nb_sock_splice(f.b, 3, 1, 0, take, &sink), -EBADF);
    sock_world_free(f.w);
}

static void test_splice_stops_before_an_urgent_byte(void **state)
{
    (void)state;
    struct fixture f = connected();
    struct sink sink = {.room = 100};
    char byte;
    put(&f, "abX", MSG_OOB);
    put(&f, "cd", 0);
    assert_int_equal(splice_to(&f, &sink, 100, 0), 2);
    assert_int_equal(splice_to(&f, &sink, 100, 0), 0);
    assert_int_equal(nb_sock_recv(f.b, f.p.server, &byte, 1, 0), 1); /* a read passes it */
    assert_int_equal(splice_to(&f, &sink, 100, 0), 1);
    assert_string_equal(sink.bytes, "d");
    sock_world_free(f.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments_are_handed_over_in_order_up_to_what_was_asked),
        cmocka_unit_test(test_what_the_taker_leaves_stays_unread),
        cmocka_unit_test(test_splice_waits_and_ends_with_the_stream),
        cmocka_unit_test(test_splice_stops_before_an_urgent_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
