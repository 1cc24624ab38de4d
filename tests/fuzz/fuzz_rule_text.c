/* fuzz_rule_text.c - hostile rule text: refused in words, or parsed into a valid rule whose own text means the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <netbypass/rule.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_BYTES 1024 /* longer than any rule and any word the parser takes */

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_round_trip(const struct nb_rule *rule)
{
    char text[NB_RULE_TEXT_BYTES];
    struct nb_rule again;
    int n = nb_rule_print(rule, text, sizeof text);

    require(n > 0 && (size_t)n < sizeof text);
    require(nb_rule_parse(text, &again, NULL) == 0);
    require(!memcmp(rule, &again, sizeof again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_BYTES];
    struct nb_rule rule;
    struct nb_error err = {0};

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (nb_rule_parse(text, &rule, &err)) {
        require(err.code < 0 && err.text[0] && !strchr(err.text, '\n'));
        return 0;
    }
    require(nb_match_valid(&rule.match));
    require_round_trip(&rule);
    return 0;
}
