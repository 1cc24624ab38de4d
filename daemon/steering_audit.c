/* steering_audit.c - compare the shadow tables with the devices, for whoever asks.
 *
 * The steering thread does it, since backends have one user: it copies what is installed, under the lock, and asks the
 * device without it. Nothing can change in the device meanwhile, because nobody else changes it.
 */
#include <stdlib.h>
#include <string.h>

#include "steering_core.h"

/* The installed rules of one engine, to be freed by the caller. NULL when there is no memory. */
static struct nb_audit_rule *copy_rules(struct nb_steering_port *port, unsigned engine, size_t *n)
{
    struct nb_audit_rule *rule = calloc(nb_table_engine(port->table, engine)->used + 1, sizeof *rule);
    const struct nb_table_entry *e;

    *n = 0;
    for (int64_t id = 0; rule && (e = nb_table_next(port->table, id)); id = e->id + 1)
        if (e->engine == engine && e->handle)
            rule[(*n)++] = (struct nb_audit_rule){e->id, e->rule, e->handle};
    return rule;
}

void nb__steering_port_audit(struct nb_steering_port *port, pthread_mutex_t *lock)
{
    for (unsigned i = 0; i < port->profile.n_engines; i++) {
        size_t n;
        struct nb_audit audit = {.device_used = -1, .witness = "no memory"};
        struct nb_audit_rule *rule = copy_rules(port, i, &n);
        pthread_mutex_unlock(lock);
        if (rule)
            nb_audit_engine(port->backend, port->profile.engine[i].engine, rule, n, &audit);
        free(rule);
        pthread_mutex_lock(lock);
        port->audit[i] = audit;
    }
}

static void describe_engine(const struct nb_steering_port *port, unsigned engine, struct nb_audit_info *out)
{
    const struct nb_audit *a = &port->audit[engine];

    *out = (struct nb_audit_info){.port = port->index,
                                  .rules = a->rules,
                                  .confirmed = a->confirmed,
                                  .missing = a->count[NB_AUDIT_MISSING],
                                  .mismatched = a->count[NB_AUDIT_MISMATCH],
                                  .orphans = a->count[NB_AUDIT_ORPHAN],
                                  .device_used = a->device_used};
    snprintf(out->engine, sizeof out->engine, "%s", nb_engine_name(port->profile.engine[engine].engine));
    snprintf(out->witness, sizeof out->witness, "%s", a->witness);
}

static void describe_finding(const struct nb_steering_port *port, unsigned engine, const struct nb_audit_finding *f,
                             struct nb_finding_info *out)
{
    *out = (struct nb_finding_info){.port = port->index, .rule = f->rule};
    snprintf(out->engine, sizeof out->engine, "%s", nb_engine_name(port->profile.engine[engine].engine));
    snprintf(out->kind, sizeof out->kind, "%s", nb_audit_kind_name(f->kind));
    snprintf(out->words, sizeof out->words, "%s", f->words);
}

/* Called with the lock. */
static void describe_port(const struct nb_steering_port *port, struct nb_audit_report *report)
{
    for (unsigned e = 0; e < port->profile.n_engines && report->n_engines < NB_AUDIT_ENGINES_MAX; e++) {
        describe_engine(port, e, &report->engine[report->n_engines++]);
        for (unsigned i = 0; i < port->audit[e].n_findings && report->n_findings < NB_AUDIT_REPORT_MAX; i++)
            describe_finding(port, e, &port->audit[e].finding[i], &report->finding[report->n_findings++]);
    }
}

void nb_steering_audit(struct nb_steering *s, struct nb_audit_report *report)
{
    report->n_engines = report->n_findings = 0;
    pthread_mutex_lock(&s->lock);
    s->audit_wanted = true;
    nb__steering_ask_for_turn(s);
    for (unsigned i = 0; i < s->n_ports; i++)
        describe_port(&s->port[i], report);
    pthread_mutex_unlock(&s->lock);
}
