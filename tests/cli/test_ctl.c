/* test_ctl.c - netbypassctl against a daemon that is a socket with the answers already in it: what it asks, what it
 * shows in each form, how it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <json-c/json.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "ctl.h"

#define HELLO                                                                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"version\":{\"daemon\":\"0.1.0\",\"protocol\":1,\"pid\":7}}}\n"
#define ANSWER(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}\n"
#define ERROR(id, code, text)                                                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" text "\"}}\n"
#define ASKED_VERSION "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n"

static char *out, *err, asked[8192];

/* One line of the daemon's is taken per call: the test gives them one by one, as a daemon would, by a packet socket's
 * boundaries. */
static int ctl(const char *const *answers, const char *command_line)
{
    char line[512], *argv[32] = {"netbypassctl"};
    int argc = 1, pair[2];
    size_t n = 0;
    ssize_t got;
    FILE *out_file, *err_file;

    free(out);
    free(err);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    for (; *answers; answers++)
        assert_int_equal(send(pair[1], *answers, strlen(*answers), 0), strlen(*answers));
    strcpy(line, command_line);
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    out_file = open_memstream(&out, &(size_t){0});
    err_file = open_memstream(&err, &(size_t){0});
    int rc = nb_ctl(argc, argv, pair[0], out_file, err_file);
    fclose(out_file);
    fclose(err_file);
    while ((got = recv(pair[1], asked + n, sizeof asked - 1 - n, MSG_DONTWAIT)) > 0)
        n += (size_t)got;
    asked[n] = 0;
    close(pair[1]);
    return rc;
}

#define CTL(command_line, ...) ctl((const char *const[]){__VA_ARGS__, NULL}, command_line)

static int cleanup(void **state)
{
    (void)state;
    free(out);
    free(err);
    out = err = NULL;
    return 0;
}

#define FLOW_1                                                                                                         \
    "{\"id\":1,\"state\":\"established\",\"local\":\"10.99.0.2:80\",\"remote\":\"10.99.0.1:40000\",\"worker\":0,"      \
    "\"queue\":0,\"home_queue\":0,\"method\":\"rss\",\"rule\":null,\"why\":\"home queue\",\"app\":\"http\","           \
    "\"age_us\":61000000,\"rx_packets\":3,\"tx_packets\":2,\"rx_bytes\":78,\"tx_bytes\":190,"                          \
    "\"forwarded_packets\":0,\"srtt_us\":412,\"rto_us\":200000,\"cwnd_bytes\":14480,\"retransmitted_segments\":0}"
#define FLOW_2                                                                                                         \
    "{\"id\":281474976710655,\"state\":\"fin-wait-2\",\"local\":\"[fd99::2]:80\",\"remote\":\"[fd99::1]:40001\","      \
    "\"worker\":1,\"queue\":3,\"home_queue\":0,\"method\":\"exact\",\"rule\":17,\"why\":\"policy exact\","             \
    "\"app\":\"http\",\"age_us\":7200000000,\"rx_packets\":12345,\"tx_packets\":2,\"rx_bytes\":0,\"tx_bytes\":0,"      \
    "\"forwarded_packets\":1,\"srtt_us\":0,\"rto_us\":1000000,\"cwnd_bytes\":14480,\"retransmitted_segments\":12}"
#define FLOWS(rows, next) ANSWER("2", "{\"flows\":[" rows "],\"next\":" next "}")

/* --- flow -------------------------------------------------------------------------------------------------------- */

static void test_flow_list_is_a_table(void **state)
{
    (void)state;
    assert_int_equal(CTL("flow list", HELLO, FLOWS(FLOW_1 "," FLOW_2, "null")), NB_EXIT_OK);
    assert_string_equal(out, "             ID  STATE        LOCAL         REMOTE           WORKER  QUEUE  METHOD  RULE "
                             "    RX  TX    RTT   CWND  RETR  APP\n"
                             "              1  established  10.99.0.2:80  10.99.0.1:40000       0      0  rss        - "
                             "     3   2  412us  14480     0  http\n"
                             "281474976710655  fin-wait-2   [fd99::2]:80  [fd99::1]:40001       1      3  exact     17 "
                             " 12345   2      -  14480    12  http\n");
    assert_string_equal(err, "");
    assert_string_equal(asked, ASKED_VERSION
                        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"flow.list\",\"params\":{\"limit\":500}}\n");
}

