/* keyword_read.c - a YAML document into the struct its keyword table describes.
 *
 * Two passes over the text, by libyaml. The first looks at events and refuses what a configuration has no use for and
 * what makes YAML surprising or costly: aliases and anchors (a few lines can name billions of nodes), tags, further
 * documents, deep nesting, NUL bytes. The second loads the document and walks it along the table. Marks of the nodes
 * give every complaint its line.
 */
#include "keyword.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <yaml.h>

#define TABLE_ROWS_MAX 32 /* keys of one section; `seen` below is that long */

struct reader {
    const char *file;
    yaml_document_t document;
    struct nb_error *err;
};

static unsigned line_of(const yaml_node_t *node)
{
    return (unsigned)node->start_mark.line + 1;
}

/* What the file says, at most 40 bytes of it. */
static const char *quoted(const char *text, char out[48])
{
    snprintf(out, 48, "%.40s%s", text, strlen(text) > 40 ? "..." : "");
    return out;
}

__attribute__((format(printf, 3, 4))) static int refuse(struct reader *r, unsigned line, const char *fmt, ...)
{
    char text[448];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return nb_error_set(r->err, -EINVAL, "%s:%u: %s", r->file, line, text);
}

/* --- first pass: shape ------------------------------------------------------------------------------------------- */

struct shape {
    unsigned documents, depth;
};

static const char *check_marks(const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return "anchors and aliases are not accepted: write the value out";
    return tag ? "tags are not accepted: write the plain value" : NULL;
}

/* What is wrong with an event, or NULL. */
static const char *check_event(const yaml_event_t *event, struct shape *shape)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return ++shape->documents > 1 ? "a second document: a configuration is one document" : NULL;
    case YAML_ALIAS_EVENT:
        return "anchors and aliases are not accepted: write the value out";
    case YAML_SCALAR_EVENT:
        if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
            return "a value with a NUL byte in it";
        return check_marks(event->data.scalar.anchor, event->data.scalar.tag);
    case YAML_SEQUENCE_START_EVENT:
        if (++shape->depth > NB_KEYWORD_DEPTH_MAX)
            return "nested too deep";
        return check_marks(event->data.sequence_start.anchor, event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        if (++shape->depth > NB_KEYWORD_DEPTH_MAX)
            return "nested too deep";
        return check_marks(event->data.mapping_start.anchor, event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        shape->depth--;
        return NULL;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return NULL;
    }
    return NULL;
}

/* libyaml's own complaint, with the line where it stopped. */
static int refuse_syntax(struct reader *r, const yaml_parser_t *parser)
{
    size_t line = parser->problem_mark.line;

    if (parser->error == YAML_READER_ERROR)
        line = parser->mark.line;
    return refuse(r, (unsigned)line + 1, "not YAML: %s", parser->problem ? parser->problem : "unreadable");
}

static int check_shape(struct reader *r, const char *text, size_t length)
{
    struct shape shape = {0};
    yaml_parser_t parser;
    int rc = 0;
    bool end = false;

    if (!yaml_parser_initialize(&parser))
        return nb_error_set(r->err, -ENOMEM, "%s: out of memory", r->file);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    while (!rc && !end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            rc = refuse_syntax(r, &parser);
            break;
        }
        const char *wrong = check_event(&event, &shape);
        if (wrong)
            rc = refuse(r, (unsigned)event.start_mark.line + 1, "%s", wrong);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return rc;
}

/* --- second pass: values ----------------------------------------------------------------------------------------- */

static int read_section(struct reader *r, const struct nb_keyword *table, const yaml_node_t *node, const char *name,
                        char *section);
static void set_defaults(const struct nb_keyword *table, char *section);

