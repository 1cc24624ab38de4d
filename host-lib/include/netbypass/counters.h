/* counters.h - every per-worker counter, with the sentence that explains it. Nothing is dropped without one.
 *
 * One X-macro list: the enum indexes the array, the hot path returns a member as its drop reason, and
 * netbypassctl prints name and sentence. Names are stable once released: dashboards use them.
 */
#ifndef NETBYPASS_COUNTERS_H
#define NETBYPASS_COUNTERS_H

#define NB_COUNTER_LIST(X)                                                                                             \
    X(RX_PACKETS, "rx_packets", "frames taken from receive queues")                                                    \
    X(TX_PACKETS, "tx_packets", "frames given to transmit queues")                                                     \
    X(FORWARDED_IN, "forwarded_in", "segments other workers forwarded to this one")                                    \
    X(FORWARDED_OUT, "forwarded_out", "segments forwarded to another worker")                                          \
    X(FORWARDED_COPIED, "forwarded_copied",                                                                            \
      "of those that came, copied because this worker held as many buffers of others as it may")                       \
    X(BUFFERS_RETURNED, "buffers_returned", "packet buffers of other workers given back to them")                      \
    X(RETURN_RING_FULL, "return_ring_full",                                                                            \
      "of those, put into their pool under its lock, because the ring to their owner was full")                        \
    X(MISDIRECTED, "misdirected",                                                                                      \
      "unfragmented TCP segments of flows placed by rss, mask or exact that arrived at a worker which is not the "     \
      "owner")                                                                                                         \
    X(MOVED_OUT, "moved_out", "connections moved to another worker")                                                   \
    X(MOVED_IN, "moved_in", "connections moved here from another worker")                                              \
    X(MOVE_REFUSED, "move_refused", "moves of connections from here that did not begin: pinned, busy, no room")        \
    X(MOVE_PARKED, "move_parked", "segments that waited for older ones during a move")                                 \
    X(MOVE_REORDERED, "move_reordered", "segments that came after newer ones because a move could not wait longer")    \
    X(MOVE_LOST, "move_lost", "segments of a connection that had moved, swallowed by a full ring")                     \
    X(ARP_REPLIES, "arp_replies", "ARP requests for our address answered")                                             \
    X(ND_REPLIES, "nd_replies", "neighbour solicitations for our IPv6 addresses answered (RFC 4861)")                  \
    X(ADDRESS_CONFLICTS, "address_conflicts", "signs that another host has an IPv6 address of ours (RFC 4862)")        \
    X(ECHO_REPLIES, "echo_replies", "ICMP and ICMPv6 echo requests (ping) answered")                                   \
    X(REASSEMBLED, "reassembled", "datagrams put together from their fragments")                                       \
    X(ICMP_SENT, "icmp_sent", "ICMP errors sent")                                                                      \
    X(ICMP_LIMITED, "icmp_limited", "ICMP errors not sent because there were too many")                                \
    X(CONNECTIONS_ACCEPTED, "connections_accepted", "passive opens that reached ESTABLISHED")                          \
    X(HANDED_OVER, "handed_over", "SYNs given to another worker, to be accepted there")                                \
    X(CONNECTIONS_OPENED, "connections_opened", "active opens that reached ESTABLISHED")                               \
    X(PORTS_GRANTED, "ports_granted", "active opens from a local port that another worker granted")                    \
    X(PORT_SHORTAGE, "port_shortage", "active opens given up because no local port was left")                          \
    X(CONNECTIONS_CLOSED, "connections_closed", "connections that ended, for whatever reason")                         \
    X(RETRANSMITTED, "retransmitted", "segments sent again")                                                           \
    X(LOSS_PROBES, "loss_probes", "of those, tail loss probes: it was slow or lost (RFC 8985)")                        \
    X(RST_SENT, "rst_sent", "resets sent")                                                                             \
    X(RST_RECEIVED, "rst_received", "acceptable resets received")                                                      \
    X(CHALLENGE_ACK, "challenge_ack", "challenge ACKs sent (RFC 5961)")                                                \
    X(ICMP_ERRORS, "icmp_errors", "ICMP errors about a segment in flight, taken into account")                         \
    X(SYNCOOKIES_SENT, "syncookies_sent", "SYNs answered with a cookie because too many connections are half-open")    \
    X(SYNCOOKIES_RETURNED, "syncookies_returned", "connections that such a cookie has opened")                         \
    X(OUT_OF_ORDER, "out_of_order", "segments that arrived ahead of a gap and were kept")                              \
    X(MEMORY_PRESSURE, "memory_pressure",                                                                              \
      "times that connections came to hold more buffers than limits allow at ease")                                    \
    X(MEMORY_PRUNED, "memory_pruned", "buffers of out-of-order data given up for lack of memory")                      \
    X(MEMORY_COLLAPSED, "memory_collapsed", "small segments copied into the buffer of the one before them")            \
    X(MEMORY_CLAMPED, "memory_clamped", "times that a connection's window was cut for lack of memory")                 \
    X(MEMORY_WRITE_REFUSED, "memory_write_refused", "writes that came up short for lack of memory")                    \
    X(TIME_WAIT_REUSED, "time_wait_reused", "new connections that took over a TIME-WAIT tuple (RFC 6191)")             \
    X(TIME_WAIT_OUT, "time_wait_out", "TIME-WAIT records given to the worker that is their flow's home")               \
    X(TIME_WAIT_IN, "time_wait_in", "TIME-WAIT records taken over because this worker is their flow's home")           \
    X(DROP_NOT_FOR_US, "drop_not_for_us", "frames with another destination MAC or IP address")                         \
    X(DROP_VLAN, "drop_vlan", "frames without the VLAN tag of their port, or with one where it has none")              \
    X(DROP_UNKNOWN_PROTOCOL, "drop_unknown_protocol", "frames of a protocol this stack does not speak")                \
    X(DROP_MALFORMED, "drop_malformed", "frames whose headers contradict themselves or their length")                  \
    X(DROP_BAD_CHECKSUM, "drop_bad_checksum", "packets whose IP, ICMP or TCP checksum is wrong")                       \
    X(DROP_MARTIAN, "drop_martian", "packets from an address that no host can have, or from our own")                  \
    X(DROP_EXTENSION, "drop_extension", "IPv6 packets with extension headers that we must or will not accept")         \
    X(DROP_SOURCE_ROUTE, "drop_source_route", "packets that want to be sent on along a route of their sender's")       \
    X(DROP_FRAGMENT, "drop_fragment", "IP fragments that were too small, repeated, overlapped or contradicted")        \
    X(DROP_FRAGMENT_TIMEOUT, "drop_fragment_timeout", "IP fragments whose others did not come within 60 s")            \
    X(DROP_FRAGMENT_FULL, "drop_fragment_full", "IP fragments dropped to make room for those of newer datagrams")      \
    X(DROP_NO_LISTENER, "drop_no_listener", "segments for no connection and no listener, answered with RST")           \
    X(DROP_TABLE_FULL, "drop_table_full", "SYNs dropped because the connection table is full")                         \
    X(DROP_NOT_ACCEPTING, "drop_not_accepting",                                                                        \
      "SYNs, and ACKs that complete a handshake, dropped because the application accepts nothing for now")             \
    X(DROP_HALF_OPEN_FULL, "drop_half_open_full", "SYNs dropped because too many connections are half-open")           \
    X(DROP_ICMP_STALE, "drop_icmp_stale", "ICMP errors about no connection, or nothing that is in flight (RFC 5927)")  \
    X(DROP_OLD_SEGMENT, "drop_old_segment", "segments outside the receive window (answered with an ACK)")              \
    X(DROP_PAWS, "drop_paws", "segments with a timestamp from the past (RFC 7323 §5)")                                 \
    X(DROP_MD5, "drop_md5", "segments with a TCP-MD5 signature, for which there is no key")                            \
    X(DROP_MD5_MISSING, "drop_md5_missing", "segments without a TCP-MD5 signature, of peers for whom there is a key")  \
    X(DROP_MD5_WRONG, "drop_md5_wrong", "segments with a TCP-MD5 signature that another key has made, or none")        \
    X(DROP_BAD_ACK, "drop_bad_ack", "segments that acknowledge what was never sent")                                   \
    X(DROP_NO_ACK, "drop_no_ack", "segments without ACK for an open connection")                                       \
    X(DROP_STRAY_RST, "drop_stray_rst", "resets for no connection, for one in TIME-WAIT (RFC 1337), or unproven")      \
    X(DROP_REASSEMBLY_FULL, "drop_reassembly_full", "out-of-order segments dropped because the bound was reached")     \
    X(DROP_RECEIVE_FULL, "drop_receive_full", "segments in order dropped because too many before them are unread")     \
    X(DROP_MEMORY, "drop_memory", "SYNs dropped because connections hold too many buffers")                            \
    X(DROP_NO_MBUF, "drop_no_mbuf", "packets not sent or kept because the worker's buffer pool was empty")             \
    X(DROP_TX_FULL, "drop_tx_full", "packets dropped because the transmit queue stayed full")                          \
    X(DROP_TX_REFUSED, "drop_tx_refused", "packets that the port's driver refused to transmit")                        \
    X(DROP_NO_NEIGHBOUR, "drop_no_neighbour", "packets dropped because the next hop did not answer")                   \
    X(DROP_RING_FULL, "drop_ring_full", "segments dropped because the ring to their owner was full")                   \
    X(DROP_TWO_HOPS, "drop_two_hops", "segments that would have needed a third worker")                                \
    X(DROP_NOT_HOME, "drop_not_home", "segments whose owner could not be told while flows changed their home worker")  \
    X(DROP_CLOSED_DATA, "drop_closed_data", "data that arrived after the application had closed")

#define NB_COUNTER_ENUM(id, name, sentence) NB_COUNTER_##id,
enum nb_counter { NB_COUNTER_LIST(NB_COUNTER_ENUM) NB_COUNTER_COUNT };
#undef NB_COUNTER_ENUM

/* Name and sentence of a counter. */
const char *nb_counter_name(enum nb_counter counter);
const char *nb_counter_help(enum nb_counter counter);

#endif