static void test_flow_list_with_stats_has_more_columns(void **state)
{
    (void)state;
    assert_int_equal(CTL("-s f l", HELLO, FLOWS(FLOW_2, "null")), NB_EXIT_OK);
    assert_string_equal(
        out,
        "             ID  STATE       LOCAL         REMOTE           WORKER  QUEUE  HOME  METHOD  RULE     RX  TX  "
        "RX-BYTES  TX-BYTES  FORWARDED  RTT   RTO   CWND  RETR    AGE  APP\n"
        "281474976710655  fin-wait-2  [fd99::2]:80  [fd99::1]:40001       1      3     0  exact     17  12345   2  "
        "       0         0          1    -  1.0s  14480    12  2h00m  http\n");
}

static void test_flow_list_as_json_is_what_the_daemon_said(void **state)
{
    (void)state;
    assert_int_equal(CTL("-j flow list", HELLO, FLOWS(FLOW_1 "," FLOW_2, "null")), NB_EXIT_OK);
    assert_string_equal(out, "[" FLOW_1 "," FLOW_2 "]\n");
}

static void test_pretty_json_says_the_same(void **state)
{
    (void)state;
    assert_int_equal(CTL("-p listener list", HELLO, ANSWER("2", "{\"listeners\":[{\"local\":\"0.0.0.0:80\"}]}")), 0);
    assert_string_equal(out, "[\n  {\n    \"local\": \"0.0.0.0:80\"\n  }\n]\n");
}

static void test_flow_list_empty(void **state)
{
    (void)state;
    assert_int_equal(CTL("flow list", HELLO, FLOWS("", "null")), NB_EXIT_OK);
    assert_string_equal(out, "ID  STATE  LOCAL  REMOTE  WORKER  QUEUE  METHOD  RULE  RX  TX  RTT  CWND  RETR  APP\n");
    assert_int_equal(CTL("-j flow list", HELLO, FLOWS("", "null")), NB_EXIT_OK);
    assert_string_equal(out, "[]\n");
    assert_int_equal(CTL("-d flow list", HELLO, FLOWS("", "null")), NB_EXIT_OK);
    assert_string_equal(out, "");
}

#define PAGES                                                                                                          \
    HELLO, FLOWS(FLOW_1, "\"0:5\""), ANSWER("3", "{\"flows\":[],\"next\":\"1:7\"}"),                                   \
        ANSWER("4", "{\"flows\":[" FLOW_2 "],\"next\":null}")

static void test_flow_list_follows_every_page(void **state)
{
    (void)state;
    assert_int_equal(CTL("-j flow list", PAGES), NB_EXIT_OK);
    assert_string_equal(out, "[" FLOW_1 "," FLOW_2 "]\n");
    assert_non_null(
        strstr(asked, "\"id\":3,\"method\":\"flow.list\",\"params\":{\"limit\":500,\"cursor\":\"0:5\"}}\n"));
    assert_non_null(
        strstr(asked, "\"id\":4,\"method\":\"flow.list\",\"params\":{\"limit\":500,\"cursor\":\"1:7\"}}\n"));
    assert_int_equal(CTL("flow list", PAGES), NB_EXIT_OK);
    unsigned lines = 0;
    for (const char *p = out; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 3); /* headings once */
}

static void test_error_between_pages_leaves_whole_json(void **state)
{
    (void)state;
    assert_int_equal(CTL("-j flow list", HELLO, FLOWS(FLOW_1, "\"0:5\""), ERROR("3", "3", "a worker is gone")),
                     NB_EXIT_REFUSED);
    assert_string_equal(out, "[" FLOW_1 "]\n");
    assert_string_equal(err, "{\"error\":\"flow list: a worker is gone\",\"exit_code\":3}\n");
}

static void test_flow_list_filters_become_parameters(void **state)
{
    (void)state;
    CTL("flow list state established worker 3 queue 1 method exact src 10/8 dst 10.99.0.2 sport 40000 dport 80", HELLO,
        FLOWS("", "null"));
    assert_string_equal(asked, ASKED_VERSION
                        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"flow.list\",\"params\":{\"state\":\"established\","
                        "\"worker\":3,\"queue\":1,\"method\":\"exact\",\"src\":\"10\\/8\",\"dst\":\"10.99.0.2\","
                        "\"sport\":40000,\"dport\":80,\"limit\":500}}\n");
}

