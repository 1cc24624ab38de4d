/* registers.c - every register of the 82599 that the model knows, as one table, and the dispatch of accesses to it.
 *
 * A row says what the model makes of its register (`nicsim --nic 82599 --registers` prints them all). "memory:" means
 * that the driver reads back what it wrote and nothing else happens, and why: the function behind it is not modelled,
 * or there is nothing to model (a threshold, a timer). "0:" is a register that is always zero, with the reason. Offsets
 * without a row read as zero, ignore writes, and are counted, so that a driver which needs more is noticed.
 *
 * Reset values not given in the datasheet, or loaded from the EEPROM on real boards, are the ones a board with an SFI
 * module shows.
 */
#include <string.h>

#include "model.h"

#define MEMORY(name, offset, stride, count, reset, meaning)                                                            \
    {                                                                                                                  \
        name, offset, stride, count, SIM_REG_RW, reset, meaning, NULL, NULL, 0                                         \
    }
#define MEMORY_FROM(first, name, offset, stride, count, reset, meaning)                                                \
    {                                                                                                                  \
        name, offset, stride, count, SIM_REG_RW, reset, meaning, NULL, NULL, first                                     \
    }
#define FIXED(name, offset, stride, count, reset, meaning)                                                             \
    {                                                                                                                  \
        name, offset, stride, count, SIM_REG_RO, reset, meaning, NULL, NULL, 0                                         \
    }
#define COUNTER(name, offset, stride, count, meaning)                                                                  \
    {                                                                                                                  \
        name, offset, stride, count, SIM_REG_RC, 0, meaning, NULL, NULL, 0                                             \
    }
#define ACTION(name, offset, stride, count, reset, read, write, meaning)                                               \
    {                                                                                                                  \
        name, offset, stride, count, SIM_REG_ACTION, reset, meaning, read, write, 0                                    \
    }
#define ACTION_FROM(first, name, offset, stride, count, reset, read, write, meaning)                                   \
    {                                                                                                                  \
        name, offset, stride, count, SIM_REG_ACTION, reset, meaning, read, write, first                                \
    }

