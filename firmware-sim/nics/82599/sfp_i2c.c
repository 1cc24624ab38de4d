/* sfp_i2c.c - the SFP+ module in the cage: a 10GBASE-SR optic's memory (SFF-8472, address 0xA0), read over an I2C bus
 * that the driver bangs bit by bit through I2CCTL (8.2.3.1.4).
 *
 * The bus is open drain: each side can only pull a line low, so what the driver reads back is the AND of both. The
 * module follows the bus by its edges:
 *
 *   SDA falls while SCL is high     START (also repeated): an address byte follows
 *   SDA rises while SCL is high     STOP
 *   SCL rises                       a bit is valid: the receiver takes it
 *   SCL falls                       the sender may change SDA: next bit, acknowledge, or release
 *
 *   IDLE --START--> ADDRESS --0xA0--> OFFSET --byte--> WRITE (bytes are acknowledged and ignored: write-protected)
 *                      |    --0xA1--> READ: bytes from the pointer on, until the driver does not acknowledge one
 *                      +-- any other address --> IDLE, not acknowledged
 */
#include <string.h>

#include "model.h"

#define MODULE_ADDRESS 0xa0

/* Offsets in SFF-8472 table 3-1 */
#define SFF_IDENTIFIER     0
#define SFF_EXT_IDENTIFIER 1
#define SFF_CONNECTOR      2
#define SFF_10G_CODES      3
#define SFF_ENCODING       11
#define SFF_BIT_RATE       12
#define SFF_VENDOR_NAME    20
#define SFF_VENDOR_OUI     37
#define SFF_VENDOR_PN      40
#define SFF_VENDOR_REV     56
#define SFF_WAVELENGTH     60
#define SFF_CC_BASE        63
#define SFF_VENDOR_SN      68
#define SFF_DATE_CODE      84
#define SFF_CC_EXT         95

static void put_text(uint8_t *field, size_t size, const char *text)
{
    memset(field, ' ', size);
    memcpy(field, text, strlen(text));
}

static uint8_t sum_of(const uint8_t *bytes, size_t n)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum;
}

void i82599_sfp_init(struct sim_device *dev)
{
    static const uint8_t intel_oui[] = {0x00, 0x1b, 0x21}; /* drivers warn about modules of other vendors */
    uint8_t *byte = dev->sfp.byte;

    dev->sfp = (struct i82599_sfp){.scl = true, .sda = true, .sda_out = true};
    byte[SFF_IDENTIFIER] = 3;      /* SFP or SFP+ */
    byte[SFF_EXT_IDENTIFIER] = 4;  /* defined by this two-wire interface */
    byte[SFF_CONNECTOR] = 7;       /* LC */
    byte[SFF_10G_CODES] = 1u << 4; /* 10GBASE-SR */
    byte[SFF_ENCODING] = 6;        /* 64B/66B */
    byte[SFF_BIT_RATE] = 103;      /* 10.3 GBd */
    put_text(byte + SFF_VENDOR_NAME, 16, "nicsim");
    memcpy(byte + SFF_VENDOR_OUI, intel_oui, sizeof intel_oui);
    put_text(byte + SFF_VENDOR_PN, 16, "SIM-10GBASE-SR");
    put_text(byte + SFF_VENDOR_REV, 4, "A");
    byte[SFF_WAVELENGTH] = 850 >> 8;
    byte[SFF_WAVELENGTH + 1] = 850 & 0xff;
    put_text(byte + SFF_VENDOR_SN, 16, "0001");
    put_text(byte + SFF_DATE_CODE, 8, "250101");
    byte[SFF_CC_BASE] = sum_of(byte, SFF_CC_BASE);
    byte[SFF_CC_EXT] = sum_of(byte + SFF_CC_BASE + 1, SFF_CC_EXT - SFF_CC_BASE - 1);
}

/* A whole byte has arrived: what does it mean, and is it acknowledged? */
static bool take_byte(struct i82599_sfp *sfp)
{
    switch (sfp->state) {
    case I2C_ADDRESS:
        if ((sfp->shift & 0xfe) != MODULE_ADDRESS) {
            sfp->state = I2C_IDLE;
            return false;
        }
        sfp->reading = sfp->shift & 1;
        return true;
    case I2C_OFFSET:
        sfp->pointer = sfp->shift;
        sfp->state = I2C_WRITE;
        return true;
    case I2C_WRITE:
        return true;
    case I2C_IDLE:
    case I2C_READ:
        return false;
    }
    return false;
}

/* Put the next bit of the byte being read on the line. */
static void send_bit(struct i82599_sfp *sfp)
{
    sfp->sda_out = sfp->shift >> 7;
    sfp->shift = (uint8_t)(sfp->shift << 1);
}

static void send_byte(struct i82599_sfp *sfp)
{
    sfp->shift = sfp->byte[sfp->pointer++];
    sfp->bits = 0;
    send_bit(sfp);
}

/* The acknowledge clock is over; the next byte begins. */
static void begin_byte(struct i82599_sfp *sfp)
{
    sfp->bits = 0;
    sfp->sda_out = true;
    if (sfp->state == I2C_ADDRESS)
        sfp->state = sfp->reading ? I2C_READ : I2C_OFFSET;
    if (sfp->state == I2C_READ)
        send_byte(sfp);
}

static void scl_rises(struct i82599_sfp *sfp, bool sda)
{
    if (sfp->state == I2C_READ && sfp->bits == 8 && sda)
        sfp->state = I2C_IDLE; /* not acknowledged: the driver has had enough */
    else if (sfp->state != I2C_READ && sfp->bits < 8)
        sfp->shift = (uint8_t)(sfp->shift << 1 | sda);
    sfp->bits++;
}

static void scl_falls(struct i82599_sfp *sfp)
{
    if (sfp->state == I2C_IDLE)
        sfp->sda_out = true;
    else if (sfp->bits == 9)
        begin_byte(sfp);
    else if (sfp->state == I2C_READ && sfp->bits < 8)
        send_bit(sfp);
    else if (sfp->state == I2C_READ)
        sfp->sda_out = true; /* the driver's turn to acknowledge */
    else if (sfp->bits == 8)
        sfp->sda_out = !take_byte(sfp);
}

static void start_condition(struct i82599_sfp *sfp)
{
    sfp->state = I2C_ADDRESS;
    /* The clock falls once before the first bit: count from there. */
    sfp->bits = 0;
    sfp->sda_out = true;
}

uint32_t i82599_i2cctl_read(struct sim_device *dev, unsigned index)
{
    (void)index;
    const struct i82599_sfp *sfp = &dev->sfp;

    return (sfp->scl ? I2CCTL_CLK_OUT | I2CCTL_CLK_IN : 0) | (sfp->sda ? I2CCTL_DATA_OUT : 0) |
           (sfp->sda && sfp->sda_out ? I2CCTL_DATA_IN : 0);
}

void i82599_i2cctl_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    struct i82599_sfp *sfp = &dev->sfp;
    bool scl = value & I2CCTL_CLK_OUT, sda = value & I2CCTL_DATA_OUT;

    if (scl && sfp->scl && sda != sfp->sda) {
        if (sda)
            sfp->state = I2C_IDLE; /* STOP */
        else
            start_condition(sfp);
    } else if (scl && !sfp->scl) {
        scl_rises(sfp, sda);
    } else if (!scl && sfp->scl) {
        scl_falls(sfp);
    }
    sfp->scl = scl;
    sfp->sda = sda;
}
