// A socket that can be given something to read.

import assert from 'node:assert/strict';
import { addon } from '../../src/net/native.ts';

export function readable(): { fd: number; drain: () => void; fill: () => void } {
  const native = addon();
  const fd = native.udpOpen(4, 0, 0);
  const port = native.udpPort(fd);
  const path = new Uint8Array(36);
  path.set([4, 0, port >> 8, port]);
  path.set([127, 0, 0, 1], 20);
  return {
    fd,
    fill: () => assert.equal(native.send(fd, Uint8Array.of(1), path), 1),
    drain: () => assert.equal(native.udpReceive(fd, new Uint8Array(9), path.slice()), 1),
  };
}
