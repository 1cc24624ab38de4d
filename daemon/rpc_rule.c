/* rpc_rule.c - methods about rules: rule.list, rule.table, rule.audit, rule.flush, rule.resume. */
#include "rpc.h"

#include <inttypes.h>
#include <stdlib.h>

#include <json-c/json.h>

#include <netbypass/runtime.h>

#include "steering.h"

#define PORTION    64
#define PAGE_MAX   1000 /* rules in one answer; a rule is at most 700 bytes of JSON (a test checks) */
#define PAGE_USUAL 500
#define TABLES_MAX (NB_MAX_PORTS * 4) /* engines of a port: flow director, 5-tuple, ... */

#define F(member) offsetof(struct nb_rule_info, member)
static const struct nb_field rule_fields[] = {
    {"id", &nb_field_i64_or_null, F(id), "names the rule while it is installed"},
    {"port", &nb_field_u16, F(port), "index of the port (port.show)"},
    {"engine", &nb_field_text, F(engine), "the NIC's table that holds it: flow-director, 5-tuple, ..."},
    {"match", &nb_field_text, F(match), "what it matches, source first"},
    {"queue", &nb_field_u16, F(queue), "where it sends what matches"},
    {"mark", &nb_field_u32, F(mark), "mark that the NIC puts on what matches"},
    {"why", &nb_field_text, F(why), "why it is there"},
    {"flow", &nb_field_u64, F(flow), "id of the flow it serves, 0: none"},
    {"age_us", &nb_field_u64, F(age_us), "microseconds since it was installed"},
    {"hits", &nb_field_i64_or_null, F(hits), "packets that matched, null: not known"},
    {"no_hits", &nb_field_text, F(no_hits), "why hits are not known, empty where they are"},
    {0},
};
#undef F

#define F(member) offsetof(struct nb_table_info, member)
static const struct nb_field table_fields[] = {
    {"port", &nb_field_u16, F(port), "index of the port (port.show)"},
    {"engine", &nb_field_text, F(engine), "the NIC's table"},
    {"used", &nb_field_u32, F(used), "rules in it"},
    {"max", &nb_field_u32, F(max), "rules it can hold"},
    {"rejected", &nb_field_u64, F(rejected), "rules not installed because the table was full"},
    {"failed", &nb_field_u64, F(failed), "operations that the driver or the NIC refused"},
    {"added", &nb_field_u64, F(added), "rules installed since start"},
    {"removed", &nb_field_u64, F(removed), "rules removed since start"},
    {"device_used", &nb_field_i64_or_null, F(device_used),
     "rules in it as the NIC itself counts, null: it does not say"},
    {"profile", &nb_field_text, F(profile), "what we take the NIC for"},
    {0},
};
#undef F

#define F(member) offsetof(struct nb_audit_info, member)
static const struct nb_field audit_fields[] = {
    {"port", &nb_field_u16, F(port), "index of the port (port.show)"},
    {"engine", &nb_field_text, F(engine), "the NIC's table"},
    {"rules", &nb_field_u64, F(rules), "rules that we put there"},
    {"confirmed", &nb_field_u64, F(confirmed), "of these, read back as they should be"},
    {"missing", &nb_field_u64, F(missing), "of these, not in the NIC"},
    {"mismatched", &nb_field_u64, F(mismatched), "of these, other than we put them there"},
    {"orphans", &nb_field_u64, F(orphans), "rules in the NIC that are not ours"},
    {"device_used", &nb_field_i64_or_null, F(device_used), "rules as the NIC itself counts, null: it does not say"},
    {"witness", &nb_field_text, F(witness),
     "what the NIC could tell: `every rule, both ways`, `our rules`, `count only`, `none`"},
    {0},
};
#undef F

#define F(member) offsetof(struct nb_finding_info, member)
static const struct nb_field finding_fields[] = {
    {"port", &nb_field_u16, F(port), "index of the port (port.show)"},
    {"engine", &nb_field_text, F(engine), "the NIC's table"},
    {"kind", &nb_field_text, F(kind), "`missing`, `mismatch` or `orphan`"},
    {"rule", &nb_field_i64_or_null, F(rule), "id of our rule, null: none of ours, or the NIC cannot name it"},
    {"words", &nb_field_text, F(words), "the rule, or what else is known"},
    {0},
};
#undef F

enum { PORT, LIMIT, CURSOR };
static const struct nb_param list_params[] = {
    [PORT] = {"port", NB_PARAM_NUMBER, .min = 0, .max = NB_MAX_PORTS - 1, .help = "rules of this port"},
    [LIMIT] = {"limit", NB_PARAM_NUMBER, .min = 1, .max = PAGE_MAX,
               .help = "rules in the answer at most; 500 if absent"},
    [CURSOR] = {"cursor", NB_PARAM_NUMBER, .min = 0, .max = INT64_MAX, .help = "`next` of the answer before"},
    {0},
};

