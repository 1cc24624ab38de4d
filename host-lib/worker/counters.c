/* counters.c - names and sentences of the counters, from the one list in counters.h. */
#include <netbypass/counters.h>

#define NAME(id, name, sentence)     [NB_COUNTER_##id] = name,
#define SENTENCE(id, name, sentence) [NB_COUNTER_##id] = sentence,

const char *nb_counter_name(enum nb_counter counter)
{
    static const char *const names[] = {NB_COUNTER_LIST(NAME)};

    return (unsigned)counter < NB_COUNTER_COUNT ? names[counter] : "?";
}

const char *nb_counter_help(enum nb_counter counter)
{
    static const char *const sentences[] = {NB_COUNTER_LIST(SENTENCE)};

    return (unsigned)counter < NB_COUNTER_COUNT ? sentences[counter] : "?";
}
