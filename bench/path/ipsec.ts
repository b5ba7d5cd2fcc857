// Espalier, or strongSwan with its ESP in user space (kernel-libipsec), on both gateways.

import { Client } from '../../src/daemon/control/client.ts';
import { section, text } from '../../src/daemon/control/section.ts';
import { Espalier } from '../../test/support/espalier.ts';
import { StrongSwan } from '../../test/support/strongswan.ts';
import { BUSY, configuration, type Layout, others } from './conf.ts';
import { type Bed, pidOf, type Start, type Tunnel } from './tunnel.ts';

export interface Variant {
  /** Further options of the daemon. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** IKE SAs that are set up at the same time, where there are many. */
const PARALLEL = 8;
const PATIENCE = 600_000;

/** charon takes AES-GCM from the first plugin that has it: aesni is the fastest. */
const PLUGINS =
  'aesni aes sha2 sha1 random nonce openssl curve25519 chapoly hmac kdf gcm pem ' +
  'kernel-libipsec kernel-netlink socket-default vici';

export function espalier(layout: Layout, variant: Variant): Start {
  return async ({ topology, gwa, gwb }) => {
    const options = { ...variant, tun: 'esp0' };
    const a = await Espalier.start(topology, gwa, { ...options, conf: configuration(layout, 'a') });
    const b = await Espalier.start(topology, gwb, { ...options, conf: configuration(layout, 'b') });
    return established(layout, a, b);
  };
}

export function libipsec(layout: Layout): Start {
  return async ({ topology, gwa, gwb }: Bed) => {
    const a = await StrongSwan.start(topology, gwa, { plugins: PLUGINS, conf: configuration(layout, 'a') });
    const b = await StrongSwan.start(topology, gwb, { plugins: PLUGINS, conf: configuration(layout, 'b') });
    return established(layout, a, b);
  };
}

type Gateway = Espalier | StrongSwan;

async function established(layout: Layout, a: Gateway, b: Gateway): Promise<Tunnel> {
  const client = await Client.connect(a.control);
  const log = async () => [await a.log(), await b.log()].map((one) => one.split('\n').slice(-20).join('\n')).join('\n');
  try {
    await ask(client, 'initiate', ['ike', BUSY], ['child', 'net']);
    await establish(a.control, others(layout));
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${await log()}`);
  }
  return {
    pids: [pidOf(a), pidOf(b)],
    rekey: () => ask(client, 'rekey', ['ike', BUSY], ['child', 'net']),
    log,
  };
}

/** Until what was compiled and collected on the way is at rest, in milliseconds. */
const SETTLE = 2000;

/** A connection with all its children at each turn; a client waits for its answer, so several are at it. */
async function establish(control: string, connections: readonly string[]): Promise<void> {
  const waiting = [...connections];
  const lane = async (client: Client) => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      await ask(client, 'initiate', ['ike', name]);
    }
    client.close();
  };
  const lanes: Promise<void>[] = [];
  for (let i = 0; i < Math.min(PARALLEL, connections.length); i++) lanes.push(lane(await Client.connect(control)));
  await Promise.all(lanes);
  if (connections.length > 0) await new Promise((resolve) => setTimeout(resolve, SETTLE));
}

async function ask(client: Client, command: string, ...what: readonly [string, string][]): Promise<void> {
  const reply = await client.request(command, section(...what, ['timeout', PATIENCE], ['loglevel', -1]));
  if (text(reply, 'success') !== 'yes') throw new Error(`${command} ${what.join(' ')}: ${text(reply, 'errmsg')}`);
}
