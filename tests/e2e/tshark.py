"""tshark - the outside judge of frames: what Wireshark's dissectors make of a capture, checksums verified."""
import struct

import nbtest

# Nothing is forgiven: a segment's length, and every checksum, must be what the bytes say.
STRICT = {"ip.check_checksum": "TRUE", "tcp.check_checksum": "TRUE", "udp.check_checksum": "TRUE",
          "ip.tso_support": "FALSE", "tcp.relative_sequence_numbers": "FALSE", "tcp.desegment_tcp_streams": "FALSE",
          "ip.defragment": "FALSE"}
GOOD, ABSENT = "1", "3"  # a checksum's status in tshark's words; other numbers are bad or not looked at


def packets(pcap, *fields, skip=0):
    """The fields of each packet of a capture file after the first `skip`, as a list of dictionaries; a field that a
    packet does not have is ''."""
    options = [word for name, value in STRICT.items() for word in ("-o", f"{name}:{value}")]
    wanted = [word for field in fields for word in ("-e", field)]
    out = nbtest.command("tshark", "-n", "-r", pcap, *options, "-T", "fields", "-E", "separator=|", "-E", "occurrence=f",
                         *wanted).stdout.decode()
    return [dict(zip(fields, line.split("|"))) for line in out.splitlines()[skip:]]


def frames(pcap, skip=0):
    """The packets of a capture file after the first `skip`, as bytes, by way of the older and simpler format."""
    data = nbtest.command("tshark", "-n", "-r", pcap, "-F", "pcap", "-w", "-").stdout
    found, at = [], 24  # bytes of the file header; each packet has one of 16
    while at < len(data):
        n = struct.unpack_from("<I", data, at + 8)[0]
        found.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return found[skip:]


def judge(pcap, *fields, skip=0):
    """The same, every packet found without fault: each checksum that a header has is good, nothing is malformed."""
    verdicts = ("ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "_ws.malformed")
    found = packets(pcap, "frame.number", *verdicts, *fields, skip=skip)
    for one in found:
        for verdict in verdicts[:3]:
            nbtest.check(one[verdict] in ("", GOOD, ABSENT), f"tshark: bad {verdict}: {one}")
        nbtest.equal(one["_ws.malformed"], "", f"tshark: malformed: {one}")
    return found
