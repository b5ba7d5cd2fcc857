# The process behind manager.ts: manager.py NAME. A socket for sd_notify(3), at a path or, where NAME begins with @, in the
# abstract namespace. Each message becomes a line of JSON.

import json
import socket
import sys

name = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("\0" + name[1:] if name.startswith("@") else name)
print(flush=True)
while True:
    print(json.dumps(listener.recv(4096).decode()), flush=True)
