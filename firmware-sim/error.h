/* error.h - an error a person will read: the callee fills in the sentence and returns a negative errno.
 *
 * A text says what, where and what would be accepted. One line, no newline at its end. The caller owns the storage.
 */
#ifndef SIM_ERROR_H
#define SIM_ERROR_H

#include <stdarg.h>
#include <stdio.h>

struct sim_error {
    char text[512];
};

/* Fill *err and return code, so that `return sim_fail(err, -EINVAL, ...)` reads as one step. */
__attribute__((format(printf, 3, 4))) static inline int sim_fail(struct sim_error *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return code;
}

#endif
