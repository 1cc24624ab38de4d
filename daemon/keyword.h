/* keyword.h - tables that say what a configuration file may hold, and the reader that fills structs from them.
 *
 * A section of the file is an array of struct nb_keyword. Each row carries name, type, range, default and its own help
 * text, so the reader, the error messages, `netbypassd --help-config`, docs/configuration.md (a test compares them) and
 * the control protocol's config.show cannot disagree.
 */
#ifndef NB_DAEMON_KEYWORD_H
#define NB_DAEMON_KEYWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <netbypass/error.h>

struct json_object;
struct nb_keyword;

#define NB_KEYWORD_FILE_MAX  (64 * 1024) /* bytes of a configuration file: 8 ports and 64 listeners need under 16 K */
#define NB_KEYWORD_DEPTH_MAX 8           /* nested collections; the deepest key has 5 */
#define NB_KEYWORD_TEXT_MAX  160         /* bytes of a description of what a keyword accepts */

enum nb_keyword_shape { NB_SHAPE_SCALAR, NB_SHAPE_SECTION, NB_SHAPE_LIST, NB_SHAPE_PAIRS };

struct nb_keyword_type {
    enum nb_keyword_shape shape;
    const char *name;
    /* For scalars: text to field (false: not accepted), field to JSON, and "a number from 1 to 9". */
    bool (*parse)(const struct nb_keyword *k, const char *text, void *field);
    struct json_object *(*show)(const struct nb_keyword *k, const void *field);
    void (*accepts)(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX]);
};

struct nb_keyword {
    const char *name; /* NULL ends a table */
    const struct nb_keyword_type *type;
    size_t offset, size;      /* the field within the section's struct; for lists, of one element */
    size_t count_offset;      /* lists and pairs: where the number of elements (unsigned) lies */
    size_t line_offset;       /* sections: where the line (unsigned) goes that the section began on; 0: not kept */
    uint64_t min, max;        /* numbers: range; lists and pairs: number of elements */
    const char *fallback;     /* the default as one would write it; NULL: the key must be given */
    const char *const *words; /* NB_TYPE_WORD: the words, NULL at the end; the field gets the index */
    const struct nb_keyword *inside; /* sections: the table; lists: one row that describes an element */
    const char *help;                /* a sentence or two */
};

extern const struct nb_keyword_type nb_type_bool;     /* bool */
extern const struct nb_keyword_type nb_type_number;   /* uint8_t, uint16_t or uint32_t, by size */
extern const struct nb_keyword_type nb_type_count;    /* as number, and the word auto, which is 0 */
extern const struct nb_keyword_type nb_type_word;     /* int-sized enum */
extern const struct nb_keyword_type nb_type_text;     /* char[size] */
extern const struct nb_keyword_type nb_type_address;  /* struct nb_addr, IPv4; "none" is all zero */
extern const struct nb_keyword_type nb_type_gateway6; /* struct nb_gateway6; "none", "auto" or an address */
extern const struct nb_keyword_type nb_type_prefix;   /* struct nb_prefix */
extern const struct nb_keyword_type nb_type_endpoint; /* struct nb_endpoint */
extern const struct nb_keyword_type nb_type_user;     /* uid_t, from a name or number */
extern const struct nb_keyword_type nb_type_group;    /* gid_t, from a name or number */
extern const struct nb_keyword_type nb_type_section;
extern const struct nb_keyword_type nb_type_list;
extern const struct nb_keyword_type nb_type_pairs; /* struct nb_pair[max]: keys that the file's author chooses */

struct nb_pair {
    char key[32], value[224];
};

/* Fill *section, whose keywords are `table`, from YAML text. Defaults go in first. `file` is for messages. Refused with
 * `file:line: ...` and -EINVAL: unknown and duplicate keys, wrong types, values out of range, missing keys, aliases,
 * anchors, tags, more than one document, nesting beyond NB_KEYWORD_DEPTH_MAX, and everything that is not YAML. */
int nb_keywords_read(const struct nb_keyword *table, const char *file, const char *text, size_t length, void *section,
                     struct nb_error *err);

/* The section as JSON, in the file's own words. */
struct json_object *nb_keywords_show(const struct nb_keyword *table, const void *section);

/* Call fn once per key, lists' and sections' own keys after them, with the key's full path: `ports[].mtu`. */
typedef void nb_keyword_visit(const char *path, const struct nb_keyword *k, void *arg);
void nb_keywords_walk(const struct nb_keyword *table, nb_keyword_visit *fn, void *arg);

/* What a keyword accepts ("a number from 68 to 9000") and its default ("1500", "required"). */
void nb_keyword_accepts(const struct nb_keyword *k, char out[NB_KEYWORD_TEXT_MAX]);
const char *nb_keyword_default(const struct nb_keyword *k);

#endif
