/* test_sendfile.c - a file's bytes out of a socket, as sendfile(2) sends them. */
#include "sock_world.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/sockios.h>

#define FILE_BYTES  40000
#define LARGE_BYTES 600000 /* more than the send buffer takes at once */

struct fixture {
    struct sock_world *w;
    struct nb_sockets *a, *b; /* the client's host, which sends; the server's */
    struct sock_pair p;
    int file;
};

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8));
}

static int file_of(size_t n)
{
    int fd = memfd_create("test_sendfile", 0);
    uint8_t *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(i);
    assert_int_equal(write(fd, bytes, n), n);
    lseek(fd, 0, SEEK_SET);
    free(bytes);
    return fd;
}

static struct fixture connected(size_t file_bytes)
{
    struct fixture f = {.w = sock_world_new(true), .file = file_of(file_bytes)};
    f.a = f.w->host[0].ns;
    f.b = f.w->host[1].ns;
    f.p = sock_world_connect(f.w, sock_world_listen(f.w, 5));
    return f;
}

static void end(struct fixture *f)
{
    close(f->file);
    sock_world_free(f->w);
}

static ssize_t sendfile_of(struct fixture *f, off_t *offset, size_t n)
{
    return nb_sock_sendfile(f->a, f->p.client, f->file, offset, n);
}

/* The file from `first` on, as far as it has arrived. */
static size_t arrived(struct fixture *f, size_t first)
{
    uint8_t bytes[1000];
    size_t total = 0;
    for (ssize_t n;; total += (size_t)n) {
        sock_world_run(f->w, 100 * SOCK_WORLD_RTT);
        n = nb_sock_recv(f->b, f->p.server, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0)
            return total;
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(bytes[i], byte_at(first + total + (size_t)i));
    }
}

static void test_offset_says_where_and_is_moved_and_the_files_position_is_not(void **state)
{
    (void)state;
    struct fixture f = connected(FILE_BYTES);
    off_t offset = 100;
    assert_int_equal(sendfile_of(&f, &offset, 30000), 30000);
    assert_int_equal(offset, 30100);
    assert_int_equal(lseek(f.file, 0, SEEK_CUR), 0);
    assert_int_equal(arrived(&f, 100), 30000);
    end(&f);
}

static void test_without_offset_the_files_position_is_moved(void **state)
{
    (void)state;
    struct fixture f = connected(FILE_BYTES);
    lseek(f.file, 7, SEEK_SET);
    assert_int_equal(sendfile_of(&f, NULL, 20000), 20000);
    assert_int_equal(lseek(f.file, 0, SEEK_CUR), 20007);
    assert_int_equal(arrived(&f, 7), 20000);
    end(&f);
}

/* Also where the file ends with a piece that was read, and more was asked for. */
static void test_end_of_the_file_ends_the_call_and_all_of_it_arrives(void **state)
{
    (void)state;
    static const size_t sizes[] = {FILE_BYTES, 16384};
    for (unsigned i = 0; i < 2; i++) {
        struct fixture f = connected(sizes[i]);
        off_t offset = 10;
        assert_int_equal(sendfile_of(&f, &offset, 1000000), sizes[i] - 10);
        sock_world_run(f.w, 4 * SOCK_WORLD_RTT); /* at once, not when somebody has waited for more */
        int unsent = -1;
        assert_int_equal(nb_sock_ioctl(f.a, f.p.client, SIOCOUTQNSD, &unsent), 0);
        assert_int_equal(unsent, 0);
        assert_int_equal(arrived(&f, 10), sizes[i] - 10);
        assert_int_equal(sendfile_of(&f, &offset, 1), 0);
        end(&f);
    }
}

static void test_full_queue_makes_it_short_and_then_again(void **state)
{
    (void)state;
    struct fixture f = connected(LARGE_BYTES);
    off_t offset = 0;
    size_t total = 0;
    assert_int_equal(nb_sock_fcntl(f.a, f.p.client, F_SETFL, O_NONBLOCK), 0);
    ssize_t sent = sendfile_of(&f, &offset, LARGE_BYTES);
    assert_in_range(sent, 1, LARGE_BYTES - 1);
    assert_int_equal(offset, sent);
    assert_int_equal(sendfile_of(&f, &offset, LARGE_BYTES), -EAGAIN);
    assert_int_equal(offset, sent);
    while (offset < LARGE_BYTES) {
        total += arrived(&f, total);
        assert_true(sendfile_of(&f, &offset, LARGE_BYTES) > 0);
    }
    assert_int_equal(total + arrived(&f, total), LARGE_BYTES);
    end(&f);
}

static void test_what_cannot_be_sent_is_told_with_linuxs_errors(void **state)
{
    (void)state;
    struct fixture f = connected(100);
    off_t offset = -1, zero = 0;
    int pipe_fds[2], file = f.file;
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(sendfile_of(&f, &offset, 1), -EINVAL);
    assert_int_equal(nb_sock_sendfile(f.a, 60, file, &zero, 1), -EBADF);
    assert_int_equal(nb_sock_sendfile(f.a, f.p.client, -1, &zero, 1), -EBADF);
    assert_int_equal(nb_sock_sendfile(f.a, f.p.client, pipe_fds[1], NULL, 1), -EBADF); /* not open for reading */
    assert_int_equal(nb_sock_sendfile(f.a, f.p.client, pipe_fds[0], &zero, 1), -ESPIPE);
    assert_int_equal(nb_sock_sendfile(f.a, f.p.client, pipe_fds[0], NULL, 1), -EINVAL);
    assert_int_equal(nb_sock_shutdown(f.a, f.p.client, SHUT_WR), 0);
    assert_int_equal(sendfile_of(&f, &zero, 1), -EPIPE);
    assert_int_equal(zero, 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offset_says_where_and_is_moved_and_the_files_position_is_not),
        cmocka_unit_test(test_without_offset_the_files_position_is_moved),
        cmocka_unit_test(test_end_of_the_file_ends_the_call_and_all_of_it_arrives),
        cmocka_unit_test(test_full_queue_makes_it_short_and_then_again),
        cmocka_unit_test(test_what_cannot_be_sent_is_told_with_linuxs_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
