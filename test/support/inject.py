# The process behind inject.ts: inject.py DEVICE [FRAME HEADER]. Puts packets on a device from below IP, as they are.
#
#   send HEX...                 each of them once; - is an empty one
#   flood RATE SECONDS HEX...   one after the other, so many a second, or as many as go when RATE is 0
#
# After each line it says how many it has sent, and in how many seconds.

import socket
import struct
import sys
import time

ETHERTYPE = {4: 0x0800, 6: 0x86DD}
ALL = 0x0003
# A flood looks at the clock once for so many packets.
STRIDE = 32

device = sys.argv[1]
header = bytes.fromhex(sys.argv[2]) if len(sys.argv) > 2 else None
kind = socket.SOCK_RAW if header else socket.SOCK_DGRAM
out = socket.socket(socket.AF_PACKET, kind, 0)
out.bind((device, 0))


def framed(packet):
    # What has no version is sent as IPv4.
    protocol = ETHERTYPE.get(packet[0] >> 4 if packet else 4, 0x0800)
    if header:
        return header + struct.pack("!H", protocol) + packet, None
    return packet, (device, protocol)


def send(frame, where):
    try:
        if where:
            out.sendto(frame, where)
        else:
            out.send(frame)
        return 1
    except OSError:
        # The device's queue is full, or the packet is none that it takes.
        return 0


def flood(rate, seconds, frames):
    sent = tried = 0
    begun = now = time.monotonic()
    while now < begun + seconds:
        for i in range(STRIDE):
            sent += send(*frames[(tried + i) % len(frames)])
        tried += STRIDE
        now = time.monotonic()
        ahead = tried / rate - (now - begun) if rate else 0
        if ahead > 0.001:
            time.sleep(ahead)
    return sent


print("ready", flush=True)
for line in sys.stdin:
    verb, *words = line.split()
    begun = time.monotonic()
    if verb == "send":
        count = sum(send(*framed(bytes.fromhex(word.strip("-")))) for word in words)
    else:
        rate, seconds, *packets = words
        count = flood(int(rate), float(seconds), [framed(bytes.fromhex(word)) for word in packets])
    print(count, "%.3f" % (time.monotonic() - begun), flush=True)
