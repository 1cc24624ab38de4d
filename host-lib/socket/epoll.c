/* epoll.c - epoll sets.
 *
 * An item watches one file for one epoll. An announcement that matches puts the item into the epoll's ready list;
 * epoll_wait takes items from there, asks each file what holds now, and reports that. What becomes of the item then is
 * the whole difference between the modes: level-triggered items go back to the end of the list, to be asked again;
 * edge-triggered ones wait for the next announcement; one-shot ones are disabled until EPOLL_CTL_MOD.
 */
#include "epoll.h"
#include "sockets.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* Bits that say how to report, not what. */
#define PRIVATE_BITS   (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EXCLUSIVE_BITS (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define MAX_NESTING    4 /* epolls in epolls, as Linux allows */

struct nb_epoll_item {
    struct nb_watch watch; /* owner: this item */
    struct nb_epoll *epoll;
    struct nb_file *file;
    struct epoll_event event;
    struct nb_epoll_item *next;       /* of the epoll, or free list */
    struct nb_epoll_item *ready_next; /* ready list */
    bool ready;
};

static_assert(sizeof(struct nb_epoll_item) <= 104, "docs/performance.md says what it costs");

struct nb_epoll {
    struct nb_file file;
    struct nb_epoll_item *items;
    struct nb_epoll_item *ready_head, *ready_tail;
};

struct nb_epoll_pool {
    struct nb_block_pool epolls, items;
};

/* --- pools
 * --------------------------------------------------------------------------------- */

struct nb_epoll_pool *nb__epoll_pool_new(uint32_t epolls, uint32_t items)
{
    struct nb_epoll_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    if (nb_block_pool_init(&pool->epolls, sizeof(struct nb_epoll), epolls) &&
        nb_block_pool_init(&pool->items, sizeof(struct nb_epoll_item), items))
        return pool;
    nb__epoll_pool_free(pool);
    return NULL;
}

void nb__epoll_pool_free(struct nb_epoll_pool *pool)
{
    if (!pool)
        return;
    nb_block_pool_fini(&pool->items);
    nb_block_pool_fini(&pool->epolls);
    free(pool);
}

/* --- ready list
 * ---------------------------------------------------------------------------- */

static void push_ready(struct nb_epoll_item *item)
{
    struct nb_epoll *epoll = item->epoll;
    if (item->ready)
        return;
    item->ready = true;
    item->ready_next = NULL;
    if (epoll->ready_tail)
        epoll->ready_tail->ready_next = item;
    else
        epoll->ready_head = item;
    epoll->ready_tail = item;
}

static struct nb_epoll_item *pop_ready(struct nb_epoll *epoll)
{
    struct nb_epoll_item *item = epoll->ready_head;
    if (item) {
        epoll->ready_head = item->ready_next;
        if (!epoll->ready_head)
            epoll->ready_tail = NULL;
        item->ready = false;
    }
    return item;
}

static void drop_ready(struct nb_epoll_item *item)
{
    struct nb_epoll *epoll = item->epoll;
    struct nb_epoll_item *before = NULL;
    if (!item->ready)
        return;
    for (struct nb_epoll_item *i = epoll->ready_head; i != item; i = i->ready_next)
        before = i;
    *(before ? &before->ready_next : &epoll->ready_head) = item->ready_next;
    if (epoll->ready_tail == item)
        epoll->ready_tail = before;
    item->ready = false;
}

static bool is_disabled(const struct nb_epoll_item *item)
{
    return !(item->event.events & ~(uint32_t)PRIVATE_BITS);
}

static uint32_t events_of(struct nb_sockets *ns, struct nb_epoll_item *item)
{
    return is_disabled(item) ? 0 : nb__file_events(ns, item->file) & item->event.events;
}

static void on_announcement(struct nb_sockets *ns, struct nb_watch *watch, uint32_t events)
{
    (void)events;
    struct nb_epoll_item *item = watch->owner;
    if (is_disabled(item))
        return;
    push_ready(item);
    nb__watch_announce(ns, &item->epoll->file, EPOLLIN | EPOLLRDNORM);
}

