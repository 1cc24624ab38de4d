/* rpc_flow.c - methods about flows: flow.list, flow.show.
 *
 * The data plane is asked in small portions, so that a worker is never held up for long, and a call looks at a bounded
 * number of flows: whoever wants all of many asks again with the cursor of the answer before.
 */
#include "rpc.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "address.h"
#include "steering.h"

#define PORTION    64    /* flows asked of a worker between two of its bursts: some tens of microseconds */
#define SCAN_MAX   16384 /* flows looked at in one call, however few match */
#define PAGE_MAX   500   /* flows in one answer; with the longest values a flow is 1.6 KB of JSON (a test checks) */
#define PAGE_USUAL 250

/* A flow with what steering knows of it, and the texts both are shown by. */
struct flow_row {
    struct nb_flow_info flow;
    struct nb_steering_flow steering;
    char local[NB_ENDPOINT_TEXT_MAX], remote[NB_ENDPOINT_TEXT_MAX];
    const char *state, *method;
};

static const char *const method_words[] = {"rss", "mask", "exact", "software", NULL};
static_assert(NB_METHOD_RSS == 0 && NB_METHOD_MASK == 1 && NB_METHOD_EXACT == 2 && NB_METHOD_SOFTWARE == 3,
              "method_words are in the enum's order");

/* RFC 9293 §3.3.2, without LISTEN: listeners are no flows. */
static const char *const state_words[] = {"closed",     "syn-sent",   "syn-received", "established", "fin-wait-1",
                                          "fin-wait-2", "close-wait", "closing",      "last-ack",    "time-wait",
                                          NULL};

#define F(member) offsetof(struct flow_row, member)
static const struct nb_field flow_fields[] = {
    {"id", &nb_field_u64, F(flow.id), "names the flow as long as the daemon runs"},
    {"state", &nb_field_string, F(state), "TCP state (RFC 9293): established, fin-wait-1, ..."},
    {"local", &nb_field_text, F(local), "our address and port"},
    {"remote", &nb_field_text, F(remote), "the peer's address and port"},
    {"vlan", &nb_field_u16, F(flow.key.vlan), "VLAN id, 0: untagged"},
    {"worker", &nb_field_u16, F(flow.worker), "the owner: the worker that holds the connection"},
    {"queue", &nb_field_u16, F(flow.queue), "the queue its last packet arrived on"},
    {"home_queue", &nb_field_u16, F(flow.home_queue), "the queue that RSS alone would choose"},
    {"method", &nb_field_string, F(method), "how it reaches its owner: rss, mask, exact or software"},
    {"rule", &nb_field_i64_or_null, F(steering.rule), "id of its rule (rule.list), null: it has none"},
    {"why", &nb_field_text, F(steering.why), "why it has that method"},
    {"app", &nb_field_text, F(flow.app), "the application that serves it"},
    {"moves", &nb_field_u16, F(flow.moves), "how often it was moved to another worker"},
    {"pinned_by_app", &nb_field_bool, F(flow.pinned_by_app), "the application keeps it on its worker"},
    {"pinned_by_operator", &nb_field_bool, F(flow.pinned_by_operator), "flow.pin keeps it on its worker"},
    {"active_open", &nb_field_bool, F(flow.active_open), "we opened it"},
    {"incarnation", &nb_field_u32, F(flow.incarnation), "tells one use of the 5-tuple from the next"},
    {"age_us", &nb_field_u64, F(flow.age_us), "microseconds since it began"},
    {"rx_packets", &nb_field_u64, F(flow.rx_packets), "segments received"},
    {"tx_packets", &nb_field_u64, F(flow.tx_packets), "segments sent"},
    {"rx_bytes", &nb_field_u64, F(flow.rx_bytes), "payload received"},
    {"tx_bytes", &nb_field_u64, F(flow.tx_bytes), "payload sent"},
    {"forwarded_packets", &nb_field_u64, F(flow.forwarded_packets),
     "segments that another worker forwarded to the owner"},
    {"retransmitted_segments", &nb_field_u32, F(flow.retransmitted_segments), "segments sent again"},
    {"srtt_us", &nb_field_u32, F(flow.srtt_us), "smoothed round-trip time (RFC 6298), 0: not measured yet"},
    {"rttvar_us", &nb_field_u32, F(flow.rttvar_us), "its variation"},
    {"rto_us", &nb_field_u32, F(flow.rto_us), "retransmission timeout"},
    {"cwnd_bytes", &nb_field_u32, F(flow.cwnd_bytes), "congestion window"},
    {"ssthresh_bytes", &nb_field_u32, F(flow.ssthresh_bytes), "slow start threshold; 4294967295: no loss has set it yet"},
    {"snd_wnd_bytes", &nb_field_u32, F(flow.snd_wnd_bytes), "window that the peer offers"},
    {"rcv_wnd_bytes", &nb_field_u32, F(flow.rcv_wnd_bytes), "window that we offer"},
    {"mss_bytes", &nb_field_u32, F(flow.mss_bytes), "largest segment we send"},
    {"send_queue_bytes", &nb_field_u32, F(flow.send_queue_bytes), "bytes queued or in flight, not acknowledged yet"},
    {"recv_queue_bytes", &nb_field_u32, F(flow.recv_queue_bytes),
     "bytes received that the application has not consumed"},
    {0},
};

