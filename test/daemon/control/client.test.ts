import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { unhex } from '../../../src/bytes/bytes.ts';
import { Client, ControlError, type ControlFault } from '../../../src/daemon/control/client.ts';
import { section } from '../../../src/daemon/control/section.ts';
import { encodePacket } from '../../../src/daemon/control/vici.ts';
import { folder, line, OK, stage } from './fake.ts';

function fault(code: ControlFault) {
  return (error: unknown) => error instanceof ControlError && error.code === code;
}

/** A daemon that meets each client with `meet`. */
async function daemon(t: TestContext, meet: (socket: Socket) => void): Promise<Client> {
  const path = join(folder(t), 'vici.sock');
  const server = createServer((socket) => {
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    meet(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  const client = await Client.connect(`unix://${path}`);
  t.after(() => client.close());
  return client;
}

test('a daemon that is not there is told from an address that is none', async (t) => {
  await assert.rejects(Client.connect(`unix://${folder(t)}/vici.sock`), fault('unreachable'));
  await assert.rejects(Client.connect('vici.sock'), fault('bad-uri'));
});

test('requests made at once are answered one after the other', async (t) => {
  const { client, gateway } = await stage(t);
  gateway.initiating = async ({ child }) => ({ ok: false, reason: { code: 'internal', text: `no ${child}` } });
  const one = await client();
  const asked = ['a', 'b', 'c'].map((child) => one.request('initiate', section(['child', child])));
  const replies = await Promise.all(asked);
  assert.deepEqual(
    replies.map((reply) => reply.get('errmsg')),
    ['no a', 'no b', 'no c'],
  );
});

test('after a stream its events come no more', async (t) => {
  const { client, gateway, server } = await stage(t);
  gateway.initiating = async (_, tell) => {
    tell(line('once'));
    return { ok: true, reason: OK };
  };
  const one = await client();
  let seen = 0;
  await one.stream('initiate', 'control-log', section(['child', 'net']), () => seen++);
  server.raise('control-log', () => new Map());
  await one.request('initiate', section(['child', 'net']));
  assert.equal(seen, 1);
});

test('a daemon that does not answer in time is given up, with all that waits for it', async (t) => {
  const client = await daemon(t, () => {});
  const late = client.request('version', new Map(), { timeout: 20 });
  const behind = client.request('version');
  await assert.rejects(late, fault('timeout'));
  await assert.rejects(behind, fault('timeout'));
});

test('a daemon that hangs up, or does not speak vici, fails the request', async (t) => {
  const gone = await daemon(t, (socket) => socket.once('data', () => socket.end()));
  await assert.rejects(gone.request('version'), fault('closed'));
  await assert.rejects(gone.request('version'), fault('closed'));
  const other = await daemon(t, (socket) => void socket.write('SSH-2.0-OpenSSH_9.2\r\n'));
  await assert.rejects(other.request('version'), fault('malformed'));
  const eager = await daemon(t, (socket) => void socket.write(encodePacket({ type: 'confirm' })));
  await assert.rejects(eager.request('version'), (error) => error instanceof ControlError);
  const broken = await daemon(t, (socket) => socket.once('data', () => socket.write(unhex('00000002 01 02'))));
  await assert.rejects(broken.request('version'), fault('malformed'));
});