static const struct sim_reg table[] = {
    /* General control (8.2.3.1) */
    ACTION("CTRL", REG_CTRL, 4, 2, 0, i82599_ctrl_read, i82599_ctrl_write,
           "RST, LNK_RST reset the device; two addresses"),
    FIXED("STATUS", REG_STATUS, 0, 1, 0, "0: LAN 0, no bus master request pending"),
    MEMORY("CTRL_EXT", 0x00018, 0, 1, 0,
           "memory: driver-loaded bits and pin directions that nothing in the model hangs on"),
    ACTION("ESDP", REG_ESDP, 0, 1, 0, i82599_esdp_read, NULL, "SDP2 is an input: the SFP cage is full"),
    ACTION("I2CCTL", REG_I2CCTL, 0, 1, I2CCTL_CLK_OUT | I2CCTL_DATA_OUT, i82599_i2cctl_read, i82599_i2cctl_write,
           "bit-banged I2C to the SFP module"),
    MEMORY("EODSDP", 0x0002c, 0, 1, 0, "memory: pins of the unmodelled optical module control"),
    MEMORY("FRTIMER", 0x00048, 0, 1, 0, "memory: no free running timer"),
    MEMORY("TCPTIMER", 0x0004c, 0, 1, 0, "memory: no TCP timer"),
    MEMORY("LEDCTL", 0x00200, 0, 1, 0, "memory: there are no lamps"),

    /* Interrupts (8.2.3.5) */
    ACTION("EICR", REG_EICR, 0, 1, 0, i82599_eicr_read, i82599_eicr_write, "causes; read or write 1 clears"),
    ACTION("EICS", REG_EICS, 0, 1, 0, i82599_write_only_read, i82599_eics_write,
           "sets causes, as an event of the device would"),
    MEMORY("EIAC", 0x00810, 0, 1, 0, "memory: auto-clear is for MSI-X"),
    MEMORY("EITR", REG_EITR, 4, EITR_LOW, 0, "ITR interval ends large receives; interrupts are not throttled"),
    ACTION("EIMS", REG_EIMS, 0, 1, 0, NULL, i82599_eims_write, "the mask; writing sets bits"),
    ACTION("EIMC", REG_EIMC, 0, 1, 0, i82599_write_only_read, i82599_eimc_write, "clears mask bits"),
    MEMORY("EIAM", REG_EIAM, 0, 1, 0, "mask bits cleared when EICR is read, if GPIE.EIAME"),
    MEMORY("EITRSEL", 0x00894, 0, 1, 0, "memory: virtual functions have no throttling to select"),
    MEMORY("GPIE", REG_GPIE, 0, 1, 0, "EIAME; the rest is memory"),
    MEMORY("IVAR", REG_IVAR, 4, 64, 0, "which cause bit a queue's receive and transmit write-back sets"),
    MEMORY("IVAR_MISC", 0x00a00, 0, 1, 0, "memory: other causes keep their own bits"),
    ACTION("EICS_EX", REG_EICS_EX, 4, 2, 0, i82599_write_only_read, NULL,
           "writes are ignored, reads 0: causes 16..63 are for MSI-X"),
    MEMORY("EIMS_EX", REG_EIMS_EX, 4, 2, 0, "memory: causes 16..63 are for MSI-X"),
    ACTION("EIMC_EX", REG_EIMC_EX, 4, 2, 0, i82599_write_only_read, NULL,
           "writes are ignored, reads 0: causes 16..63 are for MSI-X"),
    MEMORY("EIAM_EX", 0x00ad0, 4, 2, 0, "memory: causes 16..63 are for MSI-X"),
    MEMORY_FROM(EITR_LOW, "EITR", REG_EITR_24, 4, 104, 0, "as for the vectors below"),
    MEMORY("PBACL", 0x110c0, 4, 8, 0, "memory: no MSI-X pending bits to clear"),

    /* Receive queues (8.2.3.8). Rows end where the per-queue counters begin, which lie between them. */
    MEMORY("RDBAL", REG_RX_QUEUE + RXQ_RDBAL, RX_QUEUE_STRIDE, 64, 0, "ring address, low; 128-byte aligned"),
    MEMORY("RDBAH", REG_RX_QUEUE + RXQ_RDBAH, RX_QUEUE_STRIDE, 64, 0, "ring address, high half"),
    MEMORY("RDLEN", REG_RX_QUEUE + RXQ_RDLEN, RX_QUEUE_STRIDE, 64, 0, "ring bytes, a multiple of 128"),
    MEMORY("DCA_RXCTRL", REG_RX_QUEUE + RXQ_DCA_RXCTRL, RX_QUEUE_STRIDE, 64, 0, "memory: no direct cache access"),
    MEMORY("RDH", REG_RX_QUEUE + RXQ_RDH, RX_QUEUE_STRIDE, 64, 0, "next descriptor the device writes"),
    MEMORY("SRRCTL", REG_RX_QUEUE + RXQ_SRRCTL, RX_QUEUE_STRIDE, 64, SRRCTL_RESET,
           "buffer size, descriptor type, drop without descriptors"),
    ACTION("RDT", REG_RX_QUEUE + RXQ_RDT, RX_QUEUE_STRIDE, 64, 0, NULL, i82599_rdt_write,
           "first descriptor the device does not own"),
    ACTION("RXDCTL", REG_RX_QUEUE + RXQ_RXDCTL, RX_QUEUE_STRIDE, 64, 0, NULL, i82599_rxdctl_write,
           "ENABLE, VME (strip VLAN tags); thresholds are memory"),
    MEMORY("RSCCTL", REG_RX_QUEUE + RXQ_RSCCTL, RX_QUEUE_STRIDE, 64, 0,
           "RSCEN: coalesce TCP segments, into MAXDESC buffers at most"),
    MEMORY_FROM(64, "RDBAL", REG_RX_QUEUE_64 + RXQ_RDBAL, RX_QUEUE_STRIDE, 64, 0,
                "ring address, low; 128-byte aligned"),
    MEMORY_FROM(64, "RDBAH", REG_RX_QUEUE_64 + RXQ_RDBAH, RX_QUEUE_STRIDE, 64, 0, "ring address, high half"),
    MEMORY_FROM(64, "RDLEN", REG_RX_QUEUE_64 + RXQ_RDLEN, RX_QUEUE_STRIDE, 64, 0, "ring bytes, a multiple of 128"),
    MEMORY_FROM(64, "DCA_RXCTRL", REG_RX_QUEUE_64 + RXQ_DCA_RXCTRL, RX_QUEUE_STRIDE, 64, 0,
                "memory: no direct cache access"),
    MEMORY_FROM(64, "RDH", REG_RX_QUEUE_64 + RXQ_RDH, RX_QUEUE_STRIDE, 64, 0, "next descriptor the device writes"),
    MEMORY_FROM(64, "SRRCTL", REG_RX_QUEUE_64 + RXQ_SRRCTL, RX_QUEUE_STRIDE, 64, SRRCTL_RESET,
                "buffer size, descriptor type, drop without descriptors"),
    ACTION_FROM(64, "RDT", REG_RX_QUEUE_64 + RXQ_RDT, RX_QUEUE_STRIDE, 64, 0, NULL, i82599_rdt_write,
                "first descriptor the device does not own"),
    ACTION_FROM(64, "RXDCTL", REG_RX_QUEUE_64 + RXQ_RXDCTL, RX_QUEUE_STRIDE, 64, 0, NULL, i82599_rxdctl_write,
                "ENABLE, VME (strip VLAN tags); thresholds are memory"),
    MEMORY_FROM(64, "RSCCTL", REG_RX_QUEUE_64 + RXQ_RSCCTL, RX_QUEUE_STRIDE, 64, 0, "as for the queues below"),
    ACTION("SRRCTL", REG_SRRCTL, 4, 16, 0, i82599_srrctl_alias_read, i82599_srrctl_alias_write,
           "second address of SRRCTL[0..15]"),
    MEMORY("DCA_RXCTRL", REG_DCA_RXCTRL, 4, 16, 0, "memory: second address of DCA_RXCTRL[0..15]"),
    MEMORY("RTRPT4C", 0x02140, 4, 8, 0, "memory: no DCB"),
    MEMORY("DMACR", 0x02400, 4, 2, 0, "memory: no DMA coalescing"),
    MEMORY("RTRPCS", 0x02430, 0, 1, 0, "memory: no DCB"),
    ACTION("RDRXCTL", REG_RDRXCTL, 0, 1, RDRXCTL_DMAIDONE, i82599_rdrxctl_read, NULL,
           "CRCSTRIP; DMAIDONE is always set"),
    MEMORY("QDE", 0x02f04, 0, 1, 0, "memory: no pools"),
    MEMORY("RXCTRL", REG_RXCTRL, 0, 1, 0, "RXEN: the receiver takes frames"),
    MEMORY("RTRUP2TC", 0x03020, 0, 1, 0, "memory: no DCB"),
    MEMORY("RSCDBU", 0x03028, 0, 1, 0, "memory: segments without payload are never coalesced"),
    MEMORY("RXPBSIZE", REG_RXPBSIZE, 4, 1, 0x80000,
           "size of the receive packet buffer: frames held before they reach memory"),
    MEMORY_FROM(1, "RXPBSIZE", REG_RXPBSIZE + 4, 4, 7, 0, "memory: one packet buffer, no traffic classes"),
    MEMORY("RTRPT4S", 0x02160, 4, 8, 0, "memory: no DCB"),

    /* Flow control (8.2.3.3): pause frames are neither sent nor obeyed */
    MEMORY("PFCTOP", 0x03008, 0, 1, 0, "memory: no pause frames"),
    MEMORY("FCTTV", 0x03200, 4, 4, 0, "memory: no pause frames"),
    MEMORY("FCRTL", 0x03220, 4, 8, 0, "memory: no pause frames"),
    MEMORY("FCRTH", 0x03260, 4, 8, 0, "memory: no pause frames"),
    MEMORY("FCRTV", 0x032a0, 0, 1, 0, "memory: no pause frames"),
    MEMORY("FCCFG", 0x03d00, 0, 1, 0, "memory: no pause frames"),
    MEMORY("DROPEN", 0x03d04, 0, 1, 0, "memory: dropping is decided per queue, by SRRCTL.DROP_EN"),
    FIXED("TFCS", 0x0ce00, 0, 1, 1, "1: transmission is never paused"),

    /* Receive filters (8.2.3.7) */
    MEMORY("RXCSUM", REG_RXCSUM, 0, 1, 0, "PCSD: RSS hash in the descriptor; checksums are always judged"),
    MEMORY("RFCTL", REG_RFCTL, 0, 1, 0, "RSC_DIS; the rest is memory: no iSCSI, no NFS"),
    MEMORY("FCTRL", REG_FCTRL, 0, 1, 0, "MPE, UPE, BAM; bad frames are never stored"),
    MEMORY("VLNCTRL", REG_VLNCTRL, 0, 1, 0x8100, "VFE; the tag type is always 0x8100"),
    MEMORY("MCSTCTRL", REG_MCSTCTRL, 0, 1, 0, "multicast hash enable and offset"),
    MEMORY("ETQF", REG_ETQF, 4, 8, 0, "EtherType filters: type and enable"),
    MEMORY("MRCTL", 0x0f600, 4, 4, 0, "memory: no mirroring"),
    MEMORY("VMTXSW", 0x05180, 4, 2, 0, "memory: no pools"),
    MEMORY("VT_CTL", 0x051b0, 0, 1, 0, "memory: no virtualisation"),
    MEMORY("VFRE", 0x051e0, 4, 2, 0, "memory: no virtualisation"),
    MEMORY("VMVIR", 0x08000, 4, 64, 0, "memory: no virtualisation"),
    MEMORY("TSYNCRXCTL", 0x05188, 0, 1, 0, "memory: no time stamps"),
    MEMORY("MTA", REG_MTA, 4, 128, 0, "multicast hash table: groups accepted"),
    ACTION("RAL", REG_RAL_LOW, 8, 16, 0, i82599_ral_alias_read, i82599_ral_alias_write, "second address of RAL[0..15]"),
    ACTION("RAH", REG_RAL_LOW + 4, 8, 16, 0, i82599_rah_alias_read, i82599_rah_alias_write,
           "second address of RAH[0..15]"),
    MEMORY("PSRTYPE", 0x05480, 4, 16, 0, "memory: no header split"),
    MEMORY_FROM(16, "PSRTYPE", 0x0ea40, 4, 112, 0, "memory: no header split"),
    MEMORY("RAL", REG_RAL, 8, RECEIVE_ADDRESSES, 0, "unicast and multicast addresses accepted: low four bytes"),
    MEMORY("RAH", REG_RAL + 4, 8, RECEIVE_ADDRESSES, 0, "high two bytes of the address; AV makes the pair valid"),
    MEMORY("MPSAR_LO", 0x0a600, 8, 128, 0, "memory: no pools"),
    MEMORY("MPSAR_HI", 0x0a604, 8, 128, 0, "memory: no pools"),
    MEMORY("VFTA", REG_VFTA, 4, 128, 0, "VLANs accepted when VLNCTRL.VFE"),
    MEMORY("UTA", 0x0f400, 4, 128, 0, "memory: unicast hashing is for pools"),
    MEMORY("VMOLR", 0x0f000, 4, 64, 0, "memory: no pools"),
    MEMORY("VLVF", 0x0f100, 4, 64, 0, "memory: no pools"),
    MEMORY("VLVFB", 0x0f200, 4, 128, 0, "memory: no pools"),
    MEMORY("IMIR", 0x05a80, 4, 8, 0, "memory: no immediate interrupts, because interrupts are not throttled"),
    MEMORY("IMIREXT", 0x05aa0, 4, 8, 0, "memory: no immediate interrupts, because interrupts are not throttled"),
    MEMORY("IMIRVP", 0x05ac0, 0, 1, 0, "memory: no immediate interrupts, because interrupts are not throttled"),
    MEMORY("MRQC", REG_MRQC, 0, 1, 0, "RSS on, and the packet types it hashes"),
    MEMORY("VMD_CTL", 0x0581c, 0, 1, 0, "memory: no pools"),
    MEMORY("RETA", REG_RETA, 4, RETA_ENTRIES / 4, 0, "RSS indirection: four 4-bit queues a register"),
    ACTION("RSSRK", REG_RSSRK, 4, 10, 0, NULL, i82599_rssrk_write, "RSS key: 40 bytes"),
    MEMORY("SAQF", REG_SAQF, 4, FIVE_TUPLE_FILTERS, 0, "5-tuple filter: source address"),
    MEMORY("DAQF", REG_DAQF, 4, FIVE_TUPLE_FILTERS, 0, "5-tuple filter: destination address"),
    MEMORY("SDPQF", REG_SDPQF, 4, FIVE_TUPLE_FILTERS, 0, "5-tuple filter: ports"),
    ACTION("FTQF", REG_FTQF, 4, FIVE_TUPLE_FILTERS, 0, NULL, i82599_ftqf_write,
           "5-tuple filter: protocol, priority, masks, enable"),
    MEMORY("L34T_IMIR", REG_L34T_IMIR, 4, FIVE_TUPLE_FILTERS, 0, "5-tuple filter: queue"),
    MEMORY("ETQS", REG_ETQS, 4, 8, 0, "EtherType filter: queue"),
    MEMORY("SYNQF", REG_SYNQF, 0, 1, 0, "SYN filter: queue, priority and enable"),
    MEMORY("RQTC", 0x0ec70, 0, 1, 0, "memory: no DCB"),
    MEMORY("LLITHRESH", 0x0ec90, 0, 1, 0, "memory: no low latency interrupts"),
    MEMORY("FCRECTL", 0x0ed00, 0, 1, 0, "memory: no FCoE"),
    MEMORY("FCRETA", 0x0ed10, 4, 8, 0, "memory: no FCoE"),

    /* Flow Director (8.2.3.21) */
    ACTION("FDIRCTRL", REG_FDIRCTRL, 0, 1, 0, NULL, i82599_fdirctrl_write,
           "table size, mode, drop queue; writing initialises the table"),
    MEMORY("FDIRSIPv6", REG_FDIRSIPV6, 4, 3, 0, "memory: signature filters need the hashes only"),
    MEMORY("FDIRIPSA", REG_FDIRIPSA, 0, 1, 0, "next filter: source address, network order"),
    MEMORY("FDIRIPDA", REG_FDIRIPDA, 0, 1, 0, "next filter: destination address, network order"),
    MEMORY("FDIRPORT", REG_FDIRPORT, 0, 1, 0, "next filter: destination port, source port"),
    MEMORY("FDIRVLAN", REG_FDIRVLAN, 0, 1, 0, "next filter: flexible bytes, VLAN"),
    MEMORY("FDIRHASH", REG_FDIRHASH, 0, 1, 0, "next filter: soft id, bucket hash"),
    ACTION("FDIRCMD", REG_FDIRCMD, 0, 1, 0, i82599_fdircmd_read, i82599_fdircmd_write,
           "add, remove, query a filter; clear the table"),
    ACTION("FDIRFREE", REG_FDIRFREE, 0, 1, 0, i82599_fdirfree_read, NULL, "collisions, filters still free"),
    MEMORY("FDIRDIP4M", REG_FDIRDIP4M, 0, 1, 0, "bits of the destination address that are ignored"),
    MEMORY("FDIRSIP4M", REG_FDIRSIP4M, 0, 1, 0, "bits of the source address that are ignored"),
    MEMORY("FDIRTCPM", REG_FDIRTCPM, 0, 1, 0, "bits of TCP ports that are ignored, bit-reversed"),
    MEMORY("FDIRUDPM", REG_FDIRUDPM, 0, 1, 0, "bits of UDP ports that are ignored, bit-reversed"),
    COUNTER("FDIRLEN", REG_FDIRLEN, 0, 1, "longest list so far: its bucket, its length"),
    COUNTER("FDIRUSTAT", REG_FDIRUSTAT, 0, 1, "filters removed, filters added"),
    COUNTER("FDIRFSTAT", REG_FDIRFSTAT, 0, 1, "failed removals, failed additions"),
    COUNTER("FDIRMATCH", REG_FDIRMATCH, 0, 1, "frames that matched a filter"),
    COUNTER("FDIRMISS", REG_FDIRMISS, 0, 1, "frames that were looked up and matched none"),
    MEMORY("FDIRHKEY", REG_FDIRHKEY, 0, 1, 0, "bucket hash key"),
    MEMORY("FDIRSKEY", REG_FDIRSKEY, 0, 1, 0, "signature hash key"),
    MEMORY("FDIRM", REG_FDIRM, 0, 1, 0, "fields that are ignored: VLAN id, VLAN priority, L4 type, flexible bytes"),
    MEMORY("FDIRIP6M", REG_FDIRIP6M, 0, 1, 0, "bytes of IPv6 addresses that are ignored: destination, source"),
    MEMORY("FDIRSCTPM", REG_FDIRSCTPM, 0, 1, 0, "bits of SCTP ports that are ignored, bit-reversed"),

    /* Transmit (8.2.3.9) */
    MEMORY("TDBAL", REG_TX_QUEUE + TXQ_TDBAL, TX_QUEUE_STRIDE, I82599_QUEUES, 0, "ring address, low; 128-byte aligned"),
    MEMORY("TDBAH", REG_TX_QUEUE + TXQ_TDBAH, TX_QUEUE_STRIDE, I82599_QUEUES, 0, "ring address, high half"),
    MEMORY("TDLEN", REG_TX_QUEUE + TXQ_TDLEN, TX_QUEUE_STRIDE, I82599_QUEUES, 0, "ring bytes, a multiple of 128"),
    MEMORY("DCA_TXCTRL", REG_TX_QUEUE + 0x0c, TX_QUEUE_STRIDE, I82599_QUEUES, 0, "memory: no direct cache access"),
    MEMORY("TDH", REG_TX_QUEUE + TXQ_TDH, TX_QUEUE_STRIDE, I82599_QUEUES, 0, "next descriptor the device reads"),
    ACTION("TDT", REG_TX_QUEUE + TXQ_TDT, TX_QUEUE_STRIDE, I82599_QUEUES, 0, NULL, i82599_tdt_write,
           "first descriptor not yet filled; writing is the doorbell"),
    ACTION("TXDCTL", REG_TX_QUEUE + TXQ_TXDCTL, TX_QUEUE_STRIDE, I82599_QUEUES, 0, NULL, i82599_txdctl_write,
           "ENABLE; thresholds are memory: write-back is immediate"),
    MEMORY("TDWBAL", REG_TX_QUEUE + 0x38, TX_QUEUE_STRIDE, I82599_QUEUES, 0, "memory: no head write-back"),
    MEMORY("TDWBAH", REG_TX_QUEUE + 0x3c, TX_QUEUE_STRIDE, I82599_QUEUES, 0, "memory: no head write-back"),
    MEMORY("DMATXCTL", REG_DMATXCTL, 0, 1, 0, "TE: the transmitter runs"),
    MEMORY("DTXTCPFLGL", REG_DTXTCPFLGL, 0, 1, 0x0ff60ff6,
           "TCP flags kept in the first and the middle segments of TSO"),
    MEMORY("DTXTCPFLGH", REG_DTXTCPFLGH, 0, 1, 0x00000f7f, "TCP flags kept in the last segment of TSO"),
    MEMORY("DTXMXSZRQ", 0x08100, 0, 1, 0x10, "memory: reads of the program's memory are not bounded by bus requests"),
    MEMORY("MTQC", 0x08120, 0, 1, 0, "memory: no pools, no DCB"),
    MEMORY("VFTE", 0x08110, 4, 2, 0, "memory: no pools"),
    MEMORY("PFVFSPOOF", 0x08200, 4, 8, 0, "memory: no pools"),
    MEMORY("PFDTXGSWC", 0x08220, 0, 1, 0, "memory: no pools"),
    MEMORY("TXPBSIZE", 0x0cc00, 4, 8, 0,
           "memory: a frame goes from the ring to the wire at once, without a transmit buffer"),
    MEMORY("TXPBTHRESH", 0x04950, 4, 8, 0, "memory: no transmit buffer, so no threshold in it"),
    MEMORY("TIPG", 0x0cb00, 0, 1, 0, "memory: the wire has no gaps between frames"),
    MEMORY("MNGTXMAP", 0x0cd10, 0, 1, 0, "memory: no manageability"),

    /* DCB (8.2.3.10): not modelled */
    MEMORY("RTTDCS", 0x04900, 0, 1, 0, "memory: no DCB"),
    MEMORY("RTTDQSEL", 0x04904, 0, 1, 0, "memory: no DCB, so no queue to select for it"),
    MEMORY("RTTDT1C", 0x04908, 0, 1, 0, "memory: no DCB"),
    MEMORY("RTTDT2C", 0x04910, 4, 8, 0, "memory: no DCB"),
    MEMORY("RTTBCNRM", 0x04980, 0, 1, 0, "memory: no rate limits per queue"),
    MEMORY("RTTBCNRC", 0x04984, 0, 1, 0, "memory: no rate limits per queue"),
    MEMORY("RTTUP2TC", 0x0c800, 0, 1, 0, "memory: no DCB"),
    MEMORY("RTTPCS", 0x0cd00, 0, 1, 0, "memory: no DCB"),
    MEMORY("RTTPT2C", 0x0cd20, 4, 8, 0, "memory: no DCB"),

    /* Security (8.2.3.12 to .14): both blocks are always idle, so that they can be disabled and enabled at once */
    MEMORY("SECTXCTRL", 0x08800, 0, 1, 1, "memory: no IPsec, no LinkSec"),
    FIXED("SECTXSTAT", 0x08804, 0, 1, 1, "SECTX_RDY: the block is always idle"),
    MEMORY("SECTXBUFFAF", 0x08808, 0, 1, 0, "memory: no IPsec, no LinkSec"),
    MEMORY("SECTXMINIFG", 0x08810, 0, 1, 0, "memory: no IPsec, no LinkSec"),
    MEMORY("SECRXCTRL", 0x08d00, 0, 1, 1, "memory: no IPsec, no LinkSec"),
    FIXED("SECRXSTAT", 0x08d04, 0, 1, 1, "SECRX_RDY: the block is always idle"),
    MEMORY("LSECTXCTRL", 0x08a04, 0, 1, 0, "memory: no LinkSec"),
    MEMORY("LSECRXCTRL", 0x08f04, 0, 1, 0, "memory: no LinkSec"),
    MEMORY("TSYNCTXCTL", 0x08c00, 0, 1, 0, "memory: no time stamps"),
    MEMORY("TIMINCA", 0x08c14, 0, 1, 0, "memory: no time stamps"),
    MEMORY("TSAUXC", 0x08c20, 0, 1, 0, "memory: no time stamps"),

    /* MAC and link (8.2.3.22) */
    MEMORY("PCS1GLCTL", 0x04208, 0, 1, 0, "memory: always 10 Gb/s"),
    FIXED("PCS1GLSTA", 0x0420c, 0, 1, 0, "0: the PCS for 1 Gb/s is idle"),
    MEMORY("PCS1GANA", 0x04218, 0, 1, 0, "memory: no auto-negotiation at 1 Gb/s"),
    FIXED("PCS1GANLP", 0x0421c, 0, 1, 0, "0: no 1 Gb/s link partner"),
    ACTION("HLREG0", REG_HLREG0, 0, 1, 0x00000001, NULL, i82599_hlreg0_write,
           "RXCRCSTRP, JUMBOEN, TXPADEN and LPBK act; the rest is memory"),
    MEMORY("HLREG1", 0x04244, 0, 1, 0, "memory: MAC settings that change no frame"),
    MEMORY("PAP", 0x04248, 0, 1, 0, "memory: no pause frames to pace"),
    MEMORY("MACA", 0x0424c, 0, 1, 0, "memory: MDIO addresses of a PHY that is not there"),
    ACTION("MSCA", REG_MSCA, 0, 1, 0, NULL, i82599_msca_write, "MDIO: no PHY answers"),
    MEMORY("MSRWD", REG_MSRWD, 0, 1, 0, "MDIO data: all ones, as from an absent PHY"),
    MEMORY("MAXFRS", REG_MAXFRS, 0, 1, 0x05ee0000, "longest frame accepted, when HLREG0.JUMBOEN"),
    FIXED("PCSS1", 0x04288, 0, 1, 0, "0: the PCS has nothing to report"),
    FIXED("PCSS2", 0x0428c, 0, 1, 0, "0: the PCS has nothing to report"),
    FIXED("XPCSS", 0x04290, 0, 1, 0, "0: the PCS has nothing to report"),
    MEMORY("MFLCN", 0x04294, 0, 1, 0, "memory: no pause frames"),
    FIXED("SERDESC", 0x04298, 0, 1, 0, "0: the SerDes has nothing to report"),
    FIXED("MACS", 0x0429c, 0, 1, 0, "0: the MAC has nothing to report"),
    MEMORY("AUTOC", REG_AUTOC, 0, 1, 3u << 13, "memory: LMS is 10 Gb/s serial; a restart does not take the link down"),
    FIXED("LINKS", REG_LINKS, 0, 1, 0, "up at 10 Gb/s, or down"),
    MEMORY("AUTOC2", 0x042a8, 0, 1, 2u << 16, "memory: the serial interface is SFI"),
    FIXED("ANLP1", 0x042b0, 0, 1, 5u << 16, "auto-negotiation state machine has left state 0"),
    FIXED("ANLP2", 0x042b4, 0, 1, 0, "0: no ability of the link partner"),
    FIXED("MMNGC", 0x042d0, 0, 1, 0, "0: manageability does not block the link"),
    FIXED("LINKS2", 0x04324, 0, 1, 0, "0: auto-negotiation has not timed out"),
    MEMORY("MACC", 0x04330, 0, 1, 0, "memory: the MAC needs no settling"),
    MEMORY("ATLASCTL", 0x04800, 0, 1, 0, "memory: the analog part needs no tuning"),
    MEMORY("CORECTL", 0x14f00, 0, 1, 0, "memory: the analog part needs no tuning"),
    MEMORY("SMADARCTL", 0x14f10, 0, 1, 0, "memory: the analog part needs no tuning"),
    MEMORY("WUC", 0x05800, 0, 1, 0, "memory: no wake-up"),
    MEMORY("WUFC", 0x05808, 0, 1, 0, "memory: no wake-up"),
    MEMORY("WUS", 0x05810, 0, 1, 0, "memory: no wake-up"),
    FIXED("MANC", 0x05820, 0, 1, 0, "0: no manageability"),

    /* EEPROM, semaphores, PCIe (8.2.3.2, 8.2.3.4) */
    ACTION("EEC", REG_EEC, 0, 1, 0, i82599_eec_read, i82599_eec_write, "EEPROM present, read, 16K words; SPI pins"),
    ACTION("EERD", REG_EERD, 0, 1, 0, NULL, i82599_eerd_write, "reads an EEPROM word at once"),
    ACTION("EEWR", REG_EEWR, 0, 1, 0, NULL, i82599_eewr_write,
           "writes an EEPROM word at once; lost when the device goes"),
    MEMORY("EEMNGCTL", 0x10110, 0, 1, 1u << 18, "memory: configuration done"),
    MEMORY("FLA", 0x1001c, 0, 1, 0, "memory: no flash"),
    MEMORY("GRC", 0x10200, 0, 1, 0, "memory: manageability and its wake-up are not there"),
    ACTION("SWSM", REG_SWSM, 0, 1, 0, i82599_swsm_read, NULL, "semaphore: reading SMBI as 0 takes it"),
    FIXED("FWSM", 0x10148, 0, 1, 0, "0: no firmware"),
    FIXED("FACTPS", 0x10150, 0, 1, 0, "0: LAN functions are not swapped"),
    MEMORY("GSSR", 0x10160, 0, 1, 0, "software resource semaphores: memory that drivers agree on"),
    MEMORY("GCR", 0x11000, 0, 1, 0, "memory: no PCIe timing to set"),
    MEMORY("GCR_EXT", 0x11050, 0, 1, 0, "memory: no virtualisation, no PCIe extensions"),
    MEMORY("DCA_CTRL", 0x11074, 0, 1, 1, "memory: no direct cache access"),

    /* Statistics (8.2.3.23): cleared by reading, stuck at their maximum instead of wrapping */
    MEMORY("RQSMR", REG_RQSMR, 4, 32, 0, "counter of each receive queue, four a register"),
    MEMORY("TQSM", REG_TQSM, 4, 32, 0, "counter of each transmit queue, four a register"),
    COUNTER("CRCERRS", 0x04000, 0, 1, "0: the wire has no bit errors"),
    COUNTER("ILLERRC", REG_ILLERRC, 0, 1, "0: the wire has no bit errors"),
    COUNTER("ERRBC", 0x04008, 0, 1, "0: the wire has no bit errors"),
    COUNTER("MSPDC", 0x04010, 0, 1, "0: no frame is short of its FCS"),
    COUNTER("MPC", REG_MPC, 4, 8, "[0]: frames that found the packet buffer full"),
    COUNTER("MLFC", 0x04034, 0, 1, "0: the link has no local faults"),
    COUNTER("MRFC", 0x04038, 0, 1, "0: the link has no remote faults"),
    COUNTER("RLEC", 0x04040, 0, 1, "0: frames whose length field disagrees are not looked for"),
    COUNTER("LXONTXC", 0x03f60, 0, 1, "0: no pause frames"),
    COUNTER("LXOFFTXC", 0x03f68, 0, 1, "0: no pause frames"),
    COUNTER("LXONRXCNT", 0x041a4, 0, 1, "0: no pause frames"),
    COUNTER("LXOFFRXCNT", 0x041a8, 0, 1, "0: no pause frames"),
    COUNTER("PXONTXC", 0x03f00, 4, 8, "0: no pause frames"),
    COUNTER("PXOFFTXC", 0x03f20, 4, 8, "0: no pause frames"),
    COUNTER("PXONRXCNT", 0x04140, 4, 8, "0: no pause frames"),
    COUNTER("PXOFFRXCNT", 0x04160, 4, 8, "0: no pause frames"),
    COUNTER("PXON2OFFCNT", 0x03240, 4, 8, "0: no pause frames"),
    COUNTER("PRC64", REG_PRC64, 0, 1, "good frames received, 64 bytes with FCS"),
    COUNTER("PRC127", REG_PRC64 + 4, 0, 1, "good frames received, 65 to 127 bytes"),
    COUNTER("PRC255", REG_PRC64 + 8, 0, 1, "good frames received, 128 to 255 bytes"),
    COUNTER("PRC511", REG_PRC64 + 12, 0, 1, "good frames received, 256 to 511 bytes"),
    COUNTER("PRC1023", REG_PRC64 + 16, 0, 1, "good frames received, 512 to 1023 bytes"),
    COUNTER("PRC1522", REG_PRC64 + 20, 0, 1, "good frames received, 1024 bytes and more"),
    COUNTER("GPRC", REG_GPRC, 0, 1, "good frames received and admitted"),
    COUNTER("BPRC", REG_BPRC, 0, 1, "broadcasts among GPRC"),
    COUNTER("MPRC", REG_MPRC, 0, 1, "multicasts among GPRC"),
    COUNTER("GPTC", REG_GPTC, 0, 1, "all good frames sent"),
    COUNTER("GORCL", REG_GORCL, 0, 1, "bytes of GPRC, low; with FCS where that is delivered"),
    COUNTER("GORCH", REG_GORCL + 4, 0, 1, "bytes of GPRC, high"),
    COUNTER("GOTCL", REG_GOTCL, 0, 1, "bytes of GPTC with FCS, low"),
    COUNTER("GOTCH", REG_GOTCL + 4, 0, 1, "bytes of GPTC with FCS, high"),
    COUNTER("RUC", REG_RUC, 0, 1, "frames received that are shorter than 64 bytes"),
    COUNTER("RFC", 0x040a8, 0, 1, "0: no fragments of frames on the wire"),
    COUNTER("ROC", REG_ROC, 0, 1, "frames received that exceed the maximum size"),
    COUNTER("RJC", 0x040b0, 0, 1, "0: no overlong frames with bad FCS on the wire"),
    COUNTER("MNGPRC", 0x040b4, 0, 1, "0: no manageability"),
    COUNTER("MNGPDC", 0x040b8, 0, 1, "0: no manageability"),
    COUNTER("MNGPTC", 0x0cf90, 0, 1, "0: no manageability"),
    COUNTER("TORL", REG_TORL, 0, 1, "all bytes received with FCS, low"),
    COUNTER("TORH", REG_TORL + 4, 0, 1, "all bytes received with FCS, high"),
    COUNTER("TPR", REG_TPR, 0, 1, "all frames received, admitted or not"),
    COUNTER("TPT", REG_TPT, 0, 1, "all frames sent, GPTC again"),
    COUNTER("PTC64", REG_PTC64, 0, 1, "frames sent, 64 bytes with FCS"),
    COUNTER("PTC127", REG_PTC64 + 4, 0, 1, "frames sent, 65 to 127 bytes"),
    COUNTER("PTC255", REG_PTC64 + 8, 0, 1, "frames sent, 128 to 255 bytes"),
    COUNTER("PTC511", REG_PTC64 + 12, 0, 1, "frames sent, 256 to 511 bytes"),
    COUNTER("PTC1023", REG_PTC64 + 16, 0, 1, "frames sent, 512 to 1023 bytes"),
    COUNTER("PTC1522", REG_PTC64 + 20, 0, 1, "frames sent, 1024 bytes and more"),
    COUNTER("MPTC", REG_MPTC, 0, 1, "multicasts among frames sent"),
    COUNTER("BPTC", REG_BPTC, 0, 1, "broadcasts among frames sent"),
    COUNTER("XEC", REG_XEC, 0, 1, "frames received with a bad IPv4, TCP or UDP checksum"),
    COUNTER("QPRC", REG_QPRC, QUEUE_STAT_STRIDE, STAT_COUNTERS, "frames written to the rings of queues mapped here"),
    COUNTER("QBRC_L", REG_QBRC_L, QUEUE_STAT_STRIDE, STAT_COUNTERS, "bytes of QPRC's frames, low"),
    COUNTER("QBRC_H", REG_QBRC_L + 4, QUEUE_STAT_STRIDE, STAT_COUNTERS, "bytes of QPRC's frames, high"),
    COUNTER("QPRDC", REG_QPRDC, QUEUE_STAT_STRIDE, STAT_COUNTERS,
            "frames dropped for want of descriptors, or at a disabled queue"),
    COUNTER("QPTC", REG_QPTC, QUEUE_STAT_STRIDE, STAT_COUNTERS, "frames sent from queues mapped here"),
    COUNTER("QBTC_L", REG_QBTC_L, 8, STAT_COUNTERS, "bytes of QPTC's frames, low"),
    COUNTER("QBTC_H", REG_QBTC_L + 4, 8, STAT_COUNTERS, "bytes of QPTC's frames, high"),
    COUNTER("FCCRC", 0x05118, 0, 1, "0: no FCoE"),
    COUNTER("FCOERPDC", 0x0241c, 0, 1, "0: no FCoE"),
    COUNTER("FCLAST", 0x02424, 0, 1, "0: no FCoE"),
    COUNTER("FCOEPRC", 0x02428, 0, 1, "0: no FCoE"),
    COUNTER("FCOEDWRC", 0x0242c, 0, 1, "0: no FCoE"),
    COUNTER("FCOEPTC", 0x08784, 0, 1, "0: no FCoE"),
    COUNTER("FCOEDWTC", 0x08788, 0, 1, "0: no FCoE"),
    COUNTER("LSECTXUT", 0x08a3c, 0, 1, "0: no LinkSec"),
    COUNTER("LSECTXPKTE", 0x08a40, 0, 1, "0: no LinkSec"),
    COUNTER("LSECTXPKTP", 0x08a44, 0, 1, "0: no LinkSec"),
    COUNTER("LSECTXOCTE", 0x08a48, 0, 1, "0: no LinkSec"),
    COUNTER("LSECTXOCTP", 0x08a4c, 0, 1, "0: no LinkSec"),
    COUNTER("LSECRX", 0x08f40, 4, 17, "0: no LinkSec"),
};

