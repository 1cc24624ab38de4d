/* log.c - see log.h. */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

const char *const nb_log_level_names[] = {"error", "warning", "notice", "info", "debug", NULL};

static _Atomic int wanted = NB_LOG_NOTICE;

void nb_log_set_level(enum nb_log_level level)
{
    atomic_store_explicit(&wanted, (int)level, memory_order_relaxed);
}

enum nb_log_level nb_log_level(void)
{
    return (enum nb_log_level)atomic_load_explicit(&wanted, memory_order_relaxed);
}

void nb_log(enum nb_log_level level, const char *fmt, ...)
{
    char line[768];
    va_list ap;

    if (level > nb_log_level())
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    fprintf(stderr, "netbypassd: %s: %s\n", nb_log_level_names[level], line);
}
