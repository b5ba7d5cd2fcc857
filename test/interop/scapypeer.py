# The other end of test/interop/scapy.test.ts. Reads one JSON object: where the gateway is, and a list of SAs. For each
# SA it puts packets into the gateway's TUN device, opens what comes out on the wire with scapy's IPsec, seals answers
# with it, and reads what the gateway makes of them. Answers with one JSON list: a list of complaints for each SA.
#
# Both ends are packet sockets, so that no other IP stack lies between: on the TUN device in the gateway's namespace, and
# on the far end of its wire.

import ctypes
import json
import logging
import select
import socket
import struct
import sys
import time
import warnings

warnings.filterwarnings("ignore")
logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AH, ESP, SecurityAssociation
from scapy.packet import Raw, raw

ETHERTYPE = {4: 0x0800, 6: 0x86DD}
ALL = 0x0003
CLONE_NEWNET = 0x40000000
PATIENCE = 1


class Port:
    """A device in a namespace, seen from below IP."""

    def __init__(self, namespace, device, ethernet):
        with open("/run/netns/" + namespace) as there:
            if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        self.device = device
        self.header = ethernet
        kind = socket.SOCK_RAW if ethernet else socket.SOCK_DGRAM
        self.socket = socket.socket(socket.AF_PACKET, kind, socket.htons(ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((device, ALL))
        self.socket.setblocking(False)

    def send(self, packet):
        kind = ETHERTYPE[packet[0] >> 4]
        if self.header:
            self.socket.send(self.header + struct.pack("!H", kind) + packet)
        else:
            self.socket.sendto(packet, (self.device, kind))

    def receive(self, count, fits):
        """So many IP packets that fit, or fewer when no more come."""
        got = []
        end = time.monotonic() + PATIENCE
        while len(got) < count and time.monotonic() < end:
            select.select([self.socket], [], [], max(0, end - time.monotonic()))
            try:
                packet, where = self.socket.recvfrom(65536)
            except BlockingIOError:
                continue
            if where[2] == socket.PACKET_OUTGOING or where[1] not in ETHERTYPE.values():
                continue
            packet = packet[14:] if self.header else packet
            if fits(packet):
                got.append(packet)
        return got


def header(version, source, destination, **fields):
    if version == 4:
        return IP(src=source, dst=destination, **fields)
    return IPv6(src=source, dst=destination, **fields)


def parse(packet):
    return (IP if packet[0] >> 4 == 4 else IPv6)(packet)


def whole(packet):
    """With lengths and checksums as scapy computes them."""
    for layer in (IP, UDP):
        if layer in packet:
            packet[layer].chksum = None
    return parse(raw(packet))


class Sa:
    def __init__(self, job):
        self.job = job
        self.proto = {"esp": ESP, "ah": AH}[job["protocol"]]
        self.local, self.remote = job["local"], job["remote"]
        # Theirs to open is ours to seal.
        self.opening = self.association(job["spiOut"], job["keysOut"], self.local, self.remote)
        self.sealing = self.association(job["spiIn"], job["keysIn"], self.remote, self.local)
        self.faults = []

    def association(self, spi, keys, source, destination):
        job = self.job
        tunnel = header(job["outer"], source, destination) if job["mode"] == "tunnel" else None
        return SecurityAssociation(
            self.proto,
            spi=spi,
            crypt_algo=job["crypt"],
            crypt_key=bytes.fromhex(keys["crypt"]) if job["crypt"] else None,
            crypt_icv_size=job["icv"],
            auth_algo=job["auth"],
            auth_key=bytes.fromhex(keys["auth"]) if job["auth"] else None,
            tunnel_header=tunnel,
            nat_t_header=UDP(sport=4500, dport=4500) if job["udp"] else None,
            esn_en=job["esn"],
        )

    def packet(self, size, inward):
        """A UDP packet of this SA's selectors, from its inside outwards or the other way."""
        job = self.job
        ends = [(job["here"], job["herePort"]), (job["there"], job["therePort"])]
        (source, sport), (destination, dport) = reversed(ends) if inward else ends
        text = bytes((size + 7 * i) & 0xFF for i in range(size))
        return header(job["inner"], source, destination) / UDP(sport=sport, dport=dport) / Raw(text)

    def spi_of(self, packet):
        """Of ESP, AH or ESP in UDP for this SA's peer; None for what else there is on the wire."""
        version = packet[0] >> 4
        start = (packet[0] & 15) * 4 if version == 4 else 40
        kind = protocol_of(packet)
        if kind == 17 and packet[start:start + 4] == struct.pack("!HH", 4500, 4500):
            start += 8
        elif kind == 51:
            start += 4
        elif kind != 50:
            return None
        return struct.unpack("!L", packet[start:start + 4])[0]

    def outward(self, inside, outside):
        """We seal, scapy opens."""
        job = self.job
        given = [whole(self.packet(size, False)) for size in job["sizes"]]
        for packet in given:
            inside.send(raw(packet))
        got = outside.receive(len(given), lambda packet: self.spi_of(packet) == job["spiOut"])
        self.expect("packets on the wire", len(got), len(given))
        for i, (wanted, sealed) in enumerate(zip(given, map(parse, got))):
            self.outer(sealed)
            seq = job["first"] + i
            low, high = seq & 0xFFFFFFFF, seq >> 32
            if job["udp"]:
                self.expect("ports", (sealed[UDP].sport, sealed[UDP].dport), (4500, 4500))
                # Scapy opens tunnels in UDP, but not transport mode over IPv6: without UDP it is protocol 50 again.
                plain = header(job["outer"], self.local, self.remote, **{"proto" if job["outer"] == 4 else "nh": 50})
                sealed = plain / ESP(raw(sealed[UDP].payload))
            self.expect("sequence number", sealed[self.proto].seq, low)
            if self.proto is AH:
                # RFC 4302 §2.2: a whole number of words of 32 bits, in IPv6 of 64.
                unit = 4 if job["outer"] == 4 else 8
                self.expect("bytes of AH beyond a boundary", (sealed[AH].payloadlen + 2) * 4 % unit, 0)
            opened = self.opening.decrypt(sealed, esn=high)
            if job["mode"] == "tunnel":
                self.expect("inner packet", raw(opened).hex(), raw(wanted).hex())
            else:
                self.expect("protocol inside", protocol_of(raw(opened)), protocol_of(raw(wanted)))
                self.expect("payload", raw(opened.payload).hex(), raw(wanted.payload).hex())

    def outer(self, sealed):
        self.expect("outer addresses", (sealed.src, sealed.dst), (self.local, self.remote))
        if sealed.version == 4:
            self.expect("outer length", sealed.len, len(raw(sealed)))
            self.expect("outer checksum", sealed.chksum, parse(raw(whole(sealed.copy()))).chksum)
            self.expect("outer TTL", sealed.ttl, 64)
        else:
            self.expect("outer length", sealed.plen, len(raw(sealed)) - 40)
            self.expect("outer hop limit", sealed.hlim, 64)

    def inward(self, inside, outside):
        """Scapy seals, we open."""
        job = self.job
        given = [whole(self.packet(size, True)) for size in job["sizes"]]
        for i, packet in enumerate(given):
            seq = job["first"] + i
            # As an argument 0 would count as none.
            self.sealing.seq_num = seq & 0xFFFFFFFF
            sealed = self.sealing.encrypt(packet.copy(), esn=seq >> 32)
            if job["udp"]:
                # Scapy counts the UDP header alone.
                del sealed[UDP].len
            if job["udp"] and job["outer"] == 6:
                # RFC 8200 §8.1: over IPv6 there is no UDP without a checksum.
                del sealed[UDP].chksum
            outside.send(raw(sealed))
        ports = (job["therePort"], job["herePort"])
        got = inside.receive(len(given), lambda packet: ports_of(packet) == ports)
        self.expect("packets out of the tunnel", len(got), len(given))
        for wanted, packet in zip(given, got):
            if job["mode"] == "tunnel":
                self.expect("delivered packet", packet.hex(), raw(wanted).hex())
                continue
            delivered = parse(packet)
            self.expect("delivered addresses", (delivered.src, delivered.dst), (wanted.src, wanted.dst))
            self.expect("delivered payload", raw(delivered.payload).hex(), raw(wanted.payload).hex())
            self.expect("delivered packet", packet.hex(), raw(whole(delivered.copy())).hex())

    def expect(self, what, found, wanted):
        if found != wanted:
            self.faults.append("%s: %s instead of %s" % (what, found, wanted))


def protocol_of(packet):
    return packet[9] if packet[0] >> 4 == 4 else packet[6]


def ports_of(packet):
    start = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
    return struct.unpack("!HH", packet[start:start + 4]) if protocol_of(packet) == 17 else None


def attempt(job, inside, outside):
    sa = Sa(job)
    for step in (sa.outward, sa.inward):
        try:
            step(inside, outside)
        except Exception as error:
            sa.faults.append("%s: %r" % (step.__name__, error))
    return sa.faults


def main():
    place = json.load(sys.stdin)
    inside = Port(place["gateway"], place["tun"], b"")
    ends = bytes.fromhex(place["gatewayMac"]) + bytes.fromhex(place["peerMac"])
    outside = Port(place["peer"], place["device"], ends)
    json.dump([attempt(job, inside, outside) for job in place["jobs"]], sys.stdout)


main()
