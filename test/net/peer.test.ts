// Who is at the other end of a unix socket, asked of the kernel about real processes.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Peer, peerOf } from '../../src/net/peer.ts';

const root = process.getuid?.() === 0 ? false : 'not root';

/** A socket that everybody may open, and who comes to it, one after the other. */
async function door(t: TestContext): Promise<{ readonly path: string; next(): Promise<Peer> }> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-'));
  chmodSync(folder, 0o755);
  const path = join(folder, 'door.sock');
  const peers: Peer[] = [];
  let knock = () => {};
  const server = createServer((socket) => {
    peers.push(peerOf(socket));
    knock();
    socket.destroy();
  });
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  await new Promise<void>((resolve) => server.listen({ path, writableAll: true }, resolve));
  const next = async (): Promise<Peer> => {
    for (;;) {
      const peer = peers.shift();
      if (peer) return peer;
      await new Promise<void>((resolve) => {
        knock = resolve;
      });
    }
  };
  return { path, next };
}

const KNOCK = `require('node:net').connect(process.argv[1]).on('close', () => process.exit())`;

/** As another user: its pid. */
function knock(path: string, who: readonly string[]): number | undefined {
  const args = [...who, process.execPath, '-e', KNOCK, path];
  return spawn('setpriv', args, { stdio: ['ignore', 'inherit', 'inherit'] }).pid;
}

test('a client of our own is ourselves', async (t) => {
  const { path, next } = await door(t);
  const client = connect(path);
  const peer = await next();
  client.destroy();
  const [, groups = ''] = /^Groups:\t(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  assert.deepEqual(peer, {
    uid: process.getuid?.(),
    gid: process.getgid?.(),
    pid: process.pid,
    groups: groups.split(' ').filter(Boolean).map(Number),
  });
});

test('another user is told with its group and all of its supplementary groups', { skip: root }, async (t) => {
  const { path, next } = await door(t);
  const few = knock(path, ['--reuid', '4711', '--regid', '4712', '--groups', '4713,4714']);
  assert.deepEqual(await next(), { uid: 4711, gid: 4712, pid: few, groups: [4713, 4714] });
  const none = knock(path, ['--reuid', '4294967294', '--regid', '4294967293', '--clear-groups']);
  assert.deepEqual(await next(), { uid: 4294967294, gid: 4294967293, pid: none, groups: [] });
  const groups = Array.from({ length: 1000 }, (_, i) => 5000 + i);
  const many = knock(path, ['--reuid', '4711', '--regid', '4712', '--groups', groups.join(',')]);
  assert.deepEqual(await next(), { uid: 4711, gid: 4712, pid: many, groups });
});

test('a socket that is closed or never was open is an error', () => {
  assert.throws(() => peerOf(new Socket()), /without a descriptor/);
});