/* --- membership
 * ---------------------------------------------------------------------------- */

static struct nb_epoll_item *find(struct nb_epoll *epoll, const struct nb_file *file)
{
    struct nb_epoll_item *item = epoll->items;
    while (item && item->file != file)
        item = item->next;
    return item;
}

/* A new or changed interest may already be met. */
static void look_now(struct nb_sockets *ns, struct nb_epoll_item *item)
{
    if (!events_of(ns, item))
        return;
    push_ready(item);
    nb__watch_announce(ns, &item->epoll->file, EPOLLIN | EPOLLRDNORM);
}

static void set_event(struct nb_epoll_item *item, const struct epoll_event *event)
{
    item->event = *event;
    item->event.events |= EPOLLERR | EPOLLHUP;
    item->watch.events = item->event.events;
}

static int add(struct nb_sockets *ns, struct nb_epoll *epoll, struct nb_file *file, const struct epoll_event *event)
{
    struct nb_epoll_item *item = nb_block_get(&ns->epolls->items);
    if (!item)
        return -ENOSPC;
    *item = (struct nb_epoll_item){.epoll = epoll, .file = file, .next = epoll->items};
    item->watch.fire = on_announcement;
    item->watch.owner = item;
    epoll->items = item;
    set_event(item, event);
    nb__watch_start(file, &item->watch);
    look_now(ns, item);
    return 0;
}

static void del(struct nb_sockets *ns, struct nb_epoll_item *item)
{
    struct nb_epoll_item **at = &item->epoll->items;
    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    drop_ready(item);
    nb__watch_stop(&item->watch);
    nb_block_put(&ns->epolls->items, item);
}

static int mod(struct nb_sockets *ns, struct nb_epoll_item *item, const struct epoll_event *event)
{
    if (item->event.events & EPOLLEXCLUSIVE)
        return -EINVAL;
    set_event(item, event);
    look_now(ns, item);
    return 0;
}

void nb__epoll_forget(struct nb_sockets *ns, struct nb_file *file)
{
    for (struct nb_watch *watch = file->watchers, *next; watch; watch = next) {
        next = watch->next;
        if (watch->fire == on_announcement)
            del(ns, watch->owner);
    }
}

void nb__epoll_free(struct nb_sockets *ns, struct nb_epoll *epoll)
{
    while (epoll->items)
        del(ns, epoll->items);
    nb__watch_announce(ns, &epoll->file, 0);
    nb_block_put(&ns->epolls->epolls, epoll);
}

/* How deep epolls nest below this one; more than MAX_NESTING when `sought` is among them, which would be a loop. */
static int depth(const struct nb_epoll *epoll, const struct nb_epoll *sought, int level)
{
    int deepest = level;
    if (epoll == sought || level > MAX_NESTING)
        return MAX_NESTING + 1;
    for (const struct nb_epoll_item *item = epoll->items; item; item = item->next) {
        if (item->file->kind != NB_FILE_EPOLL)
            continue;
        int below = depth((const struct nb_epoll *)item->file, sought, level + 1);
        deepest = below > deepest ? below : deepest;
    }
    return deepest;
}

static int check_add(const struct nb_epoll *epoll, const struct nb_file *file, const struct epoll_event *event)
{
    if (event->events & EPOLLEXCLUSIVE && (event->events & ~(uint32_t)EXCLUSIVE_BITS || file->kind == NB_FILE_EPOLL))
        return -EINVAL;
    if (file->kind == NB_FILE_EPOLL && depth((const struct nb_epoll *)file, epoll, 1) > MAX_NESTING)
        return -ELOOP;
    return 0;
}

/* --- calls
 * --------------------------------------------------------------------------------- */

