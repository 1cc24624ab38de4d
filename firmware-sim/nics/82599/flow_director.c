/* flow_director.c - the Flow Director's filters (7.1.2.7).
 *
 * Filters lie in memory carved from the receive packet buffer (FDIRCTRL.PBALLOC), in lists, one list per bucket. The
 * driver computes a filter's bucket and hands it over in FDIRHASH; the device computes a frame's bucket itself, from
 * the frame's fields under the masks, and searches that bucket only. So a filter programmed with a wrong hash is never
 * found, and masks that change after filters were added lose them, as on silicon.
 *
 *   FDIRCTRL  written: table initialised, INIT_DONE at once      FDIRCMD.CMD: 1 add, 2 remove, 3 query (fdir_command.c)
 *   FDIRCMD.CLEARHT: all lists emptied                            FDIRFREE, FDIRUSTAT, FDIRFSTAT, FDIRLEN: the books
 *
 * Add: the fields stand in FDIRIPSA, FDIRIPDA, FDIRPORT, FDIRVLAN, FDIRHASH and FDIRCMD itself. A filter with the same
 * fields in the bucket is replaced if FDIRCMD.FILTER_UPDATE is set, else the addition fails (FDIRFSTAT.FADD); so it
 * does when the table is full. No other sign of failure exists. Remove and query know a filter only by bucket and soft
 * id: of several, the first in the list is meant.
 *
 * Perfect filters (FDIRCTRL.PERFECT_MATCH) compare the fields and are for IPv4. Signature filters keep 15 bits of a
 * second hash of them (FDIRSKEY) instead of a soft id: four times as many fit, IPv6 has them too, and two flows of one
 * bucket and signature are one to the device.
 *
 * Assumed: new filters go to the end of their list; masked fields count as zero in the hash; rewriting FDIRCTRL without
 * CLEARHT keeps the filters. Fields and masks: fdir_key.c.
 */
#include <string.h>

#include "model.h"

#define HALF_MAX           UINT16_MAX /* FDIRUSTAT: two 16-bit counters */
#define QUARTER_MAX        UINT8_MAX  /* FDIRFSTAT: two 8-bit counters */
#define FULL_THRESH_UNIT   16
#define FDIRLEN_LENGTH_MAX 0x3f

/* --- counters -------------------------------------------------------------------------------------------------------
 */

/* Add one to the counter at `shift` of a register that holds several, stuck at its maximum. */
static void count_part(struct sim_device *dev, uint32_t offset, unsigned shift, uint32_t max)
{
    uint32_t *reg = i82599_reg(dev, offset);

    if ((*reg >> shift & max) < max)
        *reg += 1u << shift;
}

static void count_added(struct sim_device *dev)
{
    count_part(dev, REG_FDIRUSTAT, 0, HALF_MAX);
}

static void count_removed(struct sim_device *dev)
{
    count_part(dev, REG_FDIRUSTAT, 16, HALF_MAX);
}

static void count_failed_add(struct sim_device *dev)
{
    count_part(dev, REG_FDIRFSTAT, 0, QUARTER_MAX);
}

static void count_failed_remove(struct sim_device *dev)
{
    count_part(dev, REG_FDIRFSTAT, 8, QUARTER_MAX);
}

uint32_t i82599_fdirfree_read(struct sim_device *dev, unsigned index)
{
    (void)index;
    i82599_fdir_settle(dev);
    return (uint32_t)dev->fdir.collisions << 16 | (dev->fdir.capacity - dev->fdir.used);
}

/* FDIRLEN: the longest list since it was last read, and its bucket. */
static void note_length(struct sim_device *dev, uint16_t bucket)
{
    uint32_t *reg = i82599_reg(dev, REG_FDIRLEN);
    unsigned length = dev->fdir.length[bucket];

    if (length > FDIRLEN_LENGTH_MAX)
        length = FDIRLEN_LENGTH_MAX;
    if (length > (*reg & FDIRLEN_LENGTH_MAX))
        *reg = (uint32_t)bucket << 16 | length;
}

/* --- table ----------------------------------------------------------------------------------------------------------
 */

