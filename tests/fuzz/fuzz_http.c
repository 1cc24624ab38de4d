/* fuzz_http.c - hostile request bytes, cut anywhere: the parser must say the same as for one piece, and stay in bounds.
 *
 * The first byte of the input seeds the cuts, the rest is what the peer sends. What "the same" means: the same requests
 * in the same order, then the same refusal or the same wish for more. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../apps/http/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A digest of everything that came out of the parser and of the responses made from it. */
struct digest {
    uint64_t value;
    uint64_t requests;
};

static void mix(struct digest *d, const void *bytes, size_t n)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < n; i++)
        d->value = (d->value ^ byte[i]) * UINT64_C(0x100000001b3);
}

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void mix_response(struct digest *d, struct http_response response)
{
    char head[HTTP_HEAD_MAX];
    size_t n = http_response_head(&response, head);
    require(n <= sizeof head);
    require(!http_response_text(&response) || response.body_bytes <= HTTP_TEXT_MAX);
    require(response.body_bytes <= HTTP_BYTES_MAX);
    mix(d, head, n);
}

static enum http_outcome feed(struct http_parser *p, struct digest *d, const uint8_t *bytes, size_t n)
{
    enum http_outcome outcome = HTTP_NEED_MORE;
    for (size_t at = 0, taken; at < n && outcome != HTTP_BROKEN; at += taken) {
        outcome = http_parser_feed(p, bytes + at, n - at, &taken);
        require(taken > 0 && taken <= n - at);
        if (outcome == HTTP_NEED_MORE) {
            require(taken == n - at);
        } else if (outcome == HTTP_BROKEN) {
            mix_response(d, http_refuse(p->status));
        } else {
            const struct http_request *r = &p->request;
            require(r->path_bytes <= HTTP_PATH_MAX + 1 && r->body_bytes <= HTTP_BODY_MAX);
            mix(d, r->path, r->path_bytes <= HTTP_PATH_MAX ? r->path_bytes : HTTP_PATH_MAX);
            mix(d, &r->body_bytes, sizeof r->body_bytes);
            mix_response(d, http_respond(r));
            d->requests++;
        }
    }
    return outcome;
}

static struct digest digest_in_pieces(const uint8_t *data, size_t size, uint32_t seed)
{
    struct digest d = {.value = UINT64_C(0xcbf29ce484222325)};
    struct http_parser p;
    http_parser_init(&p);
    for (size_t at = 0; at < size;) {
        seed = seed * 1103515245 + 12345;
        size_t piece = 1 + (seed >> 16) % 61;
        if (piece > size - at)
            piece = size - at;
        if (feed(&p, &d, data + at, piece) == HTTP_BROKEN)
            break;
        at += piece;
    }
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct digest whole = {.value = UINT64_C(0xcbf29ce484222325)};
    struct http_parser p;
    http_parser_init(&p);
    feed(&p, &whole, data + 1, size - 1);
    struct digest cut = digest_in_pieces(data + 1, size - 1, data[0]);
    require(cut.value == whole.value && cut.requests == whole.requests);
    return 0;
}
