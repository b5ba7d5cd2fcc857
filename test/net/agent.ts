// Runs inside a network namespace with the real sockets, TUN and routes, at the word of the test: one JSON request per
// line in, one JSON answer or event per line out.

import { createInterface } from 'node:readline';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { formatSocketAddress, type Prefix, parsePrefix, type SocketAddress } from '../../src/bytes/ip.ts';
import { SOURCE, USE_ALL } from '../../src/esp/layout.ts';
import { EBUSY, SystemError } from '../../src/net/error.ts';
import { addon, Path } from '../../src/net/native.ts';
import { Nfnl } from '../../src/net/nfnl.ts';
import { openRaw, type RawSockets } from '../../src/net/raw.ts';
import { openHost, openRoutes } from '../../src/net/route.ts';
import { openTun } from '../../src/net/tun.ts';
import type { Routes, Tun, UdpPort } from '../../src/net/types.ts';
import { openGroup, openUdp } from '../../src/net/udp.ts';
import { Ends } from './ends.ts';

export interface Request {
  readonly id: number;
  readonly op: string;
  readonly text: Readonly<Record<string, string>>;
  readonly number: Readonly<Record<string, number>>;
}

export type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly syscall: string; readonly hint: string } }
  | { readonly on: string; readonly hex: string; readonly from: string; readonly to: string };

let udp: UdpPort | undefined;
let raw: RawSockets | undefined;
let tun: Tun | undefined;
let routes: Routes | undefined;

const ends = new Ends((on, bytes, from, to) => say({ on, hex: bytes, from, to }));

function say(reply: Reply): void {
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

function listen(port: UdpPort): number {
  port.onReceive = (bytes, from, to) =>
    say({ on: 'udp', hex: hex(bytes), from: formatSocketAddress(from), to: formatSocketAddress(to) });
  udp = port;
  return port.port;
}

/** Where the descriptors of one worker alone are wanted. */
const SINGLE = { workers: 1, uses: USE_ALL } as const;

function run({ op, text, number }: Request): unknown {
  const word = (name: string) => present(text[name]);
  const prefix = () => present(parsePrefix(word('prefix')));
  const end = (name: string): SocketAddress => ({ ip: word(name), port: number[`${name}Port`] ?? 0 });
  const marked = number.mark === undefined ? {} : { mark: number.mark };
  switch (op) {
    case 'udp':
      return listen(openUdp(number.port ?? 0, marked));
    case 'group': {
      const group = openGroup(number.port ?? 0, { ...marked, ...SINGLE });
      ends.use(SOURCE.UDP4, group.v4[0] ?? -1);
      ends.use(SOURCE.UDP6, group.v6?.[0] ?? -1);
      return listen(group.main);
    }
    case 'udp-send':
      return present(udp).send(unhex(word('hex')), end('from'), end('to')) === 0;
    case 'udp-close':
      return present(udp).close();
    case 'raw':
      raw = openRaw({ ...marked, workers: 1 });
      ends.use(SOURCE.ESP4, raw.esp4[0] ?? -1);
      ends.use(SOURCE.ESP6, raw.esp6?.[0] ?? -1);
      return undefined;
    case 'raw-send': {
      const path = new Path(word('to').includes(':') ? 6 : 4);
      path.set(word('from'), { ip: word('to'), port: 0 });
      const [fd] = present(path.version === 4 ? present(raw).esp4 : present(raw).esp6);
      return addon().send(present(fd), unhex(word('hex')), path.bytes) >= 0;
    }
    case 'tun': {
      const opened = openTun(word('name'), { mtu: present(number.mtu), ...SINGLE, uses: number.uses ?? USE_ALL });
      ends.use(SOURCE.TUN, present(opened.queues[0]), opened.uses);
      tun = opened;
      return { name: opened.name, index: opened.index };
    }
    case 'tun-write':
      return ends.inject(unhex(word('hex')));
    case 'tun-close':
      ends.use(SOURCE.TUN, -1);
      return present(tun).close();
    case 'routes':
      routes = openRoutes(present(tun), {
        mark: present(number.mark),
        nftables: text.guards !== 'rules',
        onNews: ({ kind }) => say({ on: 'guards', hex: '', from: kind, to: '' }),
      });
      return undefined;
    case 'route':
      return present(routes).add(prefix(), text.source, number.mtu ?? 1400, number.serves === 1);
    case 'unroute':
      return present(routes).remove(prefix(), number.serves === 1);
    case 'guard':
      return present(routes).guard(prefix());
    case 'unguard':
      return present(routes).unguard(prefix());
    case 'guard-many':
      for (let i = 0; i < present(number.count); i++) present(routes).guard(nth(prefix(), i));
      return undefined;
    case 'guard-together':
      return together(word('all').split(' '), word('some').split(' '), number.refused ?? 0);
    case 'exempt':
      return present(routes).exempt(prefix());
    case 'unexempt':
      return present(routes).unexempt(prefix());
    case 'routes-close':
      return present(routes).close();
    case 'source':
      return openHost(marked).sourceFor(word('ip'));
    case 'link':
      return openHost(marked).linkTo(word('ip'));
    case 'addresses':
      return openHost().addresses();
    default:
      throw new Error(`no operation ${op}`);
  }
}

/** How many transactions that took, the first `refused` of which the kernel is said to have refused. */
function together(all: readonly string[], some: readonly string[], refused: number): number {
  const { commit } = Nfnl.prototype;
  let commits = 0;
  Nfnl.prototype.commit = function (requests) {
    if (++commits <= refused) throw new SystemError('NFT_MSG_NEWSETELEM', EBUSY);
    commit.call(this, requests);
  };
  const prefixes = (list: readonly string[]) => list.map((text) => present(parsePrefix(text)));
  try {
    present(routes).together(prefixes(all), () => {
      for (const prefix of prefixes(some)) present(routes).guard(prefix);
    });
  } finally {
    Nfnl.prototype.commit = commit;
  }
  return commits;
}

/** The prefix of the same length that comes so many after this one; whole bytes only. */
function nth({ address, length }: Prefix, count: number): Prefix {
  const next = address.slice();
  for (let i = length / 8 - 1, carry = count; carry > 0; carry >>= 8) {
    carry += next[i] as number;
    next[i--] = carry;
  }
  return { address: next, length };
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('something is missing in the request');
  return value;
}

function answer(request: Request): Reply {
  const { id } = request;
  try {
    return { id, result: run(request) ?? null };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return { id, error: { code: error.code, syscall: error.syscall, hint: error.hint } };
  }
}

process.on('uncaughtException', (error) => {
  say({ on: 'uncaught', hex: '', from: error.message, to: '' });
});
createInterface(process.stdin).on('line', (line) => say(answer(JSON.parse(line))));
process.stdin.on('end', () => process.exit(0));
