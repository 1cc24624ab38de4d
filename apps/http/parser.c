/* parser.c - the request parser of parser.h as a table: one small handler per state, one byte at a time.
 *
 * Theory of operation. A handler looks at one byte, updates the facts and the state, and returns 0 or the status code
 * that refuses the request. Facts are collected in `word` (method, header name, token: compared once complete) and in
 * `request`. Long runs that nobody looks at (values of headers we do not use) are passed over in one loop. Every byte
 * of a head counts against the limit of its section, so no state can be held for ever by a peer that sends.
 */
#include "parser.h"

#include <string.h>

enum state {
    AT_START, /* before a request line */
    AT_START_LF,
    IN_METHOD,
    AT_TARGET,
    IN_SCHEME, /* matching "http://" */
    IN_AUTHORITY,
    IN_PATH,
    IN_QUERY,
    IN_OPAQUE_TARGET,
    IN_VERSION, /* matching "HTTP/1." */
    IN_MINOR_VERSION,
    AT_LINE_CR,
    AT_LINE_LF,
    AT_HEADER, /* at the start of a header line, or of the empty line */
    IN_NAME,
    AT_VALUE, /* leading white space of a value */
    IN_VALUE,
    AT_VALUE_LF,
    AT_END_LF,
    DONE,
    BROKEN,
};

enum field { FIELD_OTHER, FIELD_HOST, FIELD_CONNECTION, FIELD_CONTENT_LENGTH, FIELD_TRANSFER_ENCODING };

enum seen {
    SEEN_HOST = 1 << 0,
    SEEN_CONTENT_LENGTH = 1 << 1,
    SEEN_TRANSFER_ENCODING = 1 << 2,
    SEEN_CLOSE = 1 << 3,
    SEEN_KEEP_ALIVE = 1 << 4,
};

