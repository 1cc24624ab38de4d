/* registers.h - offsets and bits of the 82599's registers that the model gives a meaning to.
 *
 * Names are the datasheet's (Intel 82599 10 GbE Controller Datasheet, chapter 8.2.3). The table with every register,
 * the ones that are plain memory included, is registers.c.
 */
#ifndef I82599_REGISTERS_H
#define I82599_REGISTERS_H

#define I82599_BAR_BYTES 0x80000 /* BAR 0, memory: 512 KiB */
#define I82599_QUEUES    128

/* General control (8.2.3.1) */
#define REG_CTRL        0x00000
#define CTRL_LNK_RST    (1u << 3)
#define CTRL_RST        (1u << 26)
#define REG_STATUS      0x00008
#define REG_ESDP        0x00020
#define ESDP_SDP2       (1u << 2) /* SFP cage full */
#define REG_I2CCTL      0x00028
#define I2CCTL_CLK_IN   (1u << 0)
#define I2CCTL_CLK_OUT  (1u << 1)
#define I2CCTL_DATA_IN  (1u << 2)
#define I2CCTL_DATA_OUT (1u << 3)

/* EEPROM (8.2.3.2) */
#define REG_EEC         0x10010
#define EEC_SK          (1u << 0)
#define EEC_CS          (1u << 1)
#define EEC_DI          (1u << 2)
#define EEC_DO          (1u << 3)
#define EEC_REQ         (1u << 6)
#define EEC_GNT         (1u << 7)
#define EEC_PRES        (1u << 8)
#define EEC_AUTO_RD     (1u << 9)
#define EEC_ADDR_SIZE   (1u << 10) /* 16 address bits */
#define EEC_SIZE_SHIFT  11
#define REG_EERD        0x10014
#define REG_EEWR        0x10018
#define EERD_START      (1u << 0)
#define EERD_DONE       (1u << 1)
#define EERD_ADDR_SHIFT 2
#define EERD_ADDR_MASK  0x3fff
#define EERD_DATA_SHIFT 16
#define REG_SWSM        0x10140
#define SWSM_SMBI       (1u << 0)
#define SWSM_SWESMBI    (1u << 1)

/* Interrupts (8.2.3.5) */
#define REG_EICR            0x00800
#define REG_EICS            0x00808
#define REG_EIMS            0x00880
#define REG_EIMC            0x00888
#define REG_EIAM            0x00890
#define REG_GPIE            0x00898
#define REG_IVAR            0x00900
#define REG_EICS_EX         0x00a90
#define REG_EIMS_EX         0x00aa0
#define REG_EIMC_EX         0x00ab0
#define EICR_FLOW_DIR       (1u << 16)
#define EICR_RX_MISS        (1u << 17)
#define EICR_LSC            (1u << 20)
#define GPIE_EIAME          (1u << 30)
#define IVAR_VALID          (1u << 7)
#define IVAR_VECTOR         0x3f
#define REG_EITR            0x00820
#define REG_EITR_24         0x12300
#define EITR_LOW            24 /* at the first address */
#define EITR_INTERVAL_SHIFT 3
#define EITR_INTERVAL       0x1ff

/* Receive DMA (8.2.3.8). Queues 64..127 continue at 0x0d000. */
#define REG_RX_QUEUE         0x01000
#define REG_RX_QUEUE_64      0x0d000
#define RX_QUEUE_STRIDE      0x40
#define RXQ_RDBAL            0x00
#define RXQ_RDBAH            0x04
#define RXQ_RDLEN            0x08
#define RXQ_DCA_RXCTRL       0x0c
#define RXQ_RDH              0x10
#define RXQ_SRRCTL           0x14
#define RXQ_RDT              0x18
#define RXQ_RXDCTL           0x28
#define RXQ_RSCCTL           0x2c
#define RSCCTL_RSCEN         (1u << 0)
#define RSCCTL_MAXDESC_SHIFT 2
#define RSCCTL_MAXDESC       3u
#define REG_DCA_RXCTRL       0x02200 /* second address of queues 0..15 */
#define REG_SRRCTL           0x02100 /* second address of queues 0..15 */
#define RDLEN_MASK           0x000fff80
#define RDBAL_MASK           0xffffff80 /* rings are 128-byte aligned */
#define SRRCTL_BSIZEPACKET   0x1f       /* KiB */
#define SRRCTL_DESCTYPE      (7u << 25)
#define SRRCTL_ADV_ONEBUF    (1u << 25)
#define SRRCTL_DROP_EN       (1u << 28)
#define SRRCTL_RESET         0x00000402 /* 2 KiB packet buffers, 256 B header buffers, legacy descriptors */
#define QUEUE_ENABLE         (1u << 25) /* RXDCTL and TXDCTL */
#define RXDCTL_VME           (1u << 30)
#define REG_RDRXCTL          0x02f00
#define RDRXCTL_CRCSTRIP     (1u << 1)
#define RDRXCTL_DMAIDONE     (1u << 3)
#define RDRXCTL_RSC_PUSH_DIS (1u << 5)
#define RDRXCTL_RSCACKC      (1u << 25)
#define REG_RXCTRL           0x03000
#define RXCTRL_RXEN          (1u << 0)
#define REG_RXPBSIZE         0x03c00
#define RXPBSIZE_MASK        0x000ffc00

