/* connector.h - the application that connects: a request and our FIN, a response and theirs. Its end is in TIME-WAIT then. */
#ifndef BENCH_CONNECTOR_H
#define BENCH_CONNECTOR_H

#include <stdint.h>

#include <netbypass/app.h>

extern const struct nb_app connector;

/* On the worker that runs it: n connections, spread over so many destinations, whose addresses are in a row from the
 * first (host order). Their local ports are the stack's choice. Returns how many could be opened. */
unsigned connector_open(struct nb_worker *w, uint32_t first, unsigned destinations, uint16_t port, unsigned n);

#endif