static void clear_table(struct i82599_fdir *fdir)
{
    for (unsigned b = 0; b < FDIR_BUCKETS_MAX; b++)
        fdir->bucket[b] = FDIR_NONE;
    memset(fdir->length, 0, sizeof fdir->length);
    for (unsigned i = 0; i < fdir->capacity; i++)
        fdir->filter[i].next = (uint16_t)(i + 1 < fdir->capacity ? i + 1 : FDIR_NONE);
    fdir->free = fdir->capacity ? 0 : FDIR_NONE;
    fdir->used = fdir->collisions = 0;
}

void i82599_fdir_reset(struct sim_device *dev)
{
    dev->fdir.capacity = 0;
    dev->fdir.bucket_mask = 0;
    dev->fdir.command.busy = false;
    clear_table(&dev->fdir);
}

/* PBALLOC 1, 2, 3: 2K, 4K, 8K perfect filters less two, and as many buckets; four times that of signature filters
 * (7.1.2.7.4). */
void i82599_fdir_start(struct sim_device *dev, uint32_t value)
{
    struct i82599_fdir *fdir = &dev->fdir;
    unsigned unit = value & FDIRCTRL_PERFECT ? 1024 : 4096;
    unsigned size = value & FDIRCTRL_PBALLOC ? unit << (value & FDIRCTRL_PBALLOC) : 0;
    unsigned capacity = size ? size - 2 : 0;

    if (capacity != fdir->capacity) {
        fdir->capacity = capacity;
        fdir->bucket_mask = (uint16_t)(size ? size - 1 : 0);
        clear_table(fdir);
        i82599_remark(dev, "flow director: table of %u filters", capacity);
    }
    *i82599_reg(dev, REG_FDIRCTRL) = value | (size ? FDIRCTRL_INIT_DONE : 0);
}

void i82599_fdirctrl_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    i82599_atr_yield(dev);
    i82599_fdir_start(dev, value);
}

/* The link that points to the first filter of the bucket with this soft id; what it points to is FDIR_NONE when there
 * is none. */
static uint16_t *find_soft_id(struct i82599_fdir *fdir, uint16_t bucket, uint16_t soft_id)
{
    uint16_t *link = &fdir->bucket[bucket];

    while (*link != FDIR_NONE && fdir->filter[*link].soft_id != soft_id)
        link = &fdir->filter[*link].next;
    return link;
}

/* --- commands -------------------------------------------------------------------------------------------------------
 */

static bool perfect(struct sim_device *dev)
{
    return *i82599_reg(dev, REG_FDIRCTRL) & FDIRCTRL_PERFECT;
}

/* The filter of a bucket that means the same frames, or FDIR_NONE. */
static uint16_t find_same(struct sim_device *dev, uint16_t bucket, const struct i82599_fdir_key *key, uint16_t soft_id)
{
    if (!perfect(dev))
        return *find_soft_id(&dev->fdir, bucket, soft_id);
    struct i82599_fdir_key wanted = i82599_fdir_masked(dev, key);
    uint16_t i = dev->fdir.bucket[bucket];

    for (; i != FDIR_NONE; i = dev->fdir.filter[i].next) {
        struct i82599_fdir_key there = i82599_fdir_masked(dev, &dev->fdir.filter[i].key);
        if (i82599_fdir_same_key(&there, &wanted))
            break;
    }
    return i;
}

/* Is there a filter that this one would replace? */
bool i82599_fdir_has(struct sim_device *dev, const struct i82599_fdir_command *command)
{
    return find_same(dev, command->bucket, &command->key, command->soft_id) != FDIR_NONE;
}

static void raise_when_nearly_full(struct sim_device *dev)
{
    unsigned threshold = (*i82599_reg(dev, REG_FDIRCTRL) >> FDIRCTRL_FULL_THRESH_SHIFT) * FULL_THRESH_UNIT;

    if (dev->fdir.capacity - dev->fdir.used == threshold)
        i82599_interrupt_cause(dev, EICR_FLOW_DIR);
}

