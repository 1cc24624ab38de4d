/* fdir_command.c - when a filter command is done (8.2.3.21.17 FDIRCMD).
 *
 * FDIRCMD.CMD reads back as written while the device works on a command, and 0 afterwards. Ordinarily that is at once;
 * a device whose conduct says so takes its time, and in stepped time a command is done when somebody has it done. Till
 * then frames are looked up in the table as it was. The fields of the filter are those in the registers when FDIRCMD
 * was written. Assumed: a command written while another is busy has that one done first.
 *
 * Nothing needs a timer: that a command is overdue matters only to whoever looks, and all who look settle it first.
 */
#include "model.h"

static void finish(struct sim_device *dev)
{
    struct i82599_fdir_command *command = &dev->fdir.command;
    const uint32_t answers = FDIRCMD_CMD | FDIRCMD_FILTER_VALID | FDIRCMD_COLLISION;

    command->busy = false;
    *i82599_reg(dev, REG_FDIRCMD) = (command->value & ~answers) | i82599_fdir_execute(dev, command);
}

bool i82599_fdir_complete(struct sim_device *dev)
{
    if (!dev->fdir.command.busy)
        return false;
    finish(dev);
    return true;
}

/* Have a command done whose time has come. */
void i82599_fdir_settle(struct sim_device *dev)
{
    const struct i82599_fdir_command *command = &dev->fdir.command;

    if (command->busy && !dev->host.conduct->stepped && dev->host.now_ns(dev->host.arg) >= command->due_ns)
        finish(dev);
}

/* The commands that silicon needs time for; writing 0 to CMD asks for nothing. */
static bool takes_time(const struct sim_device *dev, uint32_t value)
{
    const struct sim_conduct *conduct = dev->host.conduct;

    return value & FDIRCMD_CMD && conduct && (conduct->stepped || conduct->filter_delay_ns);
}

static void delay(struct sim_device *dev)
{
    struct sim_conduct *conduct = dev->host.conduct;

    dev->fdir.command.due_ns = dev->host.now_ns(dev->host.arg) + conduct->filter_delay_ns;
    conduct->count.filters_slowed += conduct->filter_delay_ns > 0;
}

void i82599_fdircmd_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    uint32_t fdirhash = *i82599_reg(dev, REG_FDIRHASH);

    (void)index;
    i82599_fdir_complete(dev);
    if (value & FDIRCMD_CLEARHT)
        i82599_fdir_clear(dev);
    dev->fdir.command = (struct i82599_fdir_command){
        .busy = takes_time(dev, value),
        .value = value,
        .bucket = (uint16_t)(fdirhash & dev->fdir.bucket_mask),
        .soft_id = fdirhash >> FDIRHASH_SOFT_ID_SHIFT & FDIRHASH_SOFT_ID,
        .key = i82599_fdir_programmed_key(dev, value),
    };
    *i82599_reg(dev, REG_FDIRCMD) = value;
    if (!dev->fdir.command.busy)
        finish(dev);
    else
        delay(dev);
}

uint32_t i82599_fdircmd_read(struct sim_device *dev, unsigned index)
{
    (void)index;
    i82599_fdir_settle(dev);
    uint32_t value = *i82599_reg(dev, REG_FDIRCMD);

    if (dev->fdir.command.busy)
        dev->host.busy(dev->host.arg);
    return value;
}