static void fill_row(const struct nb_rpc *rpc, const struct nb_flow_info *flow, struct flow_row *row)
{
    row->flow = *flow;
    nb_steering_flow(rpc->steering, flow, &row->steering);
    nb_endpoint_text(flow->key.family, &flow->key.local, flow->key.local_port, row->local);
    nb_endpoint_text(flow->key.family, &flow->key.remote, flow->key.remote_port, row->remote);
    row->state = nb_tcp_state_name(flow->state);
    row->method = nb_method_name(row->steering.method);
}

/* --- flow.list --------------------------------------------------------------------------------------------------- */

enum { STATE, WORKER, QUEUE, METHOD, SRC, DST, SPORT, DPORT, LIMIT, CURSOR };

static const struct nb_param list_params[] = {
    [STATE] = {"state", NB_PARAM_WORD, .words = state_words, .help = "flows in this TCP state"},
    [WORKER] = {"worker", NB_PARAM_NUMBER, .min = 0, .max = NB_MAX_WORKERS - 1, .help = "flows that this worker owns"},
    [QUEUE] = {"queue", NB_PARAM_NUMBER, .min = 0, .max = UINT16_MAX,
               .help = "flows whose last packet came on this queue"},
    [METHOD] = {"method", NB_PARAM_WORD, .words = method_words, .help = "flows that reach their owner in this way"},
    [SRC] = {"src", NB_PARAM_TEXT,
             .help = "peers in this prefix: the source of what arrives; 10/8, 10.0.0.1, fd99::/64"},
    [DST] = {"dst", NB_PARAM_TEXT, .help = "our address in this prefix: the destination of what arrives"},
    [SPORT] = {"sport", NB_PARAM_NUMBER, .min = 0, .max = UINT16_MAX, .help = "the peer's port"},
    [DPORT] = {"dport", NB_PARAM_NUMBER, .min = 0, .max = UINT16_MAX, .help = "our port"},
    [LIMIT] = {"limit", NB_PARAM_NUMBER, .min = 1, .max = PAGE_MAX,
               .help = "flows in the answer at most; 250 if absent"},
    [CURSOR] = {"cursor", NB_PARAM_TEXT, .help = "`next` of the answer before; other parameters the same"},
    {0},
};
static_assert(sizeof list_params / sizeof list_params[0] <= NB_RPC_PARAMS_MAX + 1, "room for every argument");

/* Where a walk over all workers stands. Text form: WORKER:CURSOR, decimal. */
struct walk {
    unsigned worker;
    uint64_t cursor;
};

struct filter {
    const struct nb_arg *arg;
    struct nb_prefix src, dst;
};

static int read_prefix(const struct nb_arg *arg, const char *name, struct nb_prefix *prefix, struct nb_error *err)
{
    if (!arg->given || nb_prefix_parse(arg->text, prefix))
        return 0;
    nb_error_set(err, 0, "flow.list: %s: %.40s is not accepted here; accepted: an address or prefix, as 10.0.0.0/8",
                 name, arg->text);
    return NB_PROTOCOL_BAD_PARAMS;
}

static int read_cursor(const struct nb_arg *arg, struct walk *walk, struct nb_error *err)
{
    char end;

    if (!arg->given)
        return 0;
    if (strlen(arg->text) < 32 && strspn(arg->text, "0123456789:") == strlen(arg->text) &&
        sscanf(arg->text, "%5u:%20" SCNu64 "%c", &walk->worker, &walk->cursor, &end) == 2)
        return 0;
    nb_error_set(err, 0, "flow.list: cursor: %.40s is not accepted here; accepted: `next` of the answer before",
                 arg->text);
    return NB_PROTOCOL_BAD_PARAMS;
}

static bool number_matches(const struct nb_arg *arg, int64_t value)
{
    return !arg->given || arg->number == value;
}