/* Receive filters (8.2.3.7) */
#define REG_RFCTL             0x05008
#define RFCTL_RSC_DIS         (1u << 5)
#define REG_FCTRL             0x05080
#define FCTRL_MPE             (1u << 8)
#define FCTRL_UPE             (1u << 9)
#define FCTRL_BAM             (1u << 10)
#define REG_VLNCTRL           0x05088
#define VLNCTRL_VFE           (1u << 30)
#define REG_MCSTCTRL          0x05090
#define MCSTCTRL_MO           3u
#define MCSTCTRL_MFE          (1u << 2)
#define REG_ETQF              0x05128
#define ETQF_FILTER_EN        (1u << 31)
#define REG_ETQS              0x0ec00
#define ETQS_QUEUE_EN         (1u << 31)
#define REG_SYNQF             0x0ec30
#define SYNQF_QUEUE_EN        (1u << 0)
#define SYNQF_PRIORITY        (1u << 31) /* ranks before the 5-tuple filters */
#define REG_MTA               0x05200
#define REG_RAL               0x0a200 /* 128 pairs RAL, RAH; 0x05400 shows the first 16 a second time */
#define REG_RAL_LOW           0x05400
#define RAH_AV                (1u << 31)
#define RECEIVE_ADDRESSES     128
#define REG_VFTA              0x0a000
#define REG_SAQF              0x0e000
#define REG_DAQF              0x0e200
#define REG_SDPQF             0x0e400
#define REG_FTQF              0x0e600
#define REG_L34T_IMIR         0x0e800
#define FTQF_PROTOCOL         3u
#define FTQF_PRIORITY_SHIFT   2
#define FTQF_PRIORITY         7u
#define FTQF_IGNORE_SRC       (1u << 25)
#define FTQF_IGNORE_DST       (1u << 26)
#define FTQF_IGNORE_SPORT     (1u << 27)
#define FTQF_IGNORE_DPORT     (1u << 28)
#define FTQF_IGNORE_PROTO     (1u << 29)
#define FTQF_QUEUE_ENABLE     (1u << 31)
#define L34T_IMIR_QUEUE_SHIFT 21
#define FIVE_TUPLE_FILTERS    128

/* Receive side scaling (8.2.3.7.12 to .14) and checksum control */
#define REG_RXCSUM       0x05000
#define RXCSUM_PCSD      (1u << 13)
#define REG_MRQC         0x05818
#define MRQC_MRQE        0xfu
#define MRQC_MRQE_RSS    1u
#define MRQC_TCP_IPV4    (1u << 16)
#define MRQC_IPV4        (1u << 17)
#define MRQC_TCP_IPV6_EX (1u << 18)
#define MRQC_IPV6_EX     (1u << 19)
#define MRQC_IPV6        (1u << 20)
#define MRQC_TCP_IPV6    (1u << 21)
#define MRQC_UDP_IPV4    (1u << 22)
#define MRQC_UDP_IPV6    (1u << 23)
#define MRQC_UDP_IPV6_EX (1u << 24)
#define REG_RETA         0x05c00
#define RETA_ENTRIES     128
#define RETA_QUEUE       0xf
#define REG_RSSRK        0x05c80

