/* rule_words.h - the words that printing and parsing of rules share. */
#ifndef NB_FLOWRULES_RULE_WORDS_H
#define NB_FLOWRULES_RULE_WORDS_H

#include <netbypass/rule.h>

static const struct {
    const char *word;
    uint8_t protocol;
} nb__rule_protocols[] = {{"tcp", NB_RULE_TCP}, {"udp", NB_RULE_UDP}, {"ip", NB_RULE_ANY_PROTOCOL}};

#define NB__RULE_PROTOCOLS (sizeof nb__rule_protocols / sizeof nb__rule_protocols[0])

#endif
