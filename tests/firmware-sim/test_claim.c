/* The claim: configuration and descriptors from one process to another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "claim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char dir[64];
static int listen_fd;
static struct sim_claim offer;
static int offered[SIM_CLAIM_FDS];

static int setup(void **state)
{
    struct sim_error err;
    (void)state;
    strcpy(dir, "/tmp/nicsim-test-claim.XXXXXX");
    memset(&offer, 0, sizeof offer);
    offer.version = SIM_CLAIM_VERSION;
    strcpy(offer.port[0].nic, "82599");
    offer.port[0].device.queues = 3;
    for (int i = 0; i < SIM_CLAIM_FDS; i++)
        offered[i] = -1;
    if (!mkdtemp(dir))
        return -1;
    listen_fd = sim_claim_listen(dir, &err);
    return listen_fd < 0;
}

static int teardown(void **state)
{
    char path[96];
    (void)state;
    close(listen_fd);
    snprintf(path, sizeof path, "%s/claim", dir);
    return unlink(path) || rmdir(dir);
}

static void *answer_one(void *connection)
{
    int fd = accept(listen_fd, NULL, NULL);
    sim_claim_answer(fd, &offer, offered);
    *(int *)connection = fd;
    return NULL;
}

static int claim_once(struct sim_claim *claim, int fds[SIM_CLAIM_FDS], int *connection, struct sim_error *err)
{
    pthread_t thread;
    pthread_create(&thread, NULL, answer_one, connection);
    int lifeline = sim_claim_take(dir, claim, fds, err);
    pthread_join(thread, NULL);
    return lifeline;
}

static void test_configuration_and_descriptors_arrive_in_their_places(void **state)
{
    (void)state;
    struct sim_claim got;
    struct sim_error err;
    int fds[SIM_CLAIM_FDS], connection, pipe_fds[2];
    char c = 0;
    assert_int_equal(pipe(pipe_fds), 0);
    offered[SIM_CLAIM_WIRE] = pipe_fds[1];
    offered[SIM_CLAIM_PCAP] = pipe_fds[0];
    int lifeline = claim_once(&got, fds, &connection, &err);
    assert_true(lifeline >= 0);
    assert_string_equal(got.port[0].nic, "82599");
    assert_int_equal(got.port[0].device.queues, 3);
    assert_int_equal(fds[SIM_CLAIM_LOCK], -1);
    assert_int_equal(fds[SIM_CLAIM_TRACE], -1);
    assert_int_equal(write(fds[SIM_CLAIM_WIRE], "w", 1), 1);
    assert_int_equal(read(fds[SIM_CLAIM_PCAP], &c, 1), 1);
    assert_int_equal(c, 'w');
    assert_int_equal(fcntl(fds[SIM_CLAIM_WIRE], F_GETFD), FD_CLOEXEC);
    for (int i = 0; i < 2; i++)
        close(pipe_fds[i]);
    close(fds[SIM_CLAIM_WIRE]);
    close(fds[SIM_CLAIM_PCAP]);
    close(lifeline);
    close(connection);
}

static void test_refusal_comes_with_its_words(void **state)
{
    (void)state;
    struct sim_claim got;
    struct sim_error err;
    int fds[SIM_CLAIM_FDS], connection;
    strcpy(offer.refused, "taken");
    assert_int_equal(claim_once(&got, fds, &connection, &err), -EBUSY);
    assert_string_equal(err.text, "taken");
    close(connection);
}

static void test_other_version_is_refused(void **state)
{
    (void)state;
    struct sim_claim got;
    struct sim_error err;
    int fds[SIM_CLAIM_FDS], connection;
    offer.version++;
    assert_int_equal(claim_once(&got, fds, &connection, &err), -EPROTO);
    assert_string_equal(err.text, "the launcher and libnicsim.so are of different builds");
    close(connection);
}

static void test_gone_launcher_is_said(void **state)
{
    (void)state;
    struct sim_claim got;
    struct sim_error err;
    int fds[SIM_CLAIM_FDS];
    close(listen_fd);
    assert_int_equal(sim_claim_take(dir, &got, fds, &err), -ECONNREFUSED);
    assert_non_null(strstr(err.text, "has nicsim ended?"));
    listen_fd = dup(0);
}

#define WITH_SOCKET(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SOCKET(test_configuration_and_descriptors_arrive_in_their_places),
        WITH_SOCKET(test_refusal_comes_with_its_words),
        WITH_SOCKET(test_other_version_is_refused),
        WITH_SOCKET(test_gone_launcher_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
