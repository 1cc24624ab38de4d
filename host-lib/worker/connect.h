/* connect.h - active opens of one worker, and the local ports for them.
 *
 * Theory of operation. A connection should be served where its packets arrive, so the local port is chosen such that
 * RSS brings the answers to the worker that opens (DESIGN §4): the port search (rss.h) names such ports directly. Ports
 * of one worker therefore cannot collide with those of another, and no worker has to ask. When they run short:
 *
 *   1  a port of our own home that is free
 *   2  one whose last connection is in TIME-WAIT and may be followed (RFC 6191)
 *   3  a port of another home, which that home worker grants: it looks for one of its own as in 1, notes the asker as
 *      the owner, and answers. The flow is then placed by `software` or `exact`, like any flow that is not at home
 *
 * and when nobody has one, the connection ends with NB_CLOSED_NO_PORT. A port that the application names itself goes
 * the same way when its home is elsewhere.
 *
 * While a grant is awaited there is no TCB yet, only an opening. Letters may be lost (mail.h), so an opening that has
 * waited long enough asks the next worker; an answer that comes after that is handed back.
 */
#ifndef NB_WORKER_CONNECT_H
#define NB_WORKER_CONNECT_H

#include <stdint.h>

#include <netbypass/flow.h>

struct nb_mail;
struct nb_service;
struct nb_worker;

#define NB_EPHEMERAL_FIRST 32768 /* Linux's net.ipv4.ip_local_port_range */
#define NB_EPHEMERAL_LAST  60999
#define NB_OPENINGS_MAX    256   /* that wait for a grant; beyond it nb_conn_connect says -EADDRNOTAVAIL */
#define NB_GRANT_WAIT_US   10000 /* a worker answers within one turn of its loop, unless its letter was lost */

/* A destination for which no port of our home was left. It is looked at in full again after this time. */
#define NB_EXHAUSTED_US     100000
#define NB_EXHAUSTED_SLOTS  64 /* destinations remembered, by hash */
#define NB_PROBES_EXHAUSTED 64 /* ports that are looked at meanwhile: finds one in ten free ones almost surely */

struct nb_exhausted {
    struct nb_flow_key key; /* local_port 0 */
    uint64_t until_us;
};

struct nb_opening {
    uint32_t ticket; /* 0: unused */
    uint16_t asked;  /* the worker whose answer is awaited */
    uint16_t left;   /* further workers that may be asked */
    uint64_t deadline_us;
    struct nb_flow_key key; /* local_port 0: any */
    struct nb_service *service;
    void *user;
};

struct nb_openings {
    struct nb_opening slot[NB_OPENINGS_MAX];
    unsigned n;
    uint32_t tickets; /* given out so far */
    uint64_t next_us; /* the first deadline, or earlier */
    uint64_t secret[2];
    uint32_t walk; /* where the next search goes on */
    struct nb_exhausted exhausted[NB_EXHAUSTED_SLOTS];
};

/* A letter about ports: NB_MAIL_PORT_WANTED or NB_MAIL_PORT_ANSWER. */
void nb__connect_letter(struct nb_worker *w, unsigned from, const struct nb_mail *mail);

/* Tell applications that what is still waiting for a port comes to nothing. */
void nb__connect_stop(struct nb_worker *w);

/* Ask again what was not answered; when that is due next. */
void nb__connect_tend(struct nb_worker *w);
uint64_t nb__connect_next_us(const struct nb_worker *w);

#endif