static bool matches(const struct filter *filter, const struct flow_row *row)
{
    const struct nb_arg *arg = filter->arg;
    const struct nb_flow_key *key = &row->flow.key;

    return (!arg[STATE].given || strcmp(arg[STATE].text, row->state) == 0) &&
           number_matches(&arg[QUEUE], row->flow.queue) && number_matches(&arg[METHOD], row->steering.method) &&
           number_matches(&arg[SPORT], key->remote_port) && number_matches(&arg[DPORT], key->local_port) &&
           (!arg[SRC].given || nb_prefix_contains(&filter->src, key->family, &key->remote)) &&
           (!arg[DST].given || nb_prefix_contains(&filter->dst, key->family, &key->local));
}

/* Ask for the next portion. Returns the number of flows; *end when there are no more on any worker. */
static unsigned next_portion(const struct nb_rpc *rpc, const struct nb_arg *worker, struct walk *walk,
                             struct nb_flow_info *out, unsigned max, bool *end)
{
    unsigned n = 0, workers = nb_runtime_worker_count(rpc->runtime);

    if (worker->given && walk->worker < (unsigned)worker->number)
        *walk = (struct walk){.worker = (unsigned)worker->number};
    *end = walk->worker >= workers || (worker->given && walk->worker > (unsigned)worker->number);
    if (*end)
        return 0;
    n = nb_runtime_flows(rpc->runtime, walk->worker, &walk->cursor, out, max);
    if (walk->cursor == 0)
        walk->worker++;
    return n;
}

/* Walk until the page is full, the scan has been long enough or there is no more. A portion never exceeds what the page
 * has room for, so nothing that was fetched is left out. */
static bool collect(const struct nb_rpc *rpc, const struct filter *filter, struct walk *walk, size_t limit,
                    struct json_object *list)
{
    struct nb_flow_info flows[PORTION];
    struct flow_row row;
    bool end = false;

    for (unsigned seen = 0; !end && seen < SCAN_MAX && json_object_array_length(list) < limit;) {
        size_t room = limit - json_object_array_length(list);
        unsigned max = room < PORTION ? (unsigned)room : PORTION;
        unsigned n = next_portion(rpc, &filter->arg[WORKER], walk, flows, max, &end);
        for (unsigned i = 0; i < n; i++) {
            fill_row(rpc, &flows[i], &row);
            if (matches(filter, &row))
                json_object_array_add(list, nb_fields_show(flow_fields, &row));
        }
        seen += max;
    }
    return end;
}

static int list(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct filter filter = {.arg = arg};
    struct walk walk = {0};
    char next[32];
    int rc = read_prefix(&arg[SRC], "src", &filter.src, err);

    if (!rc)
        rc = read_prefix(&arg[DST], "dst", &filter.dst, err);
    if (!rc)
        rc = read_cursor(&arg[CURSOR], &walk, err);
    if (!rc)
        rc = nb_rpc_check_worker(rpc, &arg[WORKER], err);
    if (rc)
        return rc;
    struct json_object *flows = json_object_new_array();
    json_object_object_add(result, "flows", flows);
    size_t limit = arg[LIMIT].given ? (size_t)arg[LIMIT].number : PAGE_USUAL;
    bool end = collect(rpc, &filter, &walk, limit, flows);
    snprintf(next, sizeof next, "%u:%" PRIu64, walk.worker, walk.cursor);
    json_object_object_add(result, "next", end ? NULL : json_object_new_string(next));
    return 0;
}

/* --- flow.show --------------------------------------------------------------------------------------------------- */

enum { ID };
static const struct nb_param show_params[] = {
    [ID] = {"id", NB_PARAM_NUMBER, .required = true, .min = 0, .max = INT64_MAX,
            .help = "the flow's id, from flow.list"},
    {0},
};

static int show(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    uint64_t id = (uint64_t)arg[ID].number;
    struct nb_flow_info flow;
    struct flow_row row;

    if (nb_runtime_flow(rpc->runtime, id, &flow) < 0) {
        nb_error_set(err, 0, "no flow with id %" PRIu64, id);
        return NB_PROTOCOL_NOT_FOUND;
    }
    fill_row(rpc, &flow, &row);
    json_object_object_add(result, "flow", nb_fields_show(flow_fields, &row));
    return 0;
}

static const struct nb_result list_results[] = {
    {"flows", "list of flows", flow_fields, "flows that match every given filter, in no particular order"},
    {"next", "text or null", NULL,
     "cursor to go on from; null: that was all. May be set although `flows` is short or empty"},
    {0},
};
static const struct nb_result show_results[] = {{"flow", "flow", NULL, "the flow, fields as in flow.list"}, {0}};

const struct nb_rpc_method nb_flow_methods[] = {
    {"flow.list", NB_RIGHT_VIEWER, list, list_params, list_results,
     "Flows, a page at a time. A flow that lives through a whole walk is listed exactly once."},
    {"flow.show", NB_RIGHT_VIEWER, show, show_params, show_results, "One flow."},
    {0},
};
