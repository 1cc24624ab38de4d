/* audit.c - compare what we believe to be in an engine with what the device says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netbypass/audit.h>

#define TEXT(id, name) [NB_AUDIT_##id] = name,
static const char *const kind_name[] = {NB_AUDIT_LIST(TEXT)};
#undef TEXT

const char *nb_audit_kind_name(enum nb_audit_kind kind)
{
    return kind < NB_AUDIT_KINDS ? kind_name[kind] : "?";
}

static void find(struct nb_audit *audit, enum nb_audit_kind kind, int64_t rule, const char *words)
{
    audit->count[kind]++;
    if (audit->n_findings == NB_AUDIT_FINDINGS_MAX)
        return;
    struct nb_audit_finding *f = &audit->finding[audit->n_findings++];
    *f = (struct nb_audit_finding){.kind = kind, .rule = rule};
    snprintf(f->words, sizeof f->words, "%s", words);
}

static void look_at(struct nb_backend *backend, const struct nb_audit_rule *rule, struct nb_audit *audit)
{
    char words[NB_RULE_TEXT_BYTES];

    nb_rule_print(&rule->rule, words, sizeof words);
    switch (nb_backend_look(backend, &rule->rule, rule->handle)) {
    case NB_SEEN_UNKNOWN:
        return;
    case NB_SEEN_THERE:
        audit->confirmed++;
        return;
    case NB_SEEN_MISSING:
        find(audit, NB_AUDIT_MISSING, rule->id, words);
        return;
    case NB_SEEN_DIFFERENT:
        find(audit, NB_AUDIT_MISMATCH, rule->id, words);
        return;
    }
}

struct walker {
    void **ours; /* sorted */
    size_t n;
    struct nb_audit *audit;
};

static int compare_pointers(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

    return x < y ? -1 : x > y;
}

static void see(void *arg, void *handle, const char *words)
{
    struct walker *w = arg;

    if (!bsearch(&handle, w->ours, w->n, sizeof *w->ours, compare_pointers))
        find(w->audit, NB_AUDIT_ORPHAN, -1, words);
}

static bool walk(struct nb_backend *backend, enum nb_engine engine, const struct nb_audit_rule *rule, size_t n,
                 struct nb_audit *audit)
{
    struct walker w = {.ours = calloc(n + 1, sizeof *w.ours), .n = n, .audit = audit};
    struct nb_error ignored;
    int rc = -1;

    if (!w.ours || !backend->ops->walk) {
        free(w.ours);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        w.ours[i] = rule[i].handle;
    qsort(w.ours, n, sizeof *w.ours, compare_pointers);
    rc = backend->ops->walk(backend, engine, see, &w, &ignored);
    free(w.ours);
    return rc == 0;
}

/* The device gives a number and no names: then the difference is all there is to say. */
static void compare_counts(int64_t used, size_t n, struct nb_audit *audit)
{
    char words[NB_AUDIT_WORDS_MAX];

    if (used == (int64_t)n)
        return;
    snprintf(words, sizeof words, "the device counts %lld rules, we know of %zu; it cannot name them", (long long)used,
             n);
    find(audit, used > (int64_t)n ? NB_AUDIT_ORPHAN : NB_AUDIT_MISSING, -1, words);
    uint64_t by = (uint64_t)(used > (int64_t)n ? used - (int64_t)n : (int64_t)n - used);
    audit->count[used > (int64_t)n ? NB_AUDIT_ORPHAN : NB_AUDIT_MISSING] += by - 1;
}

void nb_audit_engine(struct nb_backend *backend, enum nb_engine engine, const struct nb_audit_rule *rule, size_t n,
                     struct nb_audit *audit)
{
    *audit = (struct nb_audit){.rules = n, .device_used = nb_backend_device_used(backend, engine)};
    for (size_t i = 0; i < n; i++)
        look_at(backend, &rule[i], audit);
    bool looked = n && audit->confirmed + audit->count[NB_AUDIT_MISSING] + audit->count[NB_AUDIT_MISMATCH] == n;
    bool walked = walk(backend, engine, rule, n, audit);
    bool counted = audit->device_used >= 0;
    if (!walked && counted)
        compare_counts(audit->device_used, n, audit);
    audit->witness = walked ? "every rule, both ways" : looked ? "our rules" : counted ? "count only" : "none";
}