/* Flow Director (8.2.3.21) */
#define REG_FDIRCTRL               0x0ee00
#define FDIRCTRL_PBALLOC           3u
#define FDIRCTRL_INIT_DONE         (1u << 3)
#define FDIRCTRL_PERFECT           (1u << 4)
#define FDIRCTRL_REPORT            (1u << 5) /* status of matching frames replaces their RSS hash */
#define FDIRCTRL_REPORT_ALWAYS     (1u << 7)
#define FDIRCTRL_DROP_Q_SHIFT      8
#define FDIRCTRL_DROP_Q            0x7f
#define FDIRCTRL_FLEX_SHIFT        16
#define FDIRCTRL_FLEX              0x1f
#define FDIRCTRL_MAX_LENGTH_SHIFT  24
#define FDIRCTRL_MAX_LENGTH        0xf
#define FDIRCTRL_FULL_THRESH_SHIFT 28
#define REG_FDIRSIPV6              0x0ee0c
#define REG_FDIRIPSA               0x0ee18
#define REG_FDIRIPDA               0x0ee1c
#define REG_FDIRPORT               0x0ee20
#define REG_FDIRVLAN               0x0ee24
#define REG_FDIRHASH               0x0ee28
#define FDIRHASH_SOFT_ID_SHIFT     16
#define FDIRHASH_SOFT_ID           0x7fff
#define REG_FDIRCMD                0x0ee2c
#define FDIRCMD_CMD                3u
#define FDIRCMD_ADD                1u
#define FDIRCMD_REMOVE             2u
#define FDIRCMD_QUERY              3u
#define FDIRCMD_FILTER_VALID       (1u << 2)
#define FDIRCMD_UPDATE             (1u << 3)
#define FDIRCMD_L4TYPE_SHIFT       5
#define FDIRCMD_L4TYPE             3u
#define FDIRCMD_IPV6               (1u << 7)
#define FDIRCMD_CLEARHT            (1u << 8)
#define FDIRCMD_DROP               (1u << 9)
#define FDIRCMD_COLLISION          (1u << 12)
#define FDIRCMD_QUEUE_EN           (1u << 15)
#define FDIRCMD_QUEUE_SHIFT        16
#define FDIRCMD_QUEUE              0x7f
#define REG_FDIRFREE               0x0ee38
#define REG_FDIRDIP4M              0x0ee3c
#define REG_FDIRSIP4M              0x0ee40
#define REG_FDIRTCPM               0x0ee44
#define REG_FDIRUDPM               0x0ee48
#define REG_FDIRLEN                0x0ee4c
#define REG_FDIRUSTAT              0x0ee50
#define REG_FDIRFSTAT              0x0ee54
#define REG_FDIRMATCH              0x0ee58
#define REG_FDIRMISS               0x0ee5c
#define REG_FDIRHKEY               0x0ee68
#define REG_FDIRSKEY               0x0ee6c
#define REG_FDIRM                  0x0ee70
#define FDIRM_VLANID               (1u << 0)
#define FDIRM_VLANP                (1u << 1)
#define FDIRM_L4P                  (1u << 3)
#define FDIRM_FLEX                 (1u << 4)
#define REG_FDIRIP6M               0x0ee74
#define REG_FDIRSCTPM              0x0ee78

/* Transmit DMA (8.2.3.9) */
#define REG_TX_QUEUE    0x06000
#define TX_QUEUE_STRIDE 0x40
#define TXQ_TDBAL       0x00
#define TXQ_TDBAH       0x04
#define TXQ_TDLEN       0x08
#define TXQ_TDH         0x10
#define TXQ_TDT         0x18
#define TXQ_TXDCTL      0x28
#define REG_DMATXCTL    0x04a80
#define DMATXCTL_TE     (1u << 0)
#define REG_DTXTCPFLGL  0x04a88
#define REG_DTXTCPFLGH  0x04a8c

/* MAC and link (8.2.3.22) */
#define REG_HLREG0       0x04240
#define HLREG0_RXCRCSTRP (1u << 1)
#define HLREG0_JUMBOEN   (1u << 2)
#define HLREG0_TXPADEN   (1u << 10)
#define HLREG0_LPBK      (1u << 15)
#define REG_MAXFRS       0x04268
#define MAXFRS_MFS_SHIFT 16
#define REG_MSCA         0x0425c
#define MSCA_MDI_COMMAND (1u << 30)
#define REG_MSRWD        0x04260
#define REG_AUTOC        0x042a0
#define REG_LINKS        0x042a4
#define LINKS_UP         (1u << 30)
#define LINKS_SPEED_10G  (3u << 28)
#define LINKS_10G_ALIGN  (1u << 17)

/* Statistics (8.2.3.23) */
#define REG_RQSMR         0x02300
#define REG_TQSM          0x08600
#define STAT_COUNTERS     16 /* per-queue counters; RQSMR and TQSM map queues to them */
#define REG_MPC           0x03fa0
#define REG_ILLERRC       0x04004
#define REG_PRC64         0x0405c
#define REG_GPRC          0x04074
#define REG_BPRC          0x04078
#define REG_MPRC          0x0407c
#define REG_GPTC          0x04080
#define REG_GORCL         0x04088
#define REG_GOTCL         0x04090
#define REG_RUC           0x040a4
#define REG_ROC           0x040ac
#define REG_TORL          0x040c0
#define REG_TPR           0x040d0
#define REG_TPT           0x040d4
#define REG_PTC64         0x040d8
#define REG_MPTC          0x040f0
#define REG_BPTC          0x040f4
#define REG_XEC           0x04120
#define REG_QPRC          0x01030 /* 16, stride 0x40 */
#define REG_QBRC_L        0x01034
#define REG_QPRDC         0x01430
#define REG_QPTC          0x06030
#define REG_QBTC_L        0x08700 /* 16, stride 8 */
#define QUEUE_STAT_STRIDE 0x40

#endif