static void test_pairs_of_words_in_any_order_and_spelling_become_parameters(void **state)
{
    static const char *const lines[] = {"flow move 7 to 1",   "flow move to 1 7",   "flow move 7 --to 1",
                                        "flow move --to 1 7", "flow move 7 --to=1", "flow move --to=1 7",
                                        "flow move 7 to=1"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        CTL(lines[i], HELLO, ANSWER("2", "{\"move\":{\"id\":7,\"from\":0,\"to\":1}}"));
        struct json_object *asks = json_tokener_parse(strchr(asked, '\n') + 1), *params = NULL, *id = NULL, *to = NULL;
        assert_true(json_object_object_get_ex(asks, "params", &params));
        assert_int_equal(json_object_object_length(params), 2);
        assert_true(json_object_object_get_ex(params, "id", &id) && json_object_object_get_ex(params, "to", &to));
        assert_int_equal(json_object_get_int(id), 7);
        assert_int_equal(json_object_get_int(to), 1);
        json_object_put(asks);
    }
}

static void test_flow_show_is_a_block_of_every_member(void **state)
{
    (void)state;
    assert_int_equal(CTL("flow show 1", HELLO, ANSWER("2", "{\"flow\":" FLOW_1 "}")), NB_EXIT_OK);
    assert_non_null(strstr(out, "id                      1\nstate                   established\n"));
    assert_non_null(strstr(out, "rule                    -\nwhy                     home queue\n"));
    assert_non_null(strstr(asked, "\"method\":\"flow.show\",\"params\":{\"id\":1}}\n"));
    assert_int_equal(CTL("flow show 1 -j", HELLO, ANSWER("2", "{\"flow\":" FLOW_1 "}")), NB_EXIT_OK);
    assert_string_equal(out, "[" FLOW_1 "]\n");
    assert_int_equal(
        CTL("-o flow show 1", HELLO, ANSWER("2", "{\"flow\":{\"id\":1,\"rule\":null,\"why\":\"home queue\"}}")), 0);
    assert_string_equal(out, "id 1 rule - why \"home queue\"\n");
}

/* --- the other objects ------------------------------------------------------------------------------------------- */

#define WORKER                                                                                                         \
    "{\"worker\":0,\"cpu\":null,\"flows\":5,\"half_open\":1,\"time_wait\":2,\"busy_us\":25,\"idle_us\":75,"            \
    "\"load_permille\":305,\"sleeps\":9,\"counters\":{\"rx_packets\":100,\"tx_packets\":90,\"forwarded_out\":0,"       \
    "\"misdirected\":0,"                                                                                               \
    "\"drop_paws\":2,\"drop_fragment\":3,\"connections_accepted\":4}}"

static void test_worker_list_adds_up_drops_and_busy(void **state)
{
    (void)state;
    assert_int_equal(CTL("worker", HELLO, ANSWER("2", "{\"workers\":[" WORKER "]}")), NB_EXIT_OK);
    assert_string_equal(
        out, "WORKER  CPU  FLOWS  HALF-OPEN  TIME-WAIT   LOAD   BUSY   RX  TX  FORWARDED  MISDIRECTED  DROPS\n"
             "     0    -      5          1          2  30.5%  25.0%  100  90          0            0      5\n");
    assert_int_equal(CTL("-d worker list worker 0", HELLO, ANSWER("2", "{\"workers\":[" WORKER "]}")), NB_EXIT_OK);
    assert_non_null(strstr(out, "counters.drop_fragment         3\n"));
}

#define PLAN                                                                                                           \
    "{\"plan\":3,\"workers\":[{\"worker\":0,\"before_permille\":803,\"after_permille\":400},"                          \
    "{\"worker\":1,\"before_permille\":7,\"after_permille\":410}],"                                                    \
    "\"moves\":[{\"kind\":\"bucket\",\"flow\":null,\"port\":0,\"bucket\":12,\"from\":0,\"to\":1,\"load_permille\":3}," \
    "{\"kind\":\"flow\",\"flow\":77,\"port\":null,\"bucket\":null,\"from\":0,\"to\":1,\"load_permille\":400}]}"