#define ROWS (sizeof table / sizeof table[0])

const struct sim_reg *i82599_registers(size_t *n)
{
    *n = ROWS;
    return table;
}

static uint32_t row_offset(const struct sim_reg *row, unsigned i)
{
    return row->offset + i * row->stride;
}

void i82599_registers_init(struct sim_device *dev)
{
    for (size_t r = 0; r < ROWS; r++)
        for (unsigned i = 0; i < table[r].count; i++)
            dev->row[row_offset(&table[r], i) / 4] = (uint16_t)(r + 1);
}

void i82599_registers_reset(struct sim_device *dev)
{
    memset(dev->reg, 0, sizeof dev->reg);
    for (size_t r = 0; r < ROWS; r++)
        for (unsigned i = 0; table[r].reset && i < table[r].count; i++)
            *i82599_reg(dev, row_offset(&table[r], i)) = table[r].reset;
}

void i82599_counters_reset(struct sim_device *dev)
{
    for (size_t r = 0; r < ROWS; r++)
        for (unsigned i = 0; table[r].mode == SIM_REG_RC && i < table[r].count; i++)
            *i82599_reg(dev, row_offset(&table[r], i)) = 0;
}

static const struct sim_reg *row_at(const struct sim_device *dev, uint32_t offset, unsigned *index)
{
    if (offset >= I82599_BAR_BYTES || !dev->row[offset / 4])
        return NULL;
    const struct sim_reg *row = &table[dev->row[offset / 4] - 1];
    *index = row->first + (row->stride ? (offset - row->offset) / row->stride : 0);
    return row;
}

uint32_t i82599_mmio_read(struct sim_device *dev, uint32_t offset)
{
    unsigned index;
    const struct sim_reg *row = row_at(dev, offset, &index);

    if (!row) {
        dev->unknown_reads++;
        return 0;
    }
    if (row->mode == SIM_REG_ACTION && row->read)
        return row->read(dev, index);
    uint32_t *reg = i82599_reg(dev, offset), value = *reg;
    if (row->mode == SIM_REG_RC)
        *reg = 0;
    return value;
}

void i82599_mmio_write(struct sim_device *dev, uint32_t offset, uint32_t value)
{
    unsigned index;
    const struct sim_reg *row = row_at(dev, offset, &index);

    if (!row) {
        dev->unknown_writes++;
        return;
    }
    switch (row->mode) {
    case SIM_REG_RO:
    case SIM_REG_RC:
        return;
    case SIM_REG_RW:
        *i82599_reg(dev, offset) = value;
        return;
    case SIM_REG_W1C:
        *i82599_reg(dev, offset) &= ~value;
        return;
    case SIM_REG_ACTION:
        if (row->write)
            row->write(dev, index, value);
        else
            *i82599_reg(dev, offset) = value;
        return;
    }
}
