// A socket that can be given something to read.

import assert from 'node:assert/strict';
import { addon, Path } from '../../src/net/native.ts';

/** From and to the loopback address. */
export function looped(port: number): Path {
  const path = new Path(4);
  path.set('127.0.0.1', { ip: '127.0.0.1', port });
  return path;
}

export function readable(): { fd: number; drain: () => void; fill: () => void } {
  const native = addon();
  const fd = native.udpOpen(4, 0, 0);
  const port = native.udpPort(fd);
  const { bytes: path } = looped(port);
  return {
    fd,
    fill: () => assert.equal(native.send(fd, Uint8Array.of(1), path), 1),
    drain: () => assert.equal(native.udpReceive(fd, new Uint8Array(9), path.slice()), 1),
  };
}
