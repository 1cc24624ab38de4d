/* tcb_check.h - what must hold for every connection between two calls, whatever came before. */
#ifndef SUPPORT_TCB_CHECK_H
#define SUPPORT_TCB_CHECK_H

struct nb_tcp;

/* NULL, or the sentence that does not hold. */
const char *support_tcp_check(const struct nb_tcp *tcp);

#endif