#define RESULT(done, refused)                                                                                          \
    "{\"done\":" done ",\"total\":2,\"moved\":1,\"buckets\":1,\"refused\":" refused ",\"why\":\"pinned: app\","        \
    "\"min_us\":90,\"avg_us\":120,\"p99_us\":412,\"max_us\":1230,\"parked\":4,\"forwarded\":5,\"lost\":0,"             \
    "\"reordered\":0}"
#define PLAN_TABLES                                                                                                    \
    "WORKER  BEFORE  AFTER\n"                                                                                          \
    "     0   80.3%  40.0%\n"                                                                                          \
    "     1    0.7%  41.0%\n"                                                                                          \
    "\n"                                                                                                               \
    "MOVE    FLOW  PORT  BUCKET  FROM  TO   LOAD\n"                                                                    \
    "bucket     -     0      12     0   1   0.3%\n"                                                                    \
    "flow      77     -       -     0   1  40.0%\n"

static void test_rebalance_dry_run_shows_workers_and_moves(void **state)
{
    (void)state;
    assert_int_equal(CTL("rebalance --dry-run over 50", HELLO, ANSWER("2", PLAN)), NB_EXIT_OK);
    assert_string_equal(out, PLAN_TABLES);
    assert_non_null(strstr(asked, "\"method\":\"rebalance.plan\",\"params\":{\"over_ms\":50}}\n"));
    assert_int_equal(CTL("-j rebalance --dry-run", HELLO, ANSWER("2", PLAN)), NB_EXIT_OK);
    assert_string_equal(out, PLAN "\n");
    assert_int_equal(CTL("rebalance", HELLO, ANSWER("2", "{\"plan\":1,\"workers\":[],\"moves\":[]}")), NB_EXIT_OK);
    assert_string_equal(out, "WORKER  BEFORE  AFTER\n\nnothing to move\n");
    assert_int_equal(CTL("rebalance", HELLO, ANSWER("2", "{\"plan\":1}")), NB_EXIT_UNREACHABLE);
}

static void test_bucket_move_shows_what_became_of_its_flows(void **state)
{
    (void)state;
    assert_int_equal(
        CTL("bucket move 0 5 --to 2", HELLO,
            ANSWER("2", "{\"move\":{\"worker\":1,\"moved\":12,\"refused\":3,\"left\":3,\"longest_us\":40,"
                        "\"forwarded\":1,\"parked\":2,\"lost\":0,\"reordered\":0,\"why\":\"pinned: app\"}}")),
        NB_EXIT_OK);
    assert_non_null(strstr(asked, "\"method\":\"bucket.move\",\"params\":{\"port\":0,\"bucket\":5,\"to\":2}}\n"));
    assert_non_null(strstr(out, "MOVED"));
    assert_non_null(strstr(out, "12"));
}

static void test_rebalance_apply_calls_until_all_is_done(void **state)
{
    (void)state;
    assert_int_equal(CTL("rebalance --apply", HELLO, ANSWER("2", PLAN),
                         ANSWER("3", "{\"result\":" RESULT("1", "0") "}"),
                         ANSWER("4", "{\"result\":" RESULT("2", "0") "}")),
                     NB_EXIT_OK);
    assert_string_equal(out, PLAN_TABLES
                        "\n"
                        "MOVED  BUCKETS  REFUSED   MIN    AVG    P99     MAX  PARKED  FORWARDED  LOST  REORDERED\n"
                        "    1        1        0  90us  120us  412us  1.23ms       4          5     0          0\n");
    assert_non_null(strstr(asked, "\"id\":4,\"method\":\"rebalance.apply\",\"params\":{\"plan\":3}}\n"));
    assert_int_equal(
        CTL("-j rebalance --apply", HELLO, ANSWER("2", PLAN), ANSWER("3", "{\"result\":" RESULT("2", "0") "}")),
        NB_EXIT_OK);
    assert_string_equal(out, RESULT("2", "0") "\n");
}

static void test_rebalance_apply_that_leaves_some_says_why(void **state)
{
    (void)state;
    assert_int_equal(
        CTL("rebalance --apply", HELLO, ANSWER("2", PLAN), ANSWER("3", "{\"result\":" RESULT("2", "1") "}")),
        NB_EXIT_PARTIAL);
    assert_string_equal(err,
                        "netbypassctl: rebalance apply: 1 stay where they are, the last one because: pinned: app\n");
    assert_int_equal(CTL("rebalance --apply", HELLO, ANSWER("2", PLAN), ERROR("3", "1", "plan 3 is not there")),
                     NB_EXIT_NOT_FOUND);
    assert_int_equal(CTL("rebalance auto maybe", HELLO, ERROR("2", "-32602", "state: accepted: on, off")),
                     NB_EXIT_USAGE);
    assert_int_equal(CTL("rebalance auto on", HELLO, ANSWER("2", "{\"auto\":true}")), NB_EXIT_OK);
    assert_string_equal(out, "done\n");
}

