/* raw.h - the smallest server and client there are: 64 bytes of request, 64 bytes of response, then the server closes.
 *
 * On the wire that is six segments, three in each direction, and no fewer are possible with a three-way handshake:
 *
 *      client                          server
 *        SYN            ->
 *                       <-             SYN, ACK
 *        ACK, request   ->
 *                       <-             ACK, response, FIN
 *        ACK, FIN       ->
 *                       <-             ACK
 */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stdint.h>

#include <netbypass/app.h>

#define RAW_BYTES 64

extern const struct nb_app raw_server;

/* The client's side, on worker 0 of a runtime that the calling thread steps. */
struct nb_runtime;

struct raw_client {
    struct nb_runtime *rt;
    struct nb_addr server;
    uint16_t server_port;
    uint16_t next_port; /* local, of the next connection */
    uint64_t opened, completed, failed;
    uint64_t response_bytes;
};

/* Take over the TCP events of the runtime's worker. */
void raw_client_init(struct raw_client *client, struct nb_runtime *rt, const struct nb_addr *server, uint16_t port);

/* Begin n connections, each from a port of its own. */
void raw_client_open(struct raw_client *client, unsigned n);

#endif