static void append(struct sim_device *dev, const struct i82599_fdir_filter *filter)
{
    struct i82599_fdir *fdir = &dev->fdir;
    uint16_t *link = &fdir->bucket[filter->bucket];
    uint16_t i = fdir->free;

    fdir->free = fdir->filter[i].next;
    fdir->filter[i] = *filter;
    fdir->filter[i].next = FDIR_NONE;
    while (*link != FDIR_NONE)
        link = &fdir->filter[*link].next;
    *link = i;
    fdir->used++;
    fdir->length[filter->bucket]++;
    note_length(dev, filter->bucket);
    count_added(dev);
    raise_when_nearly_full(dev);
}

/* Does conduct leave room for one more? A table that is made smaller keeps what it has. */
static bool has_room(struct sim_device *dev)
{
    struct sim_conduct *conduct = dev->host.conduct;

    if (dev->fdir.free == FDIR_NONE)
        return false;
    if (!conduct || dev->fdir.used < conduct->filters_max)
        return true;
    conduct->count.filters_refused++;
    return false;
}

/* Why the device does not take this filter, or NULL. */
static const char *refusal(struct sim_device *dev, const struct i82599_fdir_filter *filter, uint16_t there)
{
    if (there != FDIR_NONE)
        return "exists";
    if (!has_room(dev))
        return "table full";
    if (filter->key.ipv6 && perfect(dev))
        return "perfect filters are for IPv4";
    return NULL;
}

static uint32_t add(struct sim_device *dev, const struct i82599_fdir_command *command)
{
    struct i82599_fdir *fdir = &dev->fdir;
    struct i82599_fdir_filter filter = {
        .key = command->key, .command = command->value, .bucket = command->bucket, .soft_id = command->soft_id};
    unsigned queue = command->value >> FDIRCMD_QUEUE_SHIFT & FDIRCMD_QUEUE;
    uint16_t there = find_same(dev, filter.bucket, &filter.key, filter.soft_id);
    bool collision = fdir->length[filter.bucket] > 0;

    if (there != FDIR_NONE && filter.command & FDIRCMD_UPDATE) {
        fdir->filter[there].command = filter.command;
        fdir->filter[there].soft_id = filter.soft_id;
        i82599_remark(dev, "flow director: filter updated, bucket %u soft id %u queue %u", filter.bucket,
                      filter.soft_id, queue);
        return 0;
    }
    const char *why = refusal(dev, &filter, there);
    if (why) {
        count_failed_add(dev);
        i82599_remark(dev, "flow director: filter refused (%s), bucket %u soft id %u", why, filter.bucket,
                      filter.soft_id);
        return 0;
    }
    fdir->collisions += collision;
    append(dev, &filter);
    i82599_remark(dev, "flow director: filter added, bucket %u soft id %u queue %u", filter.bucket, filter.soft_id,
                  queue);
    return collision ? FDIRCMD_COLLISION : 0;
}

static void remove_filter(struct sim_device *dev, uint16_t bucket, uint16_t soft_id)
{
    struct i82599_fdir *fdir = &dev->fdir;
    uint16_t *link = find_soft_id(fdir, bucket, soft_id), i = *link;

    if (i == FDIR_NONE) {
        count_failed_remove(dev);
        i82599_remark(dev, "flow director: no filter to remove, bucket %u soft id %u", bucket, soft_id);
        return;
    }
    *link = fdir->filter[i].next;
    fdir->filter[i].next = fdir->free;
    fdir->free = i;
    fdir->used--;
    if (--fdir->length[bucket] > 0)
        fdir->collisions--;
    count_removed(dev);
    i82599_remark(dev, "flow director: filter removed, bucket %u soft id %u", bucket, soft_id);
}

/* Returns the status bits that FDIRCMD shows afterwards. */
uint32_t i82599_fdir_execute(struct sim_device *dev, const struct i82599_fdir_command *command)
{
    switch (command->value & FDIRCMD_CMD) {
    case FDIRCMD_ADD:
        return add(dev, command);
    case FDIRCMD_REMOVE:
        remove_filter(dev, command->bucket, command->soft_id);
        return 0;
    case FDIRCMD_QUERY:
        return *find_soft_id(&dev->fdir, command->bucket, command->soft_id) != FDIR_NONE ? FDIRCMD_FILTER_VALID : 0;
    }
    return 0;
}