static void test_port_show_and_lists_inside(void **state)
{
    (void)state;
    static const char port[] = "{\"port\":0,\"device\":\"0000:01:00.0\",\"driver\":\"net_ixgbe\","
                               "\"mac\":\"02:00:00:00:00:01\",\"address\":\"10.99.0.2/24\",\"mtu_bytes\":1500,"
                               "\"link_up\":true,\"link_mbps\":10000,\"queues\":2,\"rss_untrusted\":false,"
                               "\"reta_size\":4,\"reta\":[0,1,0,1]}";
    char answer[512];

    snprintf(answer, sizeof answer, ANSWER("2", "{\"ports\":[%s]}"), port);
    assert_int_equal(CTL("port show 0000:01:00.0", HELLO, answer), NB_EXIT_OK);
    assert_string_equal(
        out, "PORT  DEVICE        DRIVER     MAC                ADDRESS        MTU       LINK  QUEUES  RETA\n"
             "   0  0000:01:00.0  net_ixgbe  02:00:00:00:00:01  10.99.0.2/24  1500  10000Mb/s       2     4\n");
    assert_non_null(strstr(asked, "\"method\":\"port.show\",\"params\":{\"port\":\"0000:01:00.0\"}}\n"));
    assert_int_equal(CTL("-o port", HELLO, answer), NB_EXIT_OK);
    assert_non_null(strstr(out, "reta_size 4 reta 0 1 0 1\n"));
}

static void test_rule_list_table_and_commands(void **state)
{
    (void)state;
    assert_int_equal(
        CTL("rule list", HELLO,
            ANSWER("2", "{\"rules\":[{\"id\":3,\"port\":0,\"engine\":\"flow-director\","
                        "\"match\":\"tcp 10.99.0.1:40000 -> 10.99.0.2:80\",\"queue\":1,\"mark\":3,"
                        "\"why\":\"policy exact\",\"flow\":9,\"age_us\":5000,\"hits\":null}],\"next\":null}")),
        NB_EXIT_OK);
    assert_string_equal(
        out, "ID  PORT  ENGINE         MATCH                                QUEUE  AGE  HITS  WHY\n"
             " 3     0  flow-director  tcp 10.99.0.1:40000 -> 10.99.0.2:80      1  5ms     -  policy exact\n");
    assert_int_equal(CTL("rule table", HELLO,
                         ANSWER("2", "{\"tables\":[{\"port\":0,\"engine\":\"flow-director\",\"used\":1,\"max\":2046,"
                                     "\"rejected\":0,\"failed\":0,\"device_used\":1,\"profile\":\"82599\"}]}")),
                     NB_EXIT_OK);
    assert_string_equal(out, "PORT  ENGINE         USED   MAX  REJECTED  FAILED  DEVICE  PROFILE\n"
                             "   0  flow-director     1  2046         0       0       1  82599\n");
    assert_int_equal(CTL("rule flush", HELLO, ANSWER("2", "{\"steering\":\"flushed\"}")), NB_EXIT_OK);
    assert_string_equal(out, "every rule is removed; none is kept until `rule resume`\n");
    assert_int_equal(CTL("-j rule resume", HELLO, ANSWER("2", "{\"steering\":\"on\"}")), NB_EXIT_OK);
    assert_string_equal(out, "{\"steering\":\"on\"}\n");
}

