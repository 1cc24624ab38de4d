/* steering_rules.c - rules and tables as they are shown: the shadow tables, and what the NIC counted.
 *
 * Rules are copied under the lock, a portion at a time. Hits are asked of the device, which only the steering thread
 * does: whoever lists rules leaves a request with the copies of those that are counted, and waits for a turn.
 */
#include <errno.h>
#include <string.h>

#include "steering_core.h"

#define RULES_PER_CALL 256 /* described at once: bounds the time the lock is held */
#define UNANSWERED     "the driver did not answer"

/* --- rules -------------------------------------------------------------------------------------------------------- */

static void describe_rule(const struct nb_steering_port *port, const struct nb_table_entry *e, uint64_t now_us,
                          struct nb_rule_info *out)
{
    *out = (struct nb_rule_info){.id = e->id,
                                 .port = port->index,
                                 .queue = e->rule.queue,
                                 .mark = e->rule.mark,
                                 .flow = e->flow,
                                 .age_us = now_us - e->since_us,
                                 .hits = -1};
    const struct nb_engine_profile *row = &port->profile.engine[e->engine];
    snprintf(out->engine, sizeof out->engine, "%s", nb_engine_name(e->rule.engine));
    snprintf(out->why, sizeof out->why, "%s", nb_why_text(e->why));
    snprintf(out->no_hits, sizeof out->no_hits, "%s", row->counts_hits ? UNANSWERED : row->no_hits);
    nb_match_print(&e->rule.match, out->match, sizeof out->match);
}

/* The installed rule with the lowest id >= id on any port, or NULL. */
static const struct nb_table_entry *next_rule(struct nb_steering *s, int64_t id, struct nb_steering_port **port)
{
    const struct nb_table_entry *lowest = NULL;

    for (unsigned i = 0; i < s->n_ports; i++) {
        const struct nb_table_entry *e = nb_table_next(s->port[i].table, id);
        while (e && e->state == NB_ENTRY_PLANNED)
            e = nb_table_next(s->port[i].table, e->id + 1);
        if (e && (!lowest || e->id < lowest->id)) {
            lowest = e;
            *port = &s->port[i];
        }
    }
    return lowest;
}

/* --- hits --------------------------------------------------------------------------------------------------------- */

struct nb__hits_request {
    struct nb_rule_info *rule; /* copies, to be filled in */
    unsigned n;
    struct nb__hits_request *next;
};

/* Ask the device for one rule's hits. The rule cannot go meanwhile: this thread is the one that would remove it. */
static void count_hits(struct nb_steering *s, struct nb_rule_info *out)
{
    struct nb_steering_port *port = &s->port[out->port];
    const struct nb_table_entry *e = nb_table_next(port->table, out->id);

    if (!e || e->id != out->id || !e->handle || !port->profile.engine[e->engine].counts_hits)
        return;
    struct nb_rule rule = e->rule;
    void *handle = e->handle;
    pthread_mutex_unlock(&s->lock);
    int64_t hits = nb_backend_hits(port->backend, &rule, handle);
    pthread_mutex_lock(&s->lock);
    out->hits = hits;
    if (hits >= 0)
        out->no_hits[0] = 0;
}

void nb__steering_answer_hits(struct nb_steering *s)
{
    struct nb__hits_request *request = s->hits_wanted;

    s->hits_wanted = NULL;
    for (; request; request = request->next)
        for (unsigned i = 0; i < request->n; i++)
            count_hits(s, &request->rule[i]);
}

static bool any_counted(const struct nb_steering *s)
{
    for (unsigned i = 0; i < s->n_ports; i++)
        for (unsigned e = 0; e < s->port[i].profile.n_engines; e++)
            if (s->port[i].profile.engine[e].counts_hits)
                return true;
    return false;
}

/* Called with the lock. */
static void ask_for_hits(struct nb_steering *s, struct nb_rule_info *rule, unsigned n)
{
    struct nb__hits_request request = {rule, n, s->hits_wanted};

    if (!n || !any_counted(s))
        return;
    s->hits_wanted = &request;
    nb__steering_ask_for_turn(s);
}

unsigned nb_steering_rules(struct nb_steering *s, int64_t *cursor, struct nb_rule_info *out, unsigned max)
{
    const struct nb_table_entry *e;
    struct nb_steering_port *port;
    unsigned n = 0;

    while (n < max) {
        unsigned before = n, until = max - n < RULES_PER_CALL ? max : n + RULES_PER_CALL;
        pthread_mutex_lock(&s->lock);
        uint64_t now_us = s->world.now_us();
        while (n < until && (e = next_rule(s, *cursor, &port))) {
            describe_rule(port, e, now_us, &out[n++]);
            *cursor = e->id + 1;
        }
        ask_for_hits(s, &out[before], n - before);
        pthread_mutex_unlock(&s->lock);
        if (n < until)
            break;
    }
    return n;
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

static void describe_table(struct nb_steering_port *port, unsigned engine, struct nb_table_info *out)
{
    const struct nb_table_engine *row = nb_table_engine(port->table, engine);

    *out = (struct nb_table_info){.port = port->index,
                                  .used = row->used,
                                  .max = row->profile->size,
                                  .rejected = row->rejected,
                                  .failed = row->failed,
                                  .added = row->added,
                                  .removed = row->removed,
                                  .device_used = port->device_used[engine]};
    snprintf(out->engine, sizeof out->engine, "%s", nb_engine_name(row->profile->engine));
    snprintf(out->profile, sizeof out->profile, "%s", port->profile.name);
}

unsigned nb_steering_tables(struct nb_steering *s, struct nb_table_info *out, unsigned max)
{
    unsigned n = 0;

    pthread_mutex_lock(&s->lock);
    nb__steering_ask_for_turn(s);
    for (unsigned i = 0; i < s->n_ports; i++)
        for (unsigned e = 0; e < s->port[i].profile.n_engines && n < max; e++)
            describe_table(&s->port[i], e, &out[n++]);
    pthread_mutex_unlock(&s->lock);
    return n;
}
