/* interpose.h - helpers for functions that this library puts before the program's libraries. */
#ifndef SIM_INTERPOSE_H
#define SIM_INTERPOSE_H

/* The library is compiled with hidden symbols; what the program shall meet first is marked. */
#define SIM_INTERPOSED __attribute__((visibility("default")))

/* The next definition after ours; ends the program with a message when there is none. */
void *sim_next_symbol(const char *name);

#endif