int nb_epoll_create(struct nb_sockets *ns, int flags)
{
    if (flags & ~EPOLL_CLOEXEC)
        return -EINVAL;
    struct nb_epoll *epoll = nb_block_get(&ns->epolls->epolls);
    if (!epoll)
        return -ENFILE;
    *epoll = (struct nb_epoll){.file = {.kind = NB_FILE_EPOLL, .fd = -1}};
    int fd = nb__file_install(ns, &epoll->file);
    if (fd < 0) {
        nb_block_put(&ns->epolls->epolls, epoll);
        return fd;
    }
    epoll->file.cloexec = flags & EPOLL_CLOEXEC;
    return fd;
}

int nb_epoll_ctl(struct nb_sockets *ns, int epoll_fd, int op, int fd, struct epoll_event *event)
{
    struct nb_file *set = nb__file_get(ns, epoll_fd), *file = nb__file_get(ns, fd);
    if (!event && op != EPOLL_CTL_DEL)
        return -EFAULT;
    if (!set || !file)
        return -EBADF;
    if (set->kind != NB_FILE_EPOLL || set == file)
        return -EINVAL;
    struct nb_epoll *epoll = (struct nb_epoll *)set;
    struct nb_epoll_item *item = find(epoll, file);
    int err;
    switch (op) {
    case EPOLL_CTL_ADD:
        err = item ? -EEXIST : check_add(epoll, file, event);
        return err ? err : add(ns, epoll, file, event);
    case EPOLL_CTL_DEL:
        if (item)
            del(ns, item);
        return item ? 0 : -ENOENT;
    case EPOLL_CTL_MOD:
        if (event->events & EPOLLEXCLUSIVE)
            return -EINVAL;
        return item ? mod(ns, item, event) : -ENOENT;
    }
    return -EINVAL;
}

uint32_t nb__epoll_events(struct nb_sockets *ns, struct nb_epoll *epoll)
{
    for (struct nb_epoll_item *item = epoll->ready_head; item; item = item->ready_next) {
        if (events_of(ns, item))
            return EPOLLIN | EPOLLRDNORM;
    }
    return 0;
}

/* Report what is ready now: each item of the list is asked once. */
static int collect(struct nb_sockets *ns, struct nb_epoll *epoll, struct epoll_event *events, int max)
{
    int n = 0;
    struct nb_epoll_item *last = epoll->ready_tail, *item = NULL;
    while (n < max && item != last && (item = pop_ready(epoll))) {
        uint32_t now = events_of(ns, item);
        if (!now)
            continue;
        events[n++] = (struct epoll_event){.events = now, .data = item->event.data};
        if (item->event.events & EPOLLONESHOT)
            item->event.events &= PRIVATE_BITS;
        else if (!(item->event.events & EPOLLET))
            push_ready(item);
    }
    return n;
}

static void wait_until_ready(struct nb_sockets *ns, struct nb_epoll *epoll, uint64_t deadline_us, int *err)
{
    struct nb_sock_sleep sleep = {0};
    struct nb_watch watch = {.fire = nb__sock_wake, .owner = &sleep, .events = EPOLLIN};
    nb__watch_start(&epoll->file, &watch);
    *err = ns->env.wait(ns->env.arg, &sleep, deadline_us);
    nb__watch_stop(&watch);
}

int nb_epoll_wait(struct nb_sockets *ns, int epoll_fd, struct epoll_event *events, int max, int64_t timeout_us)
{
    struct nb_file *file = nb__file_get(ns, epoll_fd);
    if (!file)
        return -EBADF;
    if (file->kind != NB_FILE_EPOLL || max <= 0)
        return -EINVAL;
    if (!events)
        return -EFAULT;
    struct nb_epoll *epoll = (struct nb_epoll *)file;
    uint64_t deadline = nb__sock_deadline(ns, timeout_us == 0, timeout_us < 0 ? 0 : (uint64_t)timeout_us);
    for (int err = 0;;) {
        int n = collect(ns, epoll, events, max);
        if (n > 0 || deadline == 0 || err == -ETIMEDOUT)
            return n;
        if (err || epoll->file.fd < 0)
            return err ? err : -EBADF;
        wait_until_ready(ns, epoll, deadline, &err);
    }
}
