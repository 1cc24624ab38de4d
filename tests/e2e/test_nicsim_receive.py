#!/usr/bin/env python3
"""Which frames the simulated 82599 admits, how it brings long ones to memory and out again, what RSS makes of changes at run
time, and that its counters add up; dpdk-testpmd configures and forwards, through Debian's ixgbe driver."""
import frames
import nbtest
import testpmd
from nbtest import check, equal

A, B = "10.0.0.1", "10.0.0.2"
QUEUES = 4
BUFFER = 1024   # bytes of a frame that one mbuf holds: the smallest that the driver takes
LONGEST = 9018  # of a frame, FCS included
SHORTEST = 60  # of a frame without FCS; a wire pads
FCS = 4
OWN, FOREIGN = bytes.fromhex("020000000007"), bytes.fromhex("020000000008")
GROUP, OTHER_GROUP = bytes.fromhex("01005e000005"), bytes.fromhex("01005e000006")
BROADCAST = bytes.fromhex("ffffffffffff")
VLAN = 5
PACKET_BUFFER, LINE = 512 << 10, 64  # bytes of the card's packet buffer; it is filled in lines
KEY = bytes(range(1, 41))


class Started:
    """testpmd that sends every frame back as it is, mbufs small, frames long."""

    def __init__(self):
        self.pmd = testpmd.Testpmd("--enable-rx-cksum", "--rss-ip", "--enable-drop-en", f"--max-pkt-len={LONGEST}",
                                   "--enable-scatter", f"--mbuf-size={BUFFER + 128}", "--tx-offloads=0x8000",
                                   "--port-topology=loop", queues=QUEUES, capture=True)

    def __enter__(self):
        self.pmd.__enter__()
        for command in ("set fwd io", "set verbose 1", "set promisc all off", "port config all rss all", "start"):
            self.pmd.say(command)
        return self.pmd

    def __exit__(self, *why):
        self.pmd.__exit__(*why)


def to(destination, sport=1000):
    return frames.tcp(A, sport, B, 80, destination=destination)


def refused(pmd, frame):
    """Why the card did not admit a frame."""
    return pmd.inject(frame).get("drop")


