/* symbols.h - find functions at run time: the C library's own, and DPDK's, which the simulator does not link with. */
#ifndef SIM_SYMBOLS_H
#define SIM_SYMBOLS_H

/* The C library's definition, whatever the program, a sanitizer or we ourselves put before it. Never NULL: a C library
 * without a function we were compiled against ends the process with a message. */
void *sim_libc_symbol(const char *name);

/* The program's definition, NULL when it has none. */
void *sim_program_symbol(const char *name);

#endif