/* Character classes of RFC 9110 §5.6.2 and §5.5. */
static bool is_token_char(uint8_t c)
{
    static const uint32_t set[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
    return set[c >> 5] >> (c & 31) & 1;
}

static bool is_field_char(uint8_t c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static bool is_visible(uint8_t c)
{
    return c > 0x20 && c < 0x7f;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

static void word_begin(struct http_parser *p)
{
    p->word_bytes = 0;
}

static void word_add(struct http_parser *p, uint8_t c)
{
    if (p->word_bytes < HTTP_WORD_MAX)
        p->word[p->word_bytes++] = (char)c;
    else
        p->word_bytes = HTTP_WORD_MAX + 1;
}

static bool word_is(const struct http_parser *p, const char *text)
{
    return p->word_bytes == strlen(text) && memcmp(p->word, text, p->word_bytes) == 0;
}

/* --- request line ------------------------------------------------------------------------------------------------- */

static int at_start(struct http_parser *p, uint8_t c)
{
    if (c == '\r') {
        p->state = AT_START_LF;
        return 0;
    }
    if (!is_token_char(c))
        return 400;
    word_begin(p);
    word_add(p, c);
    p->state = IN_METHOD;
    return 0;
}

static int at_start_lf(struct http_parser *p, uint8_t c)
{
    p->state = AT_START;
    return c == '\n' ? 0 : 400;
}

static int in_method(struct http_parser *p, uint8_t c)
{
    if (is_token_char(c)) {
        word_add(p, c);
        return 0;
    }
    if (c != ' ')
        return 400;
    p->request.method = word_is(p, "GET") ? HTTP_METHOD_GET : word_is(p, "HEAD") ? HTTP_METHOD_HEAD : HTTP_METHOD_OTHER;
    p->state = AT_TARGET;
    return 0;
}

static void path_add(struct http_request *r, uint8_t c)
{
    if (r->path_bytes < HTTP_PATH_MAX)
        r->path[r->path_bytes++] = (char)c;
    else
        r->path_bytes = HTTP_PATH_MAX + 1;
}

/* The single space after a target, which ends it in every form. */
static int end_target(struct http_parser *p)
{
    p->matched = 0;
    p->state = IN_VERSION;
    return 0;
}

static int in_scheme(struct http_parser *p, uint8_t c)
{
    static const char scheme[] = "http://";
    if (c == ' ')
        return end_target(p);
    if (!is_visible(c))
        return 400;
    if (lower(c) != scheme[p->matched])
        p->state = IN_OPAQUE_TARGET;
    else if (++p->matched == sizeof scheme - 1)
        p->state = IN_AUTHORITY;
    return 0;
}

static int at_target(struct http_parser *p, uint8_t c)
{
    if (c == ' ')
        return 400;
    if (c == '/') {
        path_add(&p->request, c);
        p->state = IN_PATH;
        return 0;
    }
    p->matched = 0;
    p->state = IN_SCHEME;
    return in_scheme(p, c);
}

/* "http://host" and "http://host?query" name the path "/" (RFC 9110 §4.2.3). */
static int in_authority(struct http_parser *p, uint8_t c)
{
    if (c != ' ' && !is_visible(c))
        return 400;
    if (c != ' ' && c != '/' && c != '?')
        return 0;
    path_add(&p->request, '/');
    p->state = c == '/' ? IN_PATH : IN_QUERY;
    return c == ' ' ? end_target(p) : 0;
}

static int in_path(struct http_parser *p, uint8_t c)
{
    if (c == ' ')
        return end_target(p);
    if (!is_visible(c))
        return 400;
    if (c == '?')
        p->state = IN_QUERY;
    else
        path_add(&p->request, c);
    return 0;
}

/* A query, and a target in a form that names no path: passed over. */
static int in_ignored_target(struct http_parser *p, uint8_t c)
{
    if (c == ' ')
        return end_target(p);
    return is_visible(c) ? 0 : 400;
}

static int in_version(struct http_parser *p, uint8_t c)
{
    static const char name[] = "HTTP/1.";
    if (c != (uint8_t)name[p->matched]) /* another major version is 505, anything else is no HTTP */
        return p->matched == 5 && c >= '0' && c <= '9' ? 505 : 400;
    if (++p->matched == sizeof name - 1)
        p->state = IN_MINOR_VERSION;
    return 0;
}

static int in_minor_version(struct http_parser *p, uint8_t c)
{
    if (c < '0' || c > '9')
        return 400;
    p->request.minor_version = c != '0';
    p->state = AT_LINE_CR;
    return 0;
}

static int at_line_cr(struct http_parser *p, uint8_t c)
{
    p->state = AT_LINE_LF;
    return c == '\r' ? 0 : 400;
}

static int at_line_lf(struct http_parser *p, uint8_t c)
{
    p->state = AT_HEADER;
    p->section_bytes = 0;
    return c == '\n' ? 0 : 400;
}

/* --- header lines ------------------------------------------------------------------------------------------------- */

static int at_header(struct http_parser *p, uint8_t c)
{
    if (c == '\r') {
        p->state = AT_END_LF;
        return 0;
    }
    if (!is_token_char(c)) /* white space here is obs-fold, or precedes the first header */
        return 400;
    if (p->headers == HTTP_HEADER_COUNT_MAX)
        return 431;
    p->headers++;
    word_begin(p);
    word_add(p, lower(c));
    p->state = IN_NAME;
    return 0;
}

/* A header whose value matters. Its bit in `seen` may be set once only, if there is one. */
static const struct {
    const char *name;
    uint8_t field, once;
} known_field[] = {
    {"host", FIELD_HOST, SEEN_HOST},
    {"connection", FIELD_CONNECTION, 0},
    {"content-length", FIELD_CONTENT_LENGTH, SEEN_CONTENT_LENGTH},
    {"transfer-encoding", FIELD_TRANSFER_ENCODING, 0},
};

static int begin_value(struct http_parser *p)
{
    p->state = AT_VALUE;
    p->field = FIELD_OTHER;
    for (size_t i = 0; i < sizeof known_field / sizeof known_field[0]; i++) {
        if (!word_is(p, known_field[i].name))
            continue;
        if (p->seen & known_field[i].once)
            return 400;
        p->seen |= known_field[i].once;
        p->field = known_field[i].field;
    }
    if (p->field == FIELD_TRANSFER_ENCODING)
        p->seen |= SEEN_TRANSFER_ENCODING;
    word_begin(p);
    return 0;
}

static int in_name(struct http_parser *p, uint8_t c)
{
    if (c == ':')
        return begin_value(p);
    if (!is_token_char(c))
        return 400;
    word_add(p, lower(c));
    return 0;
}

/* One element of a Connection list is complete (RFC 9110 §7.6.1). */
static void end_connection_token(struct http_parser *p)
{
    if (word_is(p, "close"))
        p->seen |= SEEN_CLOSE;
    else if (word_is(p, "keep-alive"))
        p->seen |= SEEN_KEEP_ALIVE;
    word_begin(p);
}

/* Digits, then nothing but white space. The value sticks at HTTP_BODY_MAX + 1: how much too much does not matter. */
static int content_length_byte(struct http_parser *p, uint8_t c)
{
    if (c == ' ' || c == '\t') {
        p->matched = 1;
        return 0;
    }
    if (c < '0' || c > '9' || p->matched)
        return 400;
    p->word_bytes = 1; /* there was a digit */
    uint32_t value = p->request.body_bytes * 10 + (c - '0');
    p->request.body_bytes = value > HTTP_BODY_MAX ? HTTP_BODY_MAX + 1 : value;
    return 0;
}

static int value_byte(struct http_parser *p, uint8_t c)
{
    if (p->field == FIELD_CONTENT_LENGTH)
        return content_length_byte(p, c);
    if (p->field == FIELD_CONNECTION && (c == ',' || c == ' ' || c == '\t'))
        end_connection_token(p);
    else if (p->field == FIELD_CONNECTION)
        word_add(p, lower(c));
    return 0;
}

static int end_value(struct http_parser *p)
{
    p->state = AT_VALUE_LF;
    if (p->field == FIELD_CONNECTION)
        end_connection_token(p);
    return p->field == FIELD_CONTENT_LENGTH && p->word_bytes == 0 ? 400 : 0;
}

static int in_value(struct http_parser *p, uint8_t c)
{
    if (c == '\r')
        return end_value(p);
    return is_field_char(c) ? value_byte(p, c) : 400;
}

static int at_value(struct http_parser *p, uint8_t c)
{
    if (c == ' ' || c == '\t')
        return 0;
    p->matched = 0;
    p->state = IN_VALUE;
    return in_value(p, c);
}

static int at_value_lf(struct http_parser *p, uint8_t c)
{
    p->state = AT_HEADER;
    return c == '\n' ? 0 : 400;
}

/* The head is complete: what its parts mean together. */
static int at_end_lf(struct http_parser *p, uint8_t c)
{
    if (c != '\n')
        return 400;
    if (p->request.minor_version == 1 && !(p->seen & SEEN_HOST))
        return 400;
    if (p->seen & SEEN_TRANSFER_ENCODING)
        return 501;
    if (p->request.body_bytes > HTTP_BODY_MAX)
        return 413;
    p->request.keep_alive = !(p->seen & SEEN_CLOSE) && (p->request.minor_version == 1 || (p->seen & SEEN_KEEP_ALIVE));
    p->body_left = p->request.body_bytes;
    p->state = DONE;
    return 0;
}

/* --- driving it --------------------------------------------------------------------------------------------------- */

static int (*const on_byte[])(struct http_parser *p, uint8_t c) = {
    [AT_START] = at_start,
    [AT_START_LF] = at_start_lf,
    [IN_METHOD] = in_method,
    [AT_TARGET] = at_target,
    [IN_SCHEME] = in_scheme,
    [IN_AUTHORITY] = in_authority,
    [IN_PATH] = in_path,
    [IN_QUERY] = in_ignored_target,
    [IN_OPAQUE_TARGET] = in_ignored_target,
    [IN_VERSION] = in_version,
    [IN_MINOR_VERSION] = in_minor_version,
    [AT_LINE_CR] = at_line_cr,
    [AT_LINE_LF] = at_line_lf,
    [AT_HEADER] = at_header,
    [IN_NAME] = in_name,
    [AT_VALUE] = at_value,
    [IN_VALUE] = in_value,
    [AT_VALUE_LF] = at_value_lf,
    [AT_END_LF] = at_end_lf,
};

/* The limit of the section that the state belongs to, and what exceeding it is called. */
static int count_bytes(struct http_parser *p, size_t n)
{
    bool in_headers = p->state >= AT_HEADER;
    size_t limit = in_headers ? HTTP_HEADER_BYTES_MAX : HTTP_REQUEST_LINE_MAX;
    if (p->section_bytes + n > limit)
        return in_headers ? 431 : p->state >= AT_TARGET && p->state < IN_VERSION ? 414 : 400;
    p->section_bytes += n;
    return 0;
}

/* How many bytes, from the first, belong to a value that nobody looks at. */
static size_t ignored_run(const struct http_parser *p, const uint8_t *byte, size_t n)
{
    size_t i = 0;
    if (p->state == IN_VALUE && p->field != FIELD_CONNECTION && p->field != FIELD_CONTENT_LENGTH)
        while (i < n && is_field_char(byte[i]))
            i++;
    return i;
}

static void begin_request(struct http_parser *p)
{
    p->state = AT_START;
    p->section_bytes = 0;
    p->headers = 0;
    p->seen = 0;
    p->request.path_bytes = 0;
    p->request.body_bytes = 0;
}

static size_t skip_body(struct http_parser *p, size_t n)
{
    size_t skip = n < p->body_left ? n : p->body_left;
    p->body_left -= (uint32_t)skip;
    return skip;
}

static enum http_outcome refuse(struct http_parser *p, int status)
{
    p->state = BROKEN;
    p->status = (uint16_t)status;
    p->body_left = 0;
    return HTTP_BROKEN;
}

void http_parser_init(struct http_parser *p)
{
    memset(p, 0, sizeof *p);
    begin_request(p);
}

enum http_outcome http_parser_feed(struct http_parser *p, const void *bytes, size_t n, size_t *taken)
{
    const uint8_t *byte = bytes;
    *taken = 0;
    if (p->state == BROKEN)
        return HTTP_BROKEN;
    if (p->state == DONE)
        begin_request(p);
    *taken = skip_body(p, n);
    while (*taken < n) {
        size_t run = ignored_run(p, byte + *taken, n - *taken);
        int status = count_bytes(p, run ? run : 1);
        if (status == 0 && run == 0)
            status = on_byte[p->state](p, byte[*taken]);
        *taken += run ? run : 1;
        if (status)
            return refuse(p, status);
        if (p->state == DONE)
            return HTTP_REQUEST;
    }
    return HTTP_NEED_MORE;
}