static const char *scalar_text(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

static yaml_node_t *node_at(struct reader *r, int index)
{
    return yaml_document_get_node(&r->document, index);
}

static int refuse_value(struct reader *r, const struct nb_keyword *k, const char *name, const yaml_node_t *node)
{
    char accepts[NB_KEYWORD_TEXT_MAX], text[48];
    const char *is = "a list";

    nb_keyword_accepts(k, accepts);
    if (node->type == YAML_MAPPING_NODE)
        is = "a section";
    else if (node->type == YAML_SCALAR_NODE)
        is = *scalar_text(node) ? quoted(scalar_text(node), text) : "nothing";
    return refuse(r, line_of(node), "%s: %s is not accepted here; accepted: %s", name, is, accepts);
}

static void set_line(const struct nb_keyword *k, char *section, unsigned line)
{
    if (k->line_offset)
        *(unsigned *)(section + k->line_offset) = line;
}

/* One value that is not a list or pairs: into `field`. */
static int read_element(struct reader *r, const struct nb_keyword *k, const char *name, const yaml_node_t *node,
                        char *field)
{
    if (k->type->shape == NB_SHAPE_SECTION) {
        if (node->type != YAML_MAPPING_NODE)
            return refuse_value(r, k, name, node);
        set_line(k, field, line_of(node));
        return read_section(r, k->inside, node, name, field);
    }
    if (node->type != YAML_SCALAR_NODE || !k->type->parse(k, scalar_text(node), field))
        return refuse_value(r, k, name, node);
    return 0;
}

static int read_list(struct reader *r, const struct nb_keyword *k, const yaml_node_t *node, char *field,
                     unsigned *count)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return refuse_value(r, k, k->name, node);
    size_t n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (n < k->min || n > k->max)
        return refuse(r, line_of(node), "%s: a list of %zu; accepted: %llu to %llu", k->name, n,
                      (unsigned long long)k->min, (unsigned long long)k->max);
    for (*count = 0; *count < n; (*count)++) {
        char name[64];
        char *element = field + *count * k->size;

        snprintf(name, sizeof name, "%s[%u]", k->name, *count);
        if (k->inside->type->shape == NB_SHAPE_SECTION)
            set_defaults(k->inside->inside, element);
        int rc = read_element(r, k->inside, name, node_at(r, node->data.sequence.items.start[*count]), element);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_pair(struct reader *r, const struct nb_keyword *k, const yaml_node_t *key, const yaml_node_t *value,
                     struct nb_pair *pairs, unsigned n)
{
    char text[48];
    struct nb_pair *pair = pairs + n;

    if (key->type != YAML_SCALAR_NODE || !*scalar_text(key) || strlen(scalar_text(key)) >= sizeof pair->key)
        return refuse_value(r, k, k->name, key);
    if (value->type != YAML_SCALAR_NODE || strlen(scalar_text(value)) >= sizeof pair->value)
        return refuse_value(r, k, scalar_text(key), value);
    for (unsigned i = 0; i < n; i++)
        if (strcmp(pairs[i].key, scalar_text(key)) == 0)
            return refuse(r, line_of(key), "%s: %s is given twice", k->name, quoted(scalar_text(key), text));
    strcpy(pair->key, scalar_text(key));
    strcpy(pair->value, scalar_text(value));
    return 0;
}

static int read_pairs(struct reader *r, const struct nb_keyword *k, const yaml_node_t *node, char *field,
                      unsigned *count)
{
    if (node->type != YAML_MAPPING_NODE)
        return refuse_value(r, k, k->name, node);
    *count = 0;
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        if (*count == k->max)
            return refuse_value(r, k, k->name, node);
        int rc = read_pair(r, k, node_at(r, p->key), node_at(r, p->value), (struct nb_pair *)field, *count);
        if (rc)
            return rc;
        (*count)++;
    }
    return 0;
}

static int read_value(struct reader *r, const struct nb_keyword *k, const yaml_node_t *node, char *section)
{
    char *field = section + k->offset;
    unsigned *count = (unsigned *)(section + k->count_offset);

    switch (k->type->shape) {
    case NB_SHAPE_SCALAR:
    case NB_SHAPE_SECTION:
        return read_element(r, k, k->name, node, field);
    case NB_SHAPE_LIST:
        return read_list(r, k, node, field, count);
    case NB_SHAPE_PAIRS:
        return read_pairs(r, k, node, field, count);
    }
    return -EINVAL;
}

/* Edits (insert, delete, replace) from a to b, for "did you mean"; both are names of keys, short. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[48], n = (unsigned)strlen(b);

    if (n >= 48 || strlen(a) >= 48)
        return UINT32_MAX;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned replace = diagonal + (a[i - 1] != b[j - 1]);
            unsigned edge = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < edge ? replace : edge;
        }
    }
    return row[n];
}

static int refuse_key(struct reader *r, const struct nb_keyword *table, const char *name, const yaml_node_t *key)
{
    char accepted[300] = "", text[48], guess[80] = "";
    size_t used = 0;
    unsigned best = 3; /* a name with more than two edits is another word */

    for (const struct nb_keyword *k = table; k->name; k++) {
        used += (size_t)snprintf(accepted + used, sizeof accepted - used, "%s%s", k == table ? "" : ", ", k->name);
        assert(used < sizeof accepted);
        unsigned edits = distance(scalar_text(key), k->name);
        if (edits < best) {
            best = edits;
            snprintf(guess, sizeof guess, " (did you mean %s?)", k->name);
        }
    }
    return refuse(r, line_of(key), "%s%sunknown key %s%s; accepted: %s", name, *name ? ": " : "",
                  quoted(scalar_text(key), text), guess, accepted);
}

