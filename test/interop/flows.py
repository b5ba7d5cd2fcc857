# Packets of all kinds through a pair of gateways: `send` puts the same random ones on the network for the same seed,
# `capture` tells which of them arrived, byte for byte but for what routers change. Standard library only.
#
#   flows.py send SEED FROM4 TO4 FROM6 TO6
#   flows.py single DEVICE                        the device is given no super-packets: it computes no checksums
#   flows.py capture SEED FROM4 TO4 FROM6 TO6     says "ready", and at the end one line of JSON

import array, fcntl, json, random, socket, struct, sys, time

IPV6_HDRINCL = 36
OUTGOING = 4
PATIENCE = 20.0
# What the echo of the tests still has to say at its port (support/echo.ts) is none of ours.
ECHO = struct.pack("!H", 7788)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def ip(ends, protocol, body, r, df=True, ident=None, fragment=0, tos=0):
    source, destination = ends
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28 | tos << 20 | 0x1234, len(body), protocol, 64) + source + destination + body
    ident = r.randrange(1, 65536) if ident is None else ident
    flags = (0x4000 if df else 0) | fragment
    header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(body), ident, flags, 64, protocol, 0) + source + destination
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def upper(ends, protocol, body, at):
    source, destination = ends
    pseudo = source + destination + struct.pack("!II", len(body), protocol)
    value = checksum(pseudo + body) or 0xFFFF
    return body[:at] + struct.pack("!H", value) + body[at + 2 :]


def udp(ends, ports, data, r, **fields):
    body = struct.pack("!HHHH", ports[0], ports[1], 8 + len(data), 0) + data
    return ip(ends, 17, upper(ends, 17, body, 6), r, **fields)