static void test_stats_listener_config_version(void **state)
{
    (void)state;
    assert_int_equal(
        CTL("stats worker 1", HELLO,
            ANSWER("2", "{\"counters\":[{\"name\":\"rx_packets\",\"value\":3,\"help\":\"frames taken\"}]}")),
        NB_EXIT_OK);
    assert_string_equal(out, "COUNTER     VALUE  COUNTS\nrx_packets      3  frames taken\n");
    assert_non_null(strstr(asked, "\"method\":\"stats\",\"params\":{\"worker\":1}}"));
    assert_int_equal(CTL("-j config", HELLO, ANSWER("2", "{\"file\":\"f\",\"config\":{\"workers\":2}}")), NB_EXIT_OK);
    assert_string_equal(out, "{\"workers\":2}\n");
    assert_int_equal(CTL("version", HELLO, ANSWER("2", "{\"version\":{\"daemon\":\"0.1.0\",\"protocol\":1}}")),
                     NB_EXIT_OK);
    assert_string_equal(out, "daemon    0.1.0\nprotocol  1\n");
}

static void test_text_of_the_daemon_cannot_move_the_cursor(void **state)
{
    (void)state;
    assert_int_equal(CTL("listener list", HELLO,
                         ANSWER("2", "{\"listeners\":[{\"local\":\"\\u001b[2J\",\"app\":\"a\\nb\",\"module\":\"m\","
                                     "\"distribute\":\"home\",\"accepting\":2}]}")),
                     NB_EXIT_OK);
    assert_string_equal(out, "LOCAL  APP  DISTRIBUTE  ACCEPTING  MODULE\n?[2J   a?b  home                2  m\n");
    assert_int_equal(CTL("listener list", HELLO, ERROR("2", "3", "\\u001b[2J")), NB_EXIT_REFUSED);
    assert_string_equal(err, "netbypassctl: listener list: ?[2J\n");
}

/* --- failure ----------------------------------------------------------------------------------------------------- */

static void test_errors_of_the_daemon_become_exit_codes(void **state)
{
    static const struct {
        const char *code;
        int exit_code;
    } cases[] = {{"1", NB_EXIT_NOT_FOUND},    {"2", NB_EXIT_REFUSED},     {"3", NB_EXIT_REFUSED},
                 {"4", NB_EXIT_REFUSED},      {"5", NB_EXIT_UNREACHABLE}, {"-32602", NB_EXIT_USAGE},
                 {"-32601", NB_EXIT_REFUSED}, {"99", NB_EXIT_REFUSED}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char answer[128];
        snprintf(answer, sizeof answer, ERROR("2", "%s", "no flow with id 7"), cases[i].code);
        assert_int_equal(CTL("flow show 7", HELLO, answer), cases[i].exit_code);
        assert_string_equal(err, "netbypassctl: flow show: no flow with id 7\n");
        assert_string_equal(out, "");
    }
}

static void test_answers_that_are_none(void **state)
{
    static const char *const answers[] = {
        "\n",
        "hello\n",
        "[]\n",
        "null\n",
        "{}\n",
        ANSWER("3", "{\"flows\":[]}"),
        ANSWER("\"2\"", "{\"flows\":[]}"),
        ANSWER("2", "[]"),
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":7}\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (CTL("-t 1 flow list", HELLO, answers[i]) != NB_EXIT_UNREACHABLE)
            fail_msg("%s", answers[i]);
        assert_string_equal(err, "netbypassctl: flow list: what answers on the control socket is not netbypassd\n");
    }
}

static void test_answers_of_odd_shapes_are_shown_or_empty(void **state)
{
    (void)state;
    assert_int_equal(CTL("flow list", HELLO, ANSWER("2", "{}")), NB_EXIT_OK);
    assert_int_equal(CTL("flow list", HELLO, FLOWS("1,null,[2],\"x\"", "null")), NB_EXIT_OK);
    assert_int_equal(CTL("-d flow list", HELLO, FLOWS("1,null,[2],\"x\"", "null")), NB_EXIT_OK);
    assert_int_equal(CTL("worker list", HELLO, ANSWER("2", "{\"workers\":[{\"counters\":7,\"cpu\":{}}]}")), NB_EXIT_OK);
    assert_int_equal(CTL("version", HELLO, ANSWER("2", "{\"version\":[]}")), NB_EXIT_UNREACHABLE);
    assert_int_equal(CTL("config show", HELLO, ANSWER("2", "{}")), NB_EXIT_UNREACHABLE);
    assert_string_equal(err, "netbypassctl: config show: netbypassd's answer has no config\n");
}

