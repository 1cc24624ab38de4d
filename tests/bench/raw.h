/* raw.h - the smallest servers and client there are: 64 bytes of request, and then one of three.
 *
 * raw_server answers with 64 bytes and closes. On the wire that is six segments, three in each direction, and no fewer
 * are possible with a three-way handshake:
 *
 *      client                          server
 *        SYN            ->
 *                       <-             SYN, ACK
 *        ACK, request   ->
 *                       <-             ACK, response, FIN
 *        ACK, FIN       ->
 *                       <-             ACK
 *
 * raw_keepalive answers every request with 64 bytes and stays; one segment each way. raw_source sends without end, in
 * buffers of its own (zero copy), a few at a time, as much as the connection takes.
 */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stdint.h>

#include <netbypass/app.h>

#define RAW_BYTES        64
#define RAW_SOURCE_BYTES 1448 /* a full segment's payload: 1500 bytes of MTU, timestamps */

extern const struct nb_app raw_server, raw_keepalive, raw_source;

/* The client's side, on worker 0 of a runtime that the calling thread steps. */
struct nb_runtime;

#define RAW_CLIENT_KEEPS 32 /* connections that requests can be repeated on: one full burst */

struct raw_client {
    struct nb_runtime *rt;
    struct nb_tcb *kept[RAW_CLIENT_KEEPS]; /* established; only with a server that does not close */
    unsigned n_kept;
    struct nb_addr server;
    uint16_t server_port;
    uint16_t next_port; /* local, of the next connection */
    uint64_t opened, completed, failed;
    uint64_t response_bytes;
};

/* Take over the TCP events of the runtime's worker. */
void raw_client_init(struct raw_client *client, struct nb_runtime *rt, const struct nb_addr *server, uint16_t port);

/* Begin n connections, each from a port of its own; each makes a request when it is established. */
void raw_client_open(struct raw_client *client, unsigned n);

/* A request on every connection that is kept. */
void raw_client_request(struct raw_client *client);

#endif
