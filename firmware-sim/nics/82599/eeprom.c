/* eeprom.c - the EEPROM's contents, and reading them through EERD (8.2.3.2.2).
 *
 * The image holds what a driver looks for at probe: a valid checksum, no firmware that would own the link, an SFP init
 * list that knows the modules sfp_i2c.c can be. Word numbers are those of the 82599 EEPROM map (6.2, 6.3).
 */
#include <string.h>

#include "model.h"

#define WORD_FIRMWARE_MODULE   0x0f /* pointer */
#define WORD_SAN_MAC           0x28 /* pointer; all ones: none */
#define WORD_SFP_INIT_LIST     0x2b /* pointer */
#define WORD_DEVICE_CAPS       0x2c
#define WORD_CHECKSUM          0x3f
#define CHECKSUM               0xbaba /* sum of words 0x00 to 0x3f (6.3.2.9) */
#define NO_POINTER             0xffff
#define CAPS_ALLOW_ANY_SFP     0x01
#define CAPS_NO_CROSSTALK_WR   0x80
#define FIRMWARE_MODULE        0x200
#define FIRMWARE_LESM          (FIRMWARE_MODULE + 2) /* pointer: link establishment state machine */
#define FIRMWARE_PATCH         (FIRMWARE_MODULE + 4) /* pointer: pass-through patch configuration */
#define FIRMWARE_PATCH_SECTION 0x220
#define FIRMWARE_VERSION       (FIRMWARE_PATCH_SECTION + 7)
#define FIRMWARE_VERSION_VALUE 6 /* drivers refuse optical modules with firmware up to 5 */
#define SFP_INIT_LIST          0x100
#define SFP_INIT_SEQUENCE      0x120
#define SFP_INIT_END           0xffff
#define SFP_DA_CU_CORE0        3
#define SFP_SR_LR_CORE0        5

static void write_sfp_init_list(uint16_t *word)
{
    /* Pairs of module type and its sequence of CORECTL values; ours are empty, there is no analogue part to set up. */
    static const uint16_t list[] = {0,           SFP_SR_LR_CORE0, SFP_INIT_SEQUENCE, SFP_DA_CU_CORE0, SFP_INIT_SEQUENCE,
                                    SFP_INIT_END};
    memcpy(word + SFP_INIT_LIST, list, sizeof list);
    word[SFP_INIT_SEQUENCE] = 0;
    word[SFP_INIT_SEQUENCE + 1] = SFP_INIT_END;
}

void i82599_eeprom_init(struct sim_device *dev)
{
    uint16_t *word = dev->eeprom.word, sum = 0;

    memset(word, 0xff, sizeof dev->eeprom.word);
    memset(word, 0, (WORD_CHECKSUM + 1) * sizeof word[0]);
    word[WORD_FIRMWARE_MODULE] = FIRMWARE_MODULE;
    word[FIRMWARE_LESM] = NO_POINTER;
    word[FIRMWARE_PATCH] = FIRMWARE_PATCH_SECTION;
    word[FIRMWARE_VERSION] = FIRMWARE_VERSION_VALUE;
    word[WORD_SAN_MAC] = NO_POINTER;
    word[WORD_SFP_INIT_LIST] = SFP_INIT_LIST;
    word[WORD_DEVICE_CAPS] = CAPS_ALLOW_ANY_SFP | CAPS_NO_CROSSTALK_WR;
    write_sfp_init_list(word);
    for (int i = 0; i < WORD_CHECKSUM; i++)
        sum = (uint16_t)(sum + word[i]);
    word[WORD_CHECKSUM] = (uint16_t)(CHECKSUM - sum);
}

void i82599_eerd_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    if (value & EERD_START) {
        uint32_t address = value >> EERD_ADDR_SHIFT & EERD_ADDR_MASK;
        value = (uint32_t)dev->eeprom.word[address] << EERD_DATA_SHIFT | address << EERD_ADDR_SHIFT | EERD_DONE;
    }
    *i82599_reg(dev, REG_EERD) = value;
}

void i82599_eewr_write(struct sim_device *dev, unsigned index, uint32_t value)
{
    (void)index;
    if (value & EERD_START) {
        dev->eeprom.word[value >> EERD_ADDR_SHIFT & EERD_ADDR_MASK] = (uint16_t)(value >> EERD_DATA_SHIFT);
        value = (value & ~EERD_START) | EERD_DONE;
    }
    *i82599_reg(dev, REG_EEWR) = value;
}

/* Whoever reads SMBI as 0 owns the semaphore from then on; writing 0 gives it back (8.2.3.4.9). */
uint32_t i82599_swsm_read(struct sim_device *dev, unsigned index)
{
    (void)index;
    uint32_t value = *i82599_reg(dev, REG_SWSM);
    *i82599_reg(dev, REG_SWSM) |= SWSM_SMBI;
    return value;
}