def tcp(ends, ports, seq, data, r, flags=0x10, options=b"", ack=77, window=1000, bad=False, **fields):
    head = struct.pack("!HHIIBBHHH", ports[0], ports[1], seq, ack, (20 + len(options)) // 4 << 4, flags, window, 0, 0)
    body = upper(ends, 6, head + options + data, 16)
    if bad:
        body = body[:16] + bytes([body[16] ^ 1]) + body[17:]
    return ip(ends, 6, body, r, **fields)


def packets(seed, from4, to4, from6, to6):
    r = random.Random(seed)
    four, six = (address(from4), address(to4)), (address(from6), address(to6))
    found = []
    for turn in range(40):
        ends = six if turn % 2 else four
        kind = turn % 10
        size = r.choice([1, 2, 7, 64, 333, 536, 1000, 1180])
        ports = (r.randrange(1024, 65536), 9)
        data = lambda n: bytes(r.getrandbits(8) for _ in range(n))
        if kind in (0, 1):  # A TCP flow: equal segments, a short last one, PSH, options, then others.
            stamp = struct.pack("!BBBBII", 1, 1, 8, 10, r.getrandbits(32), 5) if r.random() < 0.7 else b""
            seq, ident = r.getrandbits(32), r.randrange(1, 60000)
            for k in range(r.randrange(3, 30)):
                found.append(tcp(ends, ports, seq, data(size), r, options=stamp, ident=ident + k))
                seq = (seq + size) & 0xFFFFFFFF
            found.append(tcp(ends, ports, seq, data(r.randrange(1, size + 1)), r, flags=0x18, options=stamp, ident=ident + 40))
            found.append(tcp(ends, ports, seq + 5, data(3), r, flags=0x11))
        elif kind in (2, 3):  # What looks like a flow and is none: gaps, other windows, acks, flags, ToS, bad checksums.
            seq = r.getrandbits(31)
            for k in range(12):
                odd = r.randrange(7)
                fields = [{}, {"window": 5 + k}, {"ack": k}, {"flags": 0x30}, {"tos": 8 * k}, {"bad": True}, {"flags": 0xC2}][odd]
                found.append(tcp(ends, ports, seq, data(size), r, **fields))
                seq = (seq + size + (1 if odd == 0 else 0)) & 0xFFFFFFFF
        elif kind in (4, 5):  # UDP of one size and a shorter last one; ids that count and that do not, with DF and without.
            ident, df = r.randrange(1, 60000), r.random() < 0.5
            for k in range(r.randrange(2, 40)):
                found.append(udp(ends, ports, data(size), r, df=df, ident=ident + k * r.choice([1, 1, 3])))
            found.append(udp(ends, ports, data(max(1, size - 1)), r, df=df, ident=ident + 200))
        elif kind in (6, 7):  # ICMP, other protocols, UDP without a checksum or without data.
            for n in (0, 1, size):
                echo = struct.pack("!BBHHH", 128 if ends is six else 8, 0, 0, 9, n) + data(n)
                found.append(ip(ends, 58, upper(ends, 58, echo, 2), r) if ends is six else ip(ends, 1, echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:], r))
                found.append(ip(ends, 253, data(n + 1), r))
            if ends is four:
                found.append(ip(ends, 17, struct.pack("!HHHH", 5, 9, 8 + size, 0) + data(size), r))
            found.append(udp(ends, ports, b"", r))
        elif kind == 8:  # Fragments, in order and not, and a last one alone.
            whole = udp(ends, ports, data(2000), r)[20:]
            ident = r.randrange(1, 65536)
            parts = [(0, 800), (800, 1600), (1600, len(whole))]
            r.shuffle(parts)
            for start, end in parts:
                more = 0x2000 if end < len(whole) else 0
                found.append(ip(ends, 17, whole[start:end], r, df=False, ident=ident, fragment=more | start // 8))
        else:  # Extension headers: destination options, a fragment header, hop-by-hop options.
            options = lambda next: bytes([next, 0, 1, 4, 0, 0, 0, 0])
            datagram = udp(ends, ports, data(size), r)[40:]
            found.append(ip(ends, 60, options(17) + datagram, r))
            found.append(ip(ends, 0, options(60) + options(17) + datagram, r))
            head = struct.pack("!BBHI", 17, 0, 1, r.getrandbits(32))
            found.append(ip(ends, 44, head + datagram[: len(datagram) // 8 * 8] + b"", r))
    return found


# Routers count hops; where DF says that nothing is fragmented, ids mean nothing (RFC 6864).
def normal(packet):
    packet = bytearray(packet)
    if packet[0] >> 4 == 6:
        packet[7] = 0
        return bytes(packet[: 40 + struct.unpack("!H", packet[4:6])[0]])
    packet[8] = packet[10] = packet[11] = 0
    if packet[6] & 0x40:
        packet[4] = packet[5] = 0
    return bytes(packet[: struct.unpack("!H", packet[2:4])[0]])


def send(wanted):
    four = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    six.setsockopt(socket.IPPROTO_IPV6, IPV6_HDRINCL, 1)
    for n, packet in enumerate(wanted):
        if packet[0] >> 4 == 4:
            four.sendto(packet, (socket.inet_ntop(socket.AF_INET, packet[16:20]), 0))
        else:
            six.sendto(packet, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0, 0, 0))
        if n % 64 == 63:
            time.sleep(0.005)


def capture(wanted, sources):
    left = {}
    for packet in wanted:
        key = normal(packet)
        left[key] = left.get(key, 0) + 1
    unexpected = []
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
    print("ready", flush=True)
    end = time.time() + PATIENCE
    quiet = end
    while time.time() < min(end, quiet):
        s.settimeout(max(0.01, min(end, quiet) - time.time()))
        try:
            packet, where = s.recvfrom(65536)
        except socket.timeout:
            break
        if where[2] == OUTGOING or len(packet) < 20:
            continue
        source = packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]
        if source not in sources or (len(source) == 16 and packet[6] == 58 and packet[40] >= 133):
            continue
        at = 40 if packet[0] >> 4 == 6 else 20
        if packet[at + 2 : at + 4] == ECHO:
            continue
        key = normal(packet)
        if left.get(key, 0) > 0:
            left[key] -= 1
            if left[key] == 0:
                del left[key]
        else:
            unexpected.append(key.hex())
        if not left:
            # Nothing more may come.
            quiet = min(quiet, time.time() + 0.3)
    missing = [key.hex() for key, count in left.items() for _ in range(count)]
    print(json.dumps({"sent": len(wanted), "missing": missing, "unexpected": unexpected}), flush=True)


SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM = 0x17


def single(device):
    value = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", device.encode(), value.buffer_info()[0]) + bytes(16)
    fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), SIOCETHTOOL, request)


if sys.argv[1] == "single":
    single(sys.argv[2])
    sys.exit()
what, seed, *ends = sys.argv[1:]
wanted = packets(int(seed), *ends)
if what == "send":
    send(wanted)
else:
    capture(wanted, [address(ends[0]), address(ends[2])])
