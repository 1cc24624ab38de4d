/* table.h - the shadow table of one port: every rule we put into the NIC, for which flow, why and since when.
 *
 * Most NICs cannot be read back, and some do not even say that they are full, so this table is the truth that plans are
 * made from. An entry is planned (its create is on its way), installed, or leaving (its destroy is). It holds its
 * place, its mark and its match until the NIC has let go of it. Single-threaded: the steering thread's lock covers it.
 */
#ifndef NETBYPASS_TABLE_H
#define NETBYPASS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/profile.h>
#include <netbypass/rule.h>

enum nb_entry_state { NB_ENTRY_PLANNED, NB_ENTRY_INSTALLED, NB_ENTRY_LEAVING };

struct nb_table_entry {
    int64_t id; /* never used again */
    struct nb_rule rule;
    enum nb_entry_state state;
    enum nb_why why;
    uint64_t flow;                /* it serves, 0: none */
    uint64_t since_us;            /* installed since */
    void *handle;                 /* the backend's, NULL unless it is in the NIC */
    unsigned engine;              /* index into the profile's engines */
    uint32_t number;              /* the table's */
    struct {                      /* the planner's */
        uint32_t flow, successor; /* flow numbers: whose it is, and who waits for it to go */
        struct nb_table_entry *next;
        uint64_t due_us;
        bool doomed, demoted;
    } plan;
    struct nb_table_entry *older, *newer; /* in order of id; the table's */
};

struct nb_table_engine { /* one engine's row, as `rule table` shows it */
    const struct nb_engine_profile *profile;
    uint32_t used;
    bool full; /* the device said so before our count did; until one of our rules goes */
    uint64_t added, removed;
    uint64_t rejected; /* wishes turned away because the table was full */
    uint64_t failed;   /* operations the driver or the NIC refused */
};

struct nb_table;

/* seed: secret, so that peers who choose ports cannot aim at one chain of the index. next_id: the id of the next rule;
 * tables may share it, so that ids are unique among them. NULL when memory is short. */
struct nb_table *nb_table_new(const struct nb_profile *profile, uint64_t seed, int64_t *next_id);
void nb_table_free(struct nb_table *table);

struct nb_table_engine *nb_table_engine(struct nb_table *table, unsigned engine);
uint32_t nb_table_used(const struct nb_table *table); /* all engines */

/* Could the engine take this match now, leaving `reserve` places free? NB_WHY_PENDING when it can. */
enum nb_why nb_table_room(const struct nb_table *table, unsigned engine, const struct nb_match *match,
                          uint32_t reserve);

/* Add an entry, planned, with an id and, where the engine needs it, a mark of its own in entry->rule. There must be
 * room, and no entry of the engine with this match unless it is to be hidden by that one. NULL when memory is short. */
struct nb_table_entry *nb_table_add(struct nb_table *table, unsigned engine, const struct nb_rule *rule, uint64_t flow,
                                    enum nb_why why);
void nb_table_installed(struct nb_table *table, struct nb_table_entry *entry, void *handle, uint64_t now_us);

/* The NIC does not have it (any more): forget it. */
void nb_table_remove(struct nb_table *table, struct nb_table_entry *entry);

/* An entry of the engine with this match, or NULL. */
struct nb_table_entry *nb_table_find(const struct nb_table *table, unsigned engine, const struct nb_match *match);

/* The entry with the lowest id >= `id`, or NULL. Going on from the last one's id + 1 takes constant time. */
struct nb_table_entry *nb_table_next(struct nb_table *table, int64_t id);

#endif
