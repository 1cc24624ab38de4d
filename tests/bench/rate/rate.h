/* rate.h - what the ends of a rate benchmark share: kinds of traffic, arguments, and the report.
 *
 * An end is a program: the server waits to be ended, the client applies load for a while and prints one line of JSON.
 * The same exchange is made by every stack, so that figures compare:
 *
 *   short      64 connections at a time: open, 64 B request, 64 B response, the server closes first; another begins
 *   keepalive  64 connections with one 64 B request each under way
 *   pingpong   one connection, one 64 B request at a time: round trips, as a histogram (closed loop: the next begins
 *              when the last has ended, so the offered load is one outstanding request)
 *   paced      64 connections, RATE_PACED_PER_S requests a second due at even distances: latency, as a histogram, counted
 *              from when a request was due, also where it had to wait for a connection or for the client itself (open
 *              loop: a stall counts for every request that it delays)
 *   bulk       one connection, the client sends as fast as it is allowed to
 */
#ifndef RATE_H
#define RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_BYTES       64 /* request and response */
#define RATE_CONNECTIONS 64
#define RATE_PACED_PER_S 50000 /* what every stack can do; the report says it as "offered_per_s" */
#define RATE_PORT        80
#define RATE_SERVER      "10.98.0.1"
#define RATE_CLIENT      "10.98.0.2"
#define RATE_PREFIX      24

enum rate_mode { RATE_SHORT, RATE_KEEPALIVE, RATE_PINGPONG, RATE_PACED, RATE_BULK };

struct rate_arguments {
    bool server;
    enum rate_mode mode;
    unsigned cpu;
    double seconds;     /* client: how long to measure, after a warm-up */
    const char *socket; /* memif's; NULL for Linux */
};

/* PROGRAM server|client MODE CPU SECONDS [SOCKET]; ends the program with a usage line when that is not what it got. */
struct rate_arguments rate_arguments(int argc, char **argv, bool needs_socket);

/* The calling thread runs there from now on. */
void rate_pin(unsigned cpu);

unsigned rate_connections(enum rate_mode mode);

/* Do both sides poll without sleeping, because latency is what is asked? */
bool rate_polls(enum rate_mode mode);

/* --- counting, by the client -------------------------------------------------------------------------------------- */

struct rate_report;

struct rate_report *rate_begin(const struct rate_arguments *arguments);
uint64_t rate_now_ns(void);

/* One exchange has ended, begun at start_ns (0: latency is not measured); or so many bytes have been sent. */
void rate_count(struct rate_report *r, uint64_t start_ns);
void rate_bytes(struct rate_report *r, uint64_t n);
void rate_error(struct rate_report *r);

/* paced: when the next request was due, if that has come; 0 otherwise. It is begun now: ask only with a connection that
 * has none under way. */
uint64_t rate_due(struct rate_report *r);

/* Asked now and then: is it over? Starts and ends the measured time. */
bool rate_over(struct rate_report *r);

/* Print the line; the program's exit status. */
int rate_print(const struct rate_report *r);

/* The server: say that it is ready, wait until standard input ends. */
void rate_serve(void);

#endif