static void test_daemon_that_hangs_up_or_keeps_silent(void **state)
{
    (void)state;
    assert_int_equal(CTL("-t 0.01 flow list", HELLO), NB_EXIT_UNREACHABLE);
    assert_string_equal(err, "netbypassctl: flow list: netbypassd does not answer (-t sets how long to wait)\n");
    assert_int_equal(CTL("-t 1 flow list", HELLO, "{\"jsonrpc\":", ""), NB_EXIT_UNREACHABLE); /* "": end of file */
    assert_string_equal(err, "netbypassctl: flow list: netbypassd has closed the connection\n");
}

static void test_config_show_names_members_as_the_configuration_does(void **state)
{
    (void)state;
    assert_int_equal(
        CTL("config show", HELLO,
            ANSWER("2", "{\"config\":{\"workers\":2,\"cpus\":[],\"ports\":[{\"device\":\"net_tap0\",\"vlan\":0},"
                        "{\"device\":\"net_tap1\",\"vlan\":7}],\"log\":\"notice\"}}")),
        NB_EXIT_OK);
    assert_string_equal(out, "workers          2\n"
                             "cpus             -\n"
                             "ports[0].device  net_tap0\n"
                             "ports[0].vlan    0\n"
                             "ports[1].device  net_tap1\n"
                             "ports[1].vlan    7\n"
                             "log              notice\n");
}

static void test_another_protocol_is_refused(void **state)
{
    (void)state;
    assert_int_equal(CTL("flow list", ANSWER("1", "{\"version\":{\"daemon\":\"9\",\"protocol\":2}}")),
                     NB_EXIT_UNREACHABLE);
    assert_string_equal(err, "netbypassctl: flow list: netbypassd speaks version 2 of the control protocol, this "
                             "netbypassctl version 1\n");
    assert_string_equal(asked, ASKED_VERSION);
}

static void test_usage_errors_ask_nobody(void **state)
{
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"", "an object is missing; accepted: flow, rule, worker, bucket, rebalance, port, listener, stats, config, "
             "version, "
             "help"},
        {"flows", "unknown object flows; accepted: flow, rule"},
        {"x", "unknown object x"},
        {"flow walk", "flow: unknown command walk; accepted: list, show, move, pin, unpin, help"},
        {"flow list worker", "flow list: a value is missing after worker; accepted: state STATE, worker WORKER"},
        {"flow list worker x", "flow list: not a number: x"},
        {"flow list worker 1x", "flow list: not a number: 1x"},
        {"flow list worker 99999999999999999999", "flow list: not a number"},
        {"flow list worker 1 worker 2", "flow list: given twice: worker"},
        {"flow list colour red", "flow list: unexpected colour"},
        {"flow show", "flow show: missing: ID; accepted: ID"},
        {"flow move 7", "flow move: missing: WORKER; accepted: ID, to WORKER"},
        {"flow move 7 --to", "flow move: a value is missing after to; accepted: ID, to WORKER"},
        {"flow move 7 --to=", "flow move: not a number: ; accepted: ID, to WORKER"},
        {"bucket move 0 5", "bucket move: missing: WORKER; accepted: PORT, BUCKET, to WORKER, from WORKER"},
        {"flow show 1 2", "flow show: unexpected 2"},
        {"rule flush now", "rule flush: unexpected now; accepted: nothing more"},
        {"-x flow list", "unknown option -x; try -h"},
        {"--colour flow list", "unknown option --colour; try -h"},
        {"flow list -S", "a value is missing after -S; try -h"},
        {"-t 0 flow list", "-t 0: accepted: a number of seconds"},
        {"-t nan flow list", "-t nan: accepted"},
        {"-t 1x flow list", "-t 1x: accepted"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int rc = CTL(cases[i].line, HELLO);
        if (rc != NB_EXIT_USAGE || !strstr(err, cases[i].words))
            fail_msg("%s: exit %d, %s", cases[i].line, rc, err);
        assert_string_equal(asked, "");
        assert_string_equal(out, "");
    }
}

static void test_json_errors(void **state)
{
    (void)state;
    assert_int_equal(CTL("-j flow walk", HELLO), NB_EXIT_USAGE);
    assert_string_equal(
        err,
        "{\"error\":\"flow: unknown command walk; accepted: list, show, move, pin, unpin, help\",\"exit_code\":1}\n");
}

