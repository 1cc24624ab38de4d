/* symbols.c - find functions at run time: the C library's own, and DPDK's, which the simulator does not link with. */
#include "symbols.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <stdio.h>
#include <stdlib.h>

void *sim_libc_symbol(const char *name)
{
    static void *libc;
    if (!libc)
        libc = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
    void *symbol = libc ? dlsym(libc, name) : NULL;
    if (!symbol) {
        fprintf(stderr, "nicsim: %s has no %s\n", LIBC_SO, name);
        abort();
    }
    return symbol;
}

void *sim_program_symbol(const char *name)
{
    return dlsym(RTLD_DEFAULT, name);
}