void i82599_fdir_clear(struct sim_device *dev)
{
    clear_table(&dev->fdir);
    i82599_remark(dev, "flow director: all filters removed");
}

/* --- receive --------------------------------------------------------------------------------------------------------
 */

static void fill_result(struct sim_device *dev, const struct i82599_fdir_filter *filter, unsigned depth,
                        struct i82599_fdir_result *result)
{
    uint32_t control = *i82599_reg(dev, REG_FDIRCTRL);

    result->hit = true;
    result->soft_id = filter->soft_id;
    result->too_long = depth > (control >> FDIRCTRL_MAX_LENGTH_SHIFT & FDIRCTRL_MAX_LENGTH);
    result->drop = filter->command & FDIRCMD_DROP;
    if (result->drop)
        result->queue = (int)(control >> FDIRCTRL_DROP_Q_SHIFT & FDIRCTRL_DROP_Q);
    else if (filter->command & FDIRCMD_QUEUE_EN)
        result->queue = (int)(filter->command >> FDIRCMD_QUEUE_SHIFT & FDIRCMD_QUEUE);
}

/* Is this filter about the frame with these fields? */
static bool matches(struct sim_device *dev, const struct i82599_fdir_filter *filter,
                    const struct i82599_fdir_key *wanted, uint16_t signature)
{
    if (!perfect(dev))
        return filter->soft_id == signature;
    struct i82599_fdir_key there = i82599_fdir_masked(dev, &filter->key);
    return i82599_fdir_same_key(&there, wanted);
}

static uint16_t signature_of(struct sim_device *dev, const struct i82599_fdir_key *masked_key)
{
    return i82599_fdir_hash(masked_key, *i82599_reg(dev, REG_FDIRSKEY)) & FDIRHASH_SOFT_ID;
}

static uint16_t bucket_of(struct sim_device *dev, const struct i82599_fdir_key *masked_key)
{
    return i82599_fdir_hash(masked_key, *i82599_reg(dev, REG_FDIRHKEY)) & dev->fdir.bucket_mask;
}

/* Where a signature filter for this frame belongs: what a driver computes. */
void i82599_fdir_sign(struct sim_device *dev, const struct sim_frame *frame, struct i82599_fdir_command *command)
{
    struct i82599_fdir_key key = i82599_fdir_key_of(dev, frame), wanted = i82599_fdir_masked(dev, &key);

    command->key = key;
    command->bucket = bucket_of(dev, &wanted);
    command->soft_id = signature_of(dev, &wanted);
}

/* Search the bucket that the frame's own fields name, and no other. */
static void search(struct sim_device *dev, const struct sim_frame *frame, struct i82599_fdir_result *result)
{
    const struct i82599_fdir *fdir = &dev->fdir;
    struct i82599_fdir_key key = i82599_fdir_key_of(dev, frame), wanted = i82599_fdir_masked(dev, &key);
    uint16_t signature = signature_of(dev, &wanted);
    unsigned depth = 0;

    result->hash = bucket_of(dev, &wanted);
    for (uint16_t i = fdir->bucket[result->hash]; i != FDIR_NONE && !result->hit; i = fdir->filter[i].next)
        if (matches(dev, &fdir->filter[i], &wanted, signature))
            fill_result(dev, &fdir->filter[i], depth, result);
        else
            depth++;
}

void i82599_fdir_lookup(struct sim_device *dev, const struct sim_frame *frame, struct i82599_fdir_result *result)
{
    *result = (struct i82599_fdir_result){.queue = -1};
    i82599_fdir_settle(dev);
    i82599_atr_settle(dev);
    if (!dev->fdir.capacity || !frame->ip_version)
        return;
    result->searched = true;
    if (frame->ip_version == 4 || !perfect(dev))
        search(dev, frame, result);
    i82599_count(dev, result->hit ? REG_FDIRMATCH : REG_FDIRMISS, 1);
}