static const struct nb_keyword *find_keyword(const struct nb_keyword *table, const char *name)
{
    for (const struct nb_keyword *k = table; k->name; k++)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

static int refuse_missing(struct reader *r, const struct nb_keyword *k, const char *name, unsigned line)
{
    char accepts[NB_KEYWORD_TEXT_MAX];

    nb_keyword_accepts(k, accepts);
    return refuse(r, line, "%s%skey %s is missing; accepted: %s. %s", name, *name ? ": " : "", k->name, accepts, k->help);
}

static int read_section(struct reader *r, const struct nb_keyword *table, const yaml_node_t *node, const char *name,
                        char *section)
{
    bool seen[TABLE_ROWS_MAX] = {false};

    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = node_at(r, p->key);
        if (key->type != YAML_SCALAR_NODE)
            return refuse(r, line_of(key), "%s%sa key must be a plain word", name, *name ? ": " : "");
        const struct nb_keyword *k = find_keyword(table, scalar_text(key));
        if (!k)
            return refuse_key(r, table, name, key);
        if (seen[k - table])
            return refuse(r, line_of(key), "%s%s%s is given twice", name, *name ? ": " : "", k->name);
        seen[k - table] = true;
        int rc = read_value(r, k, node_at(r, p->value), section);
        if (rc)
            return rc;
    }
    for (const struct nb_keyword *k = table; k->name; k++) {
        assert(k - table < TABLE_ROWS_MAX);
        if (!k->fallback && !seen[k - table])
            return refuse_missing(r, k, name, line_of(node));
    }
    return 0;
}

/* The table's own defaults go through the same parsers; one that is not accepted is a mistake in the table. */
static void set_defaults(const struct nb_keyword *table, char *section)
{
    for (const struct nb_keyword *k = table; k->name; k++) {
        if (k->type->shape == NB_SHAPE_SECTION) {
            set_defaults(k->inside, section + k->offset);
        } else if (k->type->shape != NB_SHAPE_SCALAR) {
            *(unsigned *)(section + k->count_offset) = 0;
        } else if (k->fallback) {
            bool accepted = k->type->parse(k, k->fallback, section + k->offset);
            assert(accepted);
            (void)accepted;
        }
    }
}

static int read_document(struct reader *r, const struct nb_keyword *table, char *section)
{
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    static const yaml_node_t nothing = {.type = YAML_MAPPING_NODE}; /* an empty file: every key has its default */

    if (root && root->type != YAML_MAPPING_NODE)
        return refuse(r, line_of(root), "a configuration is `key: value` lines; this begins with something else");
    return read_section(r, table, root ? root : &nothing, "", section);
}

int nb_keywords_read(const struct nb_keyword *table, const char *file, const char *text, size_t length, void *section,
                     struct nb_error *err)
{
    struct reader r = {.file = file, .err = err};
    yaml_parser_t parser;

    if (length > NB_KEYWORD_FILE_MAX)
        return nb_error_set(err, -EFBIG, "%s: larger than %d bytes, the most a configuration may have", file,
                            NB_KEYWORD_FILE_MAX);
    set_defaults(table, section);
    int rc = check_shape(&r, text, length);
    if (rc)
        return rc;
    if (!yaml_parser_initialize(&parser))
        return nb_error_set(err, -ENOMEM, "%s: out of memory", file);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    if (yaml_parser_load(&parser, &r.document)) {
        rc = read_document(&r, table, section);
        yaml_document_delete(&r.document);
    } else {
        rc = refuse_syntax(&r, &parser);
    }
    yaml_parser_delete(&parser);
    return rc;
}
