/* ethtool.c - the ioctl itself, and what an interface says and does besides rules: size, ntuple feature, RSS. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>

#include <netbypass/backend.h>

/* A socket per call: rules change rarely, and none stays open in whatever network namespace we were in. */
static int real_call(void *arg, const char *interface, void *data)
{
    struct ifreq request = {.ifr_data = data};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

    (void)arg;
    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
    rc = ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

struct nb_ethtool_api nb_ethtool_api_real(void)
{
    return (struct nb_ethtool_api){.call = real_call};
}

static int refused(struct nb_error *err, const char *interface, const char *what, int rc)
{
    return nb_error_set(err, rc, "%s: %s: %s", interface, what, strerror(-rc));
}

int nb_ethtool_describe(const char *interface, const struct nb_ethtool_api *api, uint32_t headroom,
                        char driver[NB_ETHTOOL_DRIVER_MAX], struct nb_device *device, struct nb_error *err)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    struct ethtool_rxnfc count = {.cmd = ETHTOOL_GRXCLSRLCNT}, rings = {.cmd = ETHTOOL_GRXRINGS};
    struct ethtool_rxfh rss = {.cmd = ETHTOOL_GRSSH};
    int rc = api->call(api->arg, interface, &info);

    if (rc)
        return refused(err, interface, "its driver does not answer", rc);
    snprintf(driver, NB_ETHTOOL_DRIVER_MAX, "%.*s", (int)sizeof info.driver - 1, info.driver);
    *device = (struct nb_device){.driver = driver};
    if (!api->call(api->arg, interface, &rings))
        device->queues = rings.data < UINT16_MAX ? (uint16_t)rings.data : UINT16_MAX;
    if (!api->call(api->arg, interface, &rss))
        device->reta_size = rss.indir_size < UINT16_MAX ? (uint16_t)rss.indir_size : UINT16_MAX;
    if (api->call(api->arg, interface, &count))
        return 0;
    uint32_t size = (uint32_t)count.data & ~RX_CLS_LOC_SPECIAL;
    device->table_size = size > headroom ? size - headroom : size;
    return 0;
}

int nb_ethtool_set_ntuple(const char *interface, const struct nb_ethtool_api *api, bool on, struct nb_error *err)
{
    struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
    int rc = api->call(api->arg, interface, &flags);

    if (rc)
        return refused(err, interface, "its features cannot be read", rc);
    if (!(flags.data & ETH_FLAG_NTUPLE) == !on)
        return 0;
    flags.cmd = ETHTOOL_SFLAGS;
    flags.data ^= ETH_FLAG_NTUPLE;
    rc = api->call(api->arg, interface, &flags);
    if (rc)
        return refused(err, interface, "its ntuple feature cannot be changed", rc);
    flags.cmd = ETHTOOL_GFLAGS;
    rc = api->call(api->arg, interface, &flags);
    if (rc || !(flags.data & ETH_FLAG_NTUPLE) != !on)
        return nb_error_set(err, -EIO, "%s: the driver accepted the change of its ntuple feature and did not make it",
                            interface);
    return 0;
}

/* --- RSS ---------------------------------------------------------------------------------------------------------- */

#define RSS_BYTES (sizeof(struct ethtool_rxfh) + NB_ETHTOOL_RETA_MAX * sizeof(uint32_t) + NB_ETHTOOL_KEY_MAX)

union rss_request {
    struct ethtool_rxfh fh;
    uint8_t room[RSS_BYTES];
};

static uint8_t *key_in(union rss_request *r, uint32_t entries)
{
    return r->room + sizeof r->fh + entries * sizeof(uint32_t);
}

int nb_ethtool_rss_get(const char *interface, const struct nb_ethtool_api *api, struct nb_ethtool_rss *rss,
                       struct nb_error *err)
{
    union rss_request r = {.fh = {.cmd = ETHTOOL_GRSSH}};
    int rc = api->call(api->arg, interface, &r); /* with sizes of 0 it says the sizes */

    if (rc)
        return refused(err, interface, "its RSS cannot be read", rc);
    if (r.fh.indir_size > NB_ETHTOOL_RETA_MAX || r.fh.key_size > NB_ETHTOOL_KEY_MAX)
        return nb_error_set(err, -E2BIG, "%s: %u RETA entries and a key of %u bytes; up to %u and %u are handled",
                            interface, r.fh.indir_size, r.fh.key_size, NB_ETHTOOL_RETA_MAX, NB_ETHTOOL_KEY_MAX);
    rss->reta_size = r.fh.indir_size;
    rss->key_bytes = r.fh.key_size;
    rc = api->call(api->arg, interface, &r);
    if (rc)
        return refused(err, interface, "its RSS cannot be read", rc);
    memcpy(rss->reta, r.room + sizeof r.fh, rss->reta_size * sizeof(uint32_t));
    memcpy(rss->key, key_in(&r, rss->reta_size), rss->key_bytes);
    return 0;
}

int nb_ethtool_rss_set(const char *interface, const struct nb_ethtool_api *api, const struct nb_ethtool_rss *rss,
                       struct nb_error *err)
{
    union rss_request r = {.fh = {.cmd = ETHTOOL_SRSSH, .key_size = rss->key_bytes}};
    struct nb_ethtool_rss kept;
    int rc;

    if (rss->reta_size > NB_ETHTOOL_RETA_MAX || rss->key_bytes > NB_ETHTOOL_KEY_MAX)
        return nb_error_set(err, -EINVAL, "%s: %u RETA entries, %u key bytes: too many", interface, rss->reta_size,
                            rss->key_bytes);
    r.fh.indir_size = rss->reta_size ? rss->reta_size : ETH_RXFH_INDIR_NO_CHANGE;
    memcpy(r.room + sizeof r.fh, rss->reta, rss->reta_size * sizeof(uint32_t));
    memcpy(key_in(&r, rss->reta_size), rss->key, rss->key_bytes);
    rc = api->call(api->arg, interface, &r);
    if (rc)
        return refused(err, interface, "its RSS cannot be changed", rc);
    rc = nb_ethtool_rss_get(interface, api, &kept, err);
    if (rc)
        return rc;
    if ((rss->reta_size && memcmp(kept.reta, rss->reta, rss->reta_size * sizeof(uint32_t))) ||
        (rss->key_bytes && memcmp(kept.key, rss->key, rss->key_bytes)))
        return nb_error_set(err, -EIO, "%s: the driver has other RSS settings than it was given", interface);
    return 0;
}
