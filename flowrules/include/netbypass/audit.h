/* audit.h - does the device have the rules that the shadow table says it has?
 *
 * How much can be found depends on the device: rules that can be read back are compared one by one and strangers are
 * named; where there is only a count, a difference is found but not named; some devices say nothing at all. `witness`
 * says which it was, so that an audit without findings is not taken for more than it is.
 */
#ifndef NETBYPASS_AUDIT_H
#define NETBYPASS_AUDIT_H

#include <netbypass/backend.h>

#define NB_AUDIT_LIST(X)                                                                                               \
    X(MISSING, "missing")   /* ours, and not in the device */                                                          \
    X(MISMATCH, "mismatch") /* in the device, but not as we put it there */                                            \
    X(ORPHAN, "orphan")     /* in the device, and not ours */
#define NB_AUDIT_ENUM(id, name) NB_AUDIT_##id,
enum nb_audit_kind { NB_AUDIT_LIST(NB_AUDIT_ENUM) NB_AUDIT_KINDS };
#undef NB_AUDIT_ENUM

const char *nb_audit_kind_name(enum nb_audit_kind kind);

#define NB_AUDIT_WORDS_MAX    NB_RULE_TEXT_BYTES
#define NB_AUDIT_FINDINGS_MAX 32 /* described; all are counted */

struct nb_audit_finding {
    enum nb_audit_kind kind;
    int64_t rule; /* id, -1: not one of ours */
    char words[NB_AUDIT_WORDS_MAX];
};

struct nb_audit {
    uint64_t rules;     /* of ours, as the shadow table has them */
    uint64_t confirmed; /* found in the device as they should be */
    uint64_t count[NB_AUDIT_KINDS];
    int64_t device_used; /* -1: the device does not count */
    const char *witness; /* what the device could tell */
    struct nb_audit_finding finding[NB_AUDIT_FINDINGS_MAX];
    unsigned n_findings;
};

struct nb_audit_rule {
    int64_t id;
    struct nb_rule rule;
    void *handle;
};

/* Compare the n rules of ours in an engine with the device's. Asks the device, so it may take its time. */
void nb_audit_engine(struct nb_backend *backend, enum nb_engine engine, const struct nb_audit_rule *rule, size_t n,
                     struct nb_audit *audit);

#endif
