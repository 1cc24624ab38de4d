/* tcp_option.h - numbers of the TCP options we speak, for the parser and the emitter. */
#ifndef NB_WIRE_TCP_OPTION_H
#define NB_WIRE_TCP_OPTION_H

/* IANA "TCP Option Kind Numbers". */
enum nb_option_kind {
    NB_OPTION_END = 0,
    NB_OPTION_NOP = 1,
    NB_OPTION_MSS = 2,
    NB_OPTION_WSCALE = 3,
    NB_OPTION_SACK_PERMITTED = 4,
    NB_OPTION_SACK = 5,
    NB_OPTION_TIMESTAMP = 8,
    NB_OPTION_MD5 = 19,
    NB_OPTION_FASTOPEN = 34,
    NB_OPTION_ACCECN0 = 172,
    NB_OPTION_ACCECN1 = 174,
    NB_OPTION_EXPERIMENT = 254, /* RFC 6994: a 16-bit identifier follows */
};

#define NB_OPTION_TIMESTAMP_LEAD   0x0101080au /* NOP NOP kind 8 length 10: the layout of RFC 7323 appendix A */
#define NB_OPTION_TIMESTAMP_PADDED 12

/* In a SYN, SACK-permitted takes the place of the two NOPs, as Linux lays it out: with MSS and window scale the options
 * then fill 20 bytes instead of 24. */
#define NB_OPTION_SACK_TIMESTAMP_LEAD 0x0402080au
#define NB_OPTIONS_SYN_BYTES          20

#define NB_OPTION_MSS_LEAD    0x0204u     /* kind 2 length 4 */
#define NB_OPTION_WSCALE_LEAD 0x010303u   /* NOP kind 3 length 3 */
#define NB_OPTION_SACK_LEAD   0x01010500u /* NOP NOP kind 5, length to be added (RFC 2018 §3) */

#define NB_OPTION_MD5_LEAD   0x01011312u /* NOP NOP kind 19 length 18 */
#define NB_OPTION_MD5_PADDED 20

#define NB_OPTION_EXPERIMENT_FASTOPEN 0xf989

#define NB_OPTION_ACCECN_FIELD_BYTES 3 /* RFC 9768 §3.2.3 */

#define NB_WSCALE_MAX 14 /* RFC 7323 §2.3; larger ones are used as 14 */

#endif