def toeplitz(key, data):
    """The RSS hash, written out from its definition: bit by bit, a window of the key for each bit that is set."""
    window, result = int.from_bytes(key, "big"), 0
    for i in range(8 * len(data)):
        if data[i // 8] >> (7 - i % 8) & 1:
            result ^= window >> (8 * len(key) - 32 - i) & 0xFFFFFFFF
    return result


# --- counters -----------------------------------------------------------------------------------------------------------

def test_counters_explain_every_frame_that_was_put_on_the_wire(pmd):
    """Each frame given is in a queue's counter, in an error's, or in a named drop; and what came in went out."""
    for queue in range(QUEUES):
        pmd.say(f"set stat_qmap rx 0 {queue} {queue}")
        pmd.say(f"set stat_qmap tx 0 {queue} {queue}")
    before, dropped_before = pmd.xstats(), pmd.drops()
    good = [to(frames.MAC, sport) for sport in range(1000, 1040)]
    queues = [int(pmd.inject(frame)["queue"]) for frame in good]
    for frame in (frames.damaged(good[0], 50), frames.damaged(good[0], 24)):  # bad checksums are delivered, and counted
        queues.append(int(pmd.inject(frame)["queue"]))
    bad = [frames.tcp(A, 1, B, 2, payload=bytes(LONGEST)), to(FOREIGN), to(FOREIGN), to(GROUP)]
    for frame in bad:
        check(not pmd.admits(frame), "a frame that should have been dropped")
    pmd.nic("fault", "queue-stall", "2")
    stalled = [frame for frame in good if int(pmd.inject(frame)["queue"]) == 2]
    pmd.nic("fault", "off")
    queues += [queue for queue in queues[:len(good)] if queue != 2]
    pmd.wait_sent(len(queues))

    after = pmd.xstats()
    moved = {name: after[name] - before[name] for name in after}
    dropped = {why: n - dropped_before.get(why, 0) for why, n in pmd.drops().items() if n != dropped_before.get(why, 0)}
    equal(moved["rx_total_packets"], len(queues) + len(bad) + len(stalled), "frames on the wire")
    for queue in range(QUEUES):
        equal(moved[f"rx_q{queue}_packets"], queues.count(queue), f"frames of queue {queue}")
        equal(moved[f"tx_q{queue}_packets"], queues.count(queue), f"frames sent from queue {queue}")
        equal(moved[f"rx_q{queue}_errors"], len(stalled) if queue == 2 else 0, f"drops of queue {queue}")
    equal(moved["rx_good_packets"], len(queues), "rx_good_packets")
    equal(moved["rx_oversize_errors"], 1, "rx_oversize_errors")
    equal(moved["rx_l3_l4_xsum_error"], 2, "rx_l3_l4_xsum_error")
    equal(moved["rx_missed_errors"], 0, "rx_missed_errors")
    equal(dropped, {"no receive descriptor": len(stalled), "longer than the maximum frame size": 1,
                    "destination address not accepted": 3}, "why frames were dropped")
    equal(moved["rx_total_packets"], moved["rx_good_packets"] + sum(dropped.values()), "the whole")
    equal(moved["rx_good_bytes"], len(queues) * SHORTEST, "rx_good_bytes")
    equal(moved["tx_total_packets"], moved["rx_good_packets"], "sent and received")


def test_full_packet_buffer_misses_what_no_longer_fits_and_loses_nothing_of_what_did(_):
    """A queue that may not drop and has no descriptors holds up the whole packet buffer."""
    frame = frames.tcp(A, 1000, B, 80, payload=bytes(8000))
    with testpmd.Testpmd("--rss-ip", f"--max-pkt-len={LONGEST}", "--mbuf-size=9728") as pmd:
        for command in ("set fwd rxonly", "start"):
            pmd.say(command)
        pmd.nic("fault", "queue-stall", pmd.inject(frame)["queue"])
        held = 0
        while (why := pmd.inject(frame).get("drop")) is None:
            held += 1
        equal(why, "receive packet buffer full", "why")
        equal(held, PACKET_BUFFER // -(-len(frame) // LINE * LINE), "frames that fitted")
        pmd.nic("fault", "off")
        nbtest.wait_until(lambda: pmd.xstat("rx_good_packets") == 1 + held, "the frames held are delivered")
        equal(pmd.xstat("rx_missed_errors"), 1, "rx_missed_errors")


# --- long frames --------------------------------------------------------------------------------------------------------

def test_frames_of_every_length_go_through_unchanged_in_as_many_buffers_as_they_need(pmd):
    headers = frames.ETHERNET + frames.IPV4 + frames.TCP
    lengths = [60, BUFFER - 1, BUFFER, BUFFER + 1, 2 * BUFFER, 1514, 4096, LONGEST - FCS - 1, LONGEST - FCS]
    pmd.skip_what_was_sent()
    sent_before = pmd.stats()["tx_frames"]
    given = [frames.tcp(A, 1000, B, 80, payload=nbtest.pattern(n - headers)) for n in lengths]
    for frame in given:
        got = pmd.receive(frame)
        equal((int(got["pmd_length"]), int(got["pmd_segments"])), (len(frame), -(-len(frame) // BUFFER)), "length, buffers")
    pmd.wait_sent(sent_before + len(given))
    check(pmd.sent() == given, "what was sent back differs from what came")


def test_frame_longer_than_allowed_is_dropped_and_counted_as_oversize(pmd):
    before = pmd.xstat("rx_oversize_errors")
    equal(refused(pmd, frames.tcp(A, 1000, B, 80, payload=bytes(LONGEST))), "longer than the maximum frame size", "why")
    equal(pmd.xstat("rx_oversize_errors") - before, 1, "rx_oversize_errors")


def test_shorter_maximum_set_at_run_time_binds(pmd):
    longer = frames.tcp(A, 1000, B, 80, payload=bytes(1500))
    pmd.receive(longer)
    pmd.restart("port config mtu 0 1500")
    equal(refused(pmd, longer), "longer than the maximum frame size", "why")
    pmd.receive(frames.tcp(A, 1000, B, 80, payload=bytes(1460)))
    pmd.restart(f"port config mtu 0 {LONGEST - 18}")
    pmd.receive(longer)


# --- admission ----------------------------------------------------------------------------------------------------------

def test_own_addresses_and_broadcasts_come_in_and_foreign_ones_do_not(pmd):
    check(pmd.admits(to(frames.MAC)), "the port's address")
    check(pmd.admits(to(BROADCAST)), "broadcast")
    equal(refused(pmd, to(OWN)), "destination address not accepted", "a second address, before it is added")
    pmd.say("mac_addr add 0 02:00:00:00:00:07")
    check(pmd.admits(to(OWN)), "a second address, added")
    check(not pmd.admits(to(FOREIGN)), "a foreign address")
    pmd.say("mac_addr remove 0 02:00:00:00:00:07")
    check(not pmd.admits(to(OWN)), "a second address, removed")


def test_promiscuous_mode_lets_everything_in_while_it_is_on(pmd):
    for mode in ("on", "off"):
        pmd.say(f"set promisc 0 {mode}")
        equal(pmd.admits(to(FOREIGN)), mode == "on", f"a foreign address, promiscuous mode {mode}")


def test_multicasts_come_in_by_group_or_all(pmd):
    check(not pmd.admits(to(GROUP)), "a group nobody asked for")
    pmd.say("mcast_addr add 0 01:00:5e:00:00:05")
    equal((pmd.admits(to(GROUP)), pmd.admits(to(OTHER_GROUP))), (True, False), "the group asked for, another")
    pmd.say("mcast_addr remove 0 01:00:5e:00:00:05")
    check(not pmd.admits(to(GROUP)), "the group left")
    for mode in ("on", "off"):
        pmd.say(f"set allmulti 0 {mode}")
        equal(pmd.admits(to(OTHER_GROUP)), mode == "on", f"any group, allmulti {mode}")


def test_vlan_filter_admits_its_members_and_what_has_no_tag(pmd):
    own, foreign = frames.tagged(to(frames.MAC), VLAN), frames.tagged(to(frames.MAC), VLAN + 1)
    check(pmd.admits(foreign), "any tag while the filter is off")
    pmd.say("vlan set filter on 0")
    equal(refused(pmd, own), "VLAN not in the filter table", "before it is added")
    pmd.say(f"rx_vlan add {VLAN} 0")
    equal((pmd.admits(own), pmd.admits(foreign), pmd.admits(to(frames.MAC))), (True, False, True),
          "the VLAN added, another, no tag")
    pmd.say(f"rx_vlan rm {VLAN} 0")
    check(not pmd.admits(own), "the VLAN removed")
    pmd.say("vlan set filter off 0")
    check(pmd.admits(own), "with the filter off again")


# --- RSS at run time ----------------------------------------------------------------------------------------------------

def test_new_hash_key_takes_effect_at_once(pmd):
    pmd.say(f"port config 0 rss-hash-key ipv4-tcp {KEY.hex()}")
    for sport in range(1000, 1008):
        frame = to(frames.MAC, sport)
        tuple_bytes = frame[26:38]  # addresses and ports, as they lie in the packet
        got = pmd.receive(frame)
        equal(int(got["pmd_hash"], 16), toeplitz(KEY, tuple_bytes), f"hash of port {sport} under the new key")


def test_reta_written_while_frames_come_moves_them(pmd):
    before = {pmd.receive(to(frames.MAC, sport))["pmd_queue"] for sport in range(1000, 1032)}
    equal(before, {"0", "1", "2", "3"}, "queues before")
    for queues in ((2,), (1, 3)):
        pmd.spread_over(*queues)
        got = {int(pmd.receive(to(frames.MAC, sport))["pmd_queue"]) for sport in range(1000, 1032)}
        equal(got, set(queues), "queues")
    pmd.spread_over(*range(QUEUES))


def test_hashed_types_are_those_asked_for(pmd):
    udp = frames.udp(A, 1000, B, 80)
    addresses = udp[26:34]
    pmd.say("port config all rss ip")
    key = bytes.fromhex(pmd.say("show port 0 rss-hash key").split("RSS key:")[1].split()[0])
    equal(int(pmd.receive(udp)["pmd_hash"], 16), toeplitz(key, addresses), "hash over addresses")
    pmd.say("port config all rss udp")
    equal(int(pmd.receive(udp)["pmd_hash"], 16), toeplitz(key, udp[26:38]), "hash over addresses and UDP ports")
    equal(pmd.receive(to(frames.MAC))["table"], "default", "TCP, not asked for")
    pmd.say("port config all rss all")


if __name__ == "__main__":
    nbtest.main(Started)