static int list(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct nb_rule_info rules[PORTION];
    struct json_object *list_of_rules = json_object_new_array();
    size_t limit = arg[LIMIT].given ? (size_t)arg[LIMIT].number : PAGE_USUAL;
    unsigned ports = nb_runtime_port_count(rpc->runtime);
    int64_t cursor = arg[CURSOR].number;
    bool end = false;

    json_object_object_add(result, "rules", list_of_rules);
    if (arg[PORT].given && arg[PORT].number >= ports) {
        nb_error_set(err, 0, "no port %" PRId64 "; accepted: 0 to %u", arg[PORT].number, ports - 1);
        return NB_PROTOCOL_NOT_FOUND;
    }
    while (!end && json_object_array_length(list_of_rules) < limit) {
        size_t room = limit - json_object_array_length(list_of_rules);
        unsigned max = room < PORTION ? (unsigned)room : PORTION;
        unsigned n = nb_steering_rules(rpc->steering, &cursor, rules, max);
        for (unsigned i = 0; i < n; i++)
            if (!arg[PORT].given || arg[PORT].number == rules[i].port)
                json_object_array_add(list_of_rules, nb_fields_show(rule_fields, &rules[i]));
        end = n < max;
    }
    json_object_object_add(result, "next", end ? NULL : json_object_new_int64(cursor));
    return 0;
}

static int table(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct nb_table_info tables[TABLES_MAX];
    unsigned n = nb_steering_tables(rpc->steering, tables, TABLES_MAX);
    struct json_object *rows = json_object_new_array();

    (void)arg, (void)err;
    for (unsigned i = 0; i < n; i++)
        json_object_array_add(rows, nb_fields_show(table_fields, &tables[i]));
    json_object_object_add(result, "tables", rows);
    return 0;
}

static int audit(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct nb_audit_report *report = malloc(sizeof *report);
    struct json_object *engines = json_object_new_array(), *findings = json_object_new_array();

    (void)arg;
    json_object_object_add(result, "engines", engines);
    json_object_object_add(result, "findings", findings);
    if (!report) {
        nb_error_set(err, 0, "no memory for the report");
        return NB_PROTOCOL_FAILED;
    }
    nb_steering_audit(rpc->steering, report);
    for (unsigned i = 0; i < report->n_engines; i++)
        json_object_array_add(engines, nb_fields_show(audit_fields, &report->engine[i]));
    for (unsigned i = 0; i < report->n_findings; i++)
        json_object_array_add(findings, nb_fields_show(finding_fields, &report->finding[i]));
    free(report);
    return 0;
}

static int flush(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    (void)arg;
    if (nb_steering_flush(rpc->steering, err) != 0)
        return NB_PROTOCOL_FAILED;
    json_object_object_add(result, "steering", json_object_new_string("flushed"));
    return 0;
}

static int resume(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    (void)arg, (void)err;
    nb_steering_resume(rpc->steering);
    json_object_object_add(result, "steering", json_object_new_string("on"));
    return 0;
}

static const struct nb_result list_results[] = {
    {"rules", "list of rules", rule_fields, "rules in force, by id"},
    {"next", "number or null", NULL, "cursor to go on from; null: that was all"},
    {0},
};
static const struct nb_result table_results[] = {
    {"tables", "list of tables", table_fields, "one per port and engine"},
    {0},
};
static const struct nb_result audit_results[] = {
    {"engines", "list of audits", audit_fields, "one per port and engine"},
    {"findings", "list of findings", finding_fields, "what is wrong, the first 128"},
    {0},
};
static const struct nb_result steering_results[] = {
    {"steering", "text", NULL, "`on`, or `flushed`: no rule is kept"},
    {0},
};

const struct nb_rpc_method nb_rule_methods[] = {
    {"rule.list", NB_RIGHT_VIEWER, list, list_params, list_results, "Rules in force, a page at a time."},
    {"rule.table", NB_RIGHT_VIEWER, table, NULL, table_results, "How full the NICs' tables are."},
    {"rule.audit", NB_RIGHT_VIEWER, audit, NULL, audit_results,
     "Compare the rules that we believe to be in the NICs with what the NICs say."},
    {"rule.flush", NB_RIGHT_OPERATOR, flush, NULL, steering_results,
     "Remove every rule and keep none until rule.resume; flows go on by rss or software."},
    {"rule.resume", NB_RIGHT_OPERATOR, resume, NULL, steering_results, "Install rules again as the policy says."},
    {0},
};
