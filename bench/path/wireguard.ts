// wireguard-go, of Debian or another: configured through its socket, as `wg` does (its cross-platform interface).

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { x25519 } from '@noble/curves/ed25519.js';
import { type Space, type Topology, until } from '../../test/support/netns.ts';
import { A, B } from '../../test/support/sites.ts';
import { type Bed, MTU, pidOf, type Start, type Tunnel } from './tunnel.ts';

const DEV = 'wg0';
const PORT = 51_820;

interface End {
  readonly space: Space;
  readonly outside: string;
  readonly net: string;
  readonly secret: Uint8Array;
}

export function wireguard(program: string): Start {
  return async ({ topology, gwa, gwb }: Bed): Promise<Tunnel> => {
    const a: End = { space: gwa, outside: A.outside, net: A.net, secret: randomBytes(32) };
    const b: End = { space: gwb, outside: B.outside, net: B.net, secret: randomBytes(32) };
    return { pids: [await start(topology, program, a, b), await start(topology, program, b, a)] };
  };
}

/** Its socket's place is compiled in: /var/run/wireguard, which is in /run. */
async function start(topology: Topology, program: string, own: End, peer: End): Promise<number> {
  const folder = topology.folder();
  mkdirSync(join(folder, 'wireguard'));
  const daemon = own.space.spawn(
    'unshare',
    ['-m', 'sh', '-c', `mount --bind "$0" /run && exec "$1" -f ${DEV}`, folder, program],
    { stdio: 'ignore', env: { ...process.env, LOG_LEVEL: 'error' } },
  );
  const socket = join(folder, 'wireguard', `${DEV}.sock`);
  const lines = [
    'set=1',
    `private_key=${hex(own.secret)}`,
    `listen_port=${PORT}`,
    `public_key=${hex(x25519.getPublicKey(peer.secret))}`,
    `endpoint=${peer.outside}:${PORT}`,
    `allowed_ip=${peer.net}`,
  ];
  await until('wireguard-go takes its configuration', () => ask(socket, `${lines.join('\n')}\n\n`));
  await own.space.ip('link', 'set', DEV, 'mtu', `${MTU}`, 'up');
  await own.space.ip('route', 'replace', peer.net, 'dev', DEV);
  return pidOf(daemon);
}

/** True once it has been understood; undefined while nobody listens. */
function ask(socket: string, request: string): Promise<true | undefined> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    let answer = '';
    connection.once('error', () => resolve(undefined));
    connection.once('connect', () => connection.write(request));
    connection.on('data', (chunk) => {
      answer += chunk;
      if (!answer.endsWith('\n\n')) return;
      connection.destroy();
      if (answer.includes('errno=0')) resolve(true);
      else reject(new Error(`wireguard-go refuses its configuration: ${answer}`));
    });
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
