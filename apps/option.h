/* option.h - what bundled applications read their `options:` with: a table says what there is and where it goes. */
#ifndef NB_APPS_OPTION_H
#define NB_APPS_OPTION_H

#include <stdint.h>

#include <netbypass/app.h>

#define APP_ENDPOINTS_MAX 16

struct app_endpoint {
    struct nb_addr address;
    uint16_t port; /* 0: not given */
};

struct app_endpoints {
    struct app_endpoint at[APP_ENDPOINTS_MAX];
    unsigned n;
};

enum app_option_kind {
    APP_NUMBER,    /* uint64_t within min..max */
    APP_ENDPOINTS, /* struct app_endpoints: IPv4 addresses with ports, separated by blanks or commas */
};

struct app_option {
    const char *key;
    enum app_option_kind kind;
    uint64_t min, max;
    void *value; /* keeps what it has when the option is not given */
};

/* Read what was given into the table's values. 0, or -EINVAL with a text that names what is accepted. */
int app_options_read(const char *app, const struct app_option *table, unsigned n, const struct nb_app_option *given,
                     unsigned n_given, struct nb_error *err);

#endif