static void test_help_and_version_need_no_daemon(void **state)
{
    (void)state;
    assert_int_equal(CTL("help", ""), NB_EXIT_OK);
    assert_non_null(strstr(out, "usage: netbypassctl"));
    assert_non_null(strstr(out, "netbypassctl rule table\n"));
    assert_int_equal(CTL("flow help", ""), NB_EXIT_OK);
    assert_non_null(strstr(out, "netbypassctl flow show ID\n"));
    assert_null(strstr(out, "rule"));
    assert_int_equal(CTL("help flow", ""), NB_EXIT_OK);
    assert_non_null(strstr(out, "netbypassctl flow show ID\n"));
    assert_null(strstr(out, "rule"));
    assert_int_equal(CTL("help nothing", ""), NB_EXIT_OK);
    assert_non_null(strstr(out, "usage: netbypassctl"));
    assert_int_equal(CTL("nothing help", ""), NB_EXIT_USAGE);
    assert_int_equal(CTL("-V", ""), NB_EXIT_OK);
    assert_non_null(strstr(out, "netbypassctl 0."));
}

static void test_no_daemon_is_exit_4(void **state)
{
    (void)state;
    char *argv[] = {"netbypassctl", "-S", "/nonexistent/control.sock", "flow", "list", NULL};
    size_t n;
    FILE *nowhere = fopen("/dev/null", "w"), *err_file = open_memstream(&err, &n);

    assert_int_equal(nb_ctl(5, argv, -1, nowhere, err_file), NB_EXIT_UNREACHABLE);
    fclose(err_file);
    fclose(nowhere);
    assert_string_equal(err, "netbypassctl: flow list: cannot reach netbypassd at /nonexistent/control.sock: No such "
                             "file or directory; is it running? -S names another socket\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_flow_list_is_a_table, cleanup),
        cmocka_unit_test_teardown(test_flow_list_with_stats_has_more_columns, cleanup),
        cmocka_unit_test_teardown(test_flow_list_as_json_is_what_the_daemon_said, cleanup),
        cmocka_unit_test_teardown(test_pretty_json_says_the_same, cleanup),
        cmocka_unit_test_teardown(test_flow_list_empty, cleanup),
        cmocka_unit_test_teardown(test_flow_list_follows_every_page, cleanup),
        cmocka_unit_test_teardown(test_error_between_pages_leaves_whole_json, cleanup),
        cmocka_unit_test_teardown(test_flow_list_filters_become_parameters, cleanup),
        cmocka_unit_test_teardown(test_pairs_of_words_in_any_order_and_spelling_become_parameters, cleanup),
        cmocka_unit_test_teardown(test_flow_show_is_a_block_of_every_member, cleanup),
        cmocka_unit_test_teardown(test_worker_list_adds_up_drops_and_busy, cleanup),
        cmocka_unit_test_teardown(test_rebalance_dry_run_shows_workers_and_moves, cleanup),
        cmocka_unit_test_teardown(test_bucket_move_shows_what_became_of_its_flows, cleanup),
        cmocka_unit_test_teardown(test_rebalance_apply_calls_until_all_is_done, cleanup),
        cmocka_unit_test_teardown(test_rebalance_apply_that_leaves_some_says_why, cleanup),
        cmocka_unit_test_teardown(test_port_show_and_lists_inside, cleanup),
        cmocka_unit_test_teardown(test_rule_list_table_and_commands, cleanup),
        cmocka_unit_test_teardown(test_stats_listener_config_version, cleanup),
        cmocka_unit_test_teardown(test_text_of_the_daemon_cannot_move_the_cursor, cleanup),
        cmocka_unit_test_teardown(test_errors_of_the_daemon_become_exit_codes, cleanup),
        cmocka_unit_test_teardown(test_answers_that_are_none, cleanup),
        cmocka_unit_test_teardown(test_answers_of_odd_shapes_are_shown_or_empty, cleanup),
        cmocka_unit_test_teardown(test_daemon_that_hangs_up_or_keeps_silent, cleanup),
        cmocka_unit_test_teardown(test_another_protocol_is_refused, cleanup),
        cmocka_unit_test_teardown(test_config_show_names_members_as_the_configuration_does, cleanup),
        cmocka_unit_test_teardown(test_usage_errors_ask_nobody, cleanup),
        cmocka_unit_test_teardown(test_json_errors, cleanup),
        cmocka_unit_test_teardown(test_help_and_version_need_no_daemon, cleanup),
        cmocka_unit_test_teardown(test_no_daemon_is_exit_4, cleanup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
