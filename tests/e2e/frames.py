"""frames - Ethernet frames for a simulated NIC, as bytes, with good checksums unless damaged on purpose."""
import ipaddress
import struct

MAC = bytes.fromhex("028259000001")  # of the simulated NIC (testpmd.py)
SOURCE = bytes.fromhex("020000000099")
ETHERNET, IPV4, IPV6, TCP = 14, 20, 40, 20  # bytes of these headers, without options
TCP_PROTOCOL, UDP_PROTOCOL, GRE_PROTOCOL = 6, 17, 47
SYN, PSH, ACK, FIN = 0x02, 0x08, 0x10, 0x01


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1])) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(ethertype, payload, destination=MAC):
    return destination + SOURCE + struct.pack("!H", ethertype) + payload


def ip_header(src, dst, protocol, length, flags=0x4000):
    if src.version == 6:
        return struct.pack("!IHBB", 6 << 28, length, protocol, 64) + src.packed + dst.packed
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, flags, 64, protocol, 0) + src.packed + dst.packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:]


def packet(src, dst, protocol, l4, checksum_at, destination=MAC):
    """An Ethernet frame to the NIC; the checksum of its L4 part is put where it belongs."""
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    pseudo = src.packed + dst.packed + struct.pack("!II", len(l4), protocol)
    l4 = l4[:checksum_at] + struct.pack("!H", checksum(pseudo + l4)) + l4[checksum_at + 2:]
    return ethernet(0x0800 if src.version == 4 else 0x86DD, ip_header(src, dst, protocol, len(l4)) + l4, destination)


def tcp(src, sport, dst, dport, flags=ACK, payload=b"", **more):
    header = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 65535, 0, 0)
    return packet(src, dst, TCP_PROTOCOL, header + payload, 16, **more)


def udp(src, sport, dst, dport, payload=b"", **more):
    return packet(src, dst, UDP_PROTOCOL, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload, 6, **more)


def udp_whose_sum_is_zero(src, sport, dst, dport):
    """A datagram whose checksum comes out as zero, which must be sent as its other form, 0xffff (RFC 768)."""
    sum_without = udp(src, sport, dst, dport, bytes(2))[-4:-2]
    return udp(src, sport, dst, dport, sum_without)


def tagged(frame, tci):
    """The same frame with a VLAN tag."""
    return frame[:12] + struct.pack("!HH", 0x8100, tci) + frame[12:]


def damaged(frame, at):
    """The same frame with one byte changed."""
    return frame[:at] + bytes([frame[at] ^ 0x01]) + frame[at + 1:]


def fragment(frame):
    """The same IPv4 frame said to be the first fragment of more."""
    ip = frame[ETHERNET:ETHERNET + 6] + struct.pack("!H", 0x2000) + frame[ETHERNET + 8:ETHERNET + 10] + bytes(2) + \
        frame[ETHERNET + 12:ETHERNET + IPV4]
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return frame[:ETHERNET] + ip + frame[ETHERNET + IPV4:]


def without_udp_checksum(frame):
    """The same IPv4 UDP frame with the checksum that means none (RFC 768)."""
    at = ETHERNET + IPV4 + 6
    return frame[:at] + bytes(2) + frame[at + 2:]
