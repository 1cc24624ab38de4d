/* eeprom_spi.c - the EEPROM as the SPI part behind the pins of EEC (8.2.3.2.1).
 *
 * A driver that does not know yet whether EERD works drives the pins itself. The part is selected while CS is 0. Bits
 * are taken at the rising edge of SK: an 8-bit instruction, for READ a 16-bit byte address, then data come out, most
 * significant bit first, the address counting up. A word lies low byte first.
 * Only READ and RDSR are answered; a write instruction finds the part write-protected.
 */
#include "model.h"

#define SPI_READ    0x03
#define SPI_READ_A8 0x08 /* ninth address bit of small parts; ours ignores it */
#define SPI_RDSR    0x05

#define INSTRUCTION_BITS 8
#define ADDRESS_BITS     16

static uint8_t byte_at(const struct i82599_eeprom *eeprom, uint32_t address)
{
    uint16_t word = eeprom->word[address / 2 % EEPROM_WORDS];
    return (uint8_t)(address & 1 ? word >> 8 : word);
}

/* The instruction and the address have been clocked in: which bit of the answer is next? */
static bool read_bit(const struct i82599_eeprom *eeprom, uint32_t address, unsigned bit)
{
    return byte_at(eeprom, address + bit / 8) >> (7 - bit % 8) & 1;
}

static void clock_rises(struct sim_device *dev, bool di)
{
    struct i82599_eeprom *eeprom = &dev->eeprom;
    unsigned data_at = INSTRUCTION_BITS + ADDRESS_BITS;

    if (eeprom->spi.bits < data_at)
        eeprom->spi.in = eeprom->spi.in << 1 | di;
    eeprom->spi.bits++;
    eeprom->spi.out_bit = false; /* RDSR: ready, and nothing else to say */
    if (eeprom->spi.bits <= data_at)
        return;
    uint32_t instruction = eeprom->spi.in >> ADDRESS_BITS & 0xff;
    if ((instruction & ~SPI_READ_A8) == SPI_READ)
        eeprom->spi.out_bit = read_bit(eeprom, eeprom->spi.in & 0xffff, eeprom->spi.bits - data_at - 1);
}

uint32_t i82599_eec_read(struct sim_device *dev, unsigned index)
{
    (void)index;
    uint32_t value = *i82599_reg(dev, REG_EEC);

    /* 8.2.3.2.1: EE_SIZE counts from 128 words, in powers of two: 8 is 32K bytes. Grant follows request at once. */
    value |= EEC_PRES | EEC_AUTO_RD | EEC_ADDR_SIZE | 8u << EEC_SIZE_SHIFT;
    value |= value & EEC_REQ ? EEC_GNT : 0;
    return value | (dev->eeprom.spi.out_bit ? EEC_DO : 0);
}

void i82599_eec_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    uint32_t before = *i82599_reg(dev, REG_EEC), pins = EEC_SK | EEC_CS | EEC_DI;

    *i82599_reg(dev, REG_EEC) = value & (pins | EEC_REQ);
    if (value & EEC_CS) {
        dev->eeprom.spi.bits = 0;
        dev->eeprom.spi.in = 0;
        dev->eeprom.spi.out_bit = false;
    } else if (value & EEC_SK && !(before & EEC_SK)) {
        clock_rises(dev, value & EEC_DI);
    }
}
