/* error.h - an error a person will read: a code for the program, a sentence for the human.
 *
 * Cold paths only. The callee fills it and returns the same negative errno; the caller owns the storage. A text says
 * what, where and what would be accepted ("queue 7: this port has 4 queues, 0 to 3").
 */
#ifndef NETBYPASS_ERROR_H
#define NETBYPASS_ERROR_H

#include <stdarg.h>
#include <stdio.h>

struct nb_error {
    int code;       /* negative errno, 0 when nothing failed */
    char text[512]; /* one line, no newline at its end */
};

/* Fill *err (which may be NULL) and return code, so that `return nb_error_set(err, -EINVAL, ...)` reads as one step. */
__attribute__((format(printf, 3, 4))) static inline int nb_error_set(struct nb_error *err, int code, const char *fmt,
                                                                      ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        err->code = code;
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
    }
    return code;
}

#endif
