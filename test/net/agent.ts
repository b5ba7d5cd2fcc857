// Runs inside a network namespace with the real sockets, TUN and routes, at the word of the test: one JSON request per
// line in, one JSON answer or event per line out.

import { createInterface } from 'node:readline';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { formatSocketAddress, parsePrefix, type SocketAddress } from '../../src/bytes/ip.ts';
import { SystemError } from '../../src/net/error.ts';
import { openRawEsp } from '../../src/net/raw.ts';
import { openHost, openRoutes } from '../../src/net/route.ts';
import { openTun } from '../../src/net/tun.ts';
import type { RawEsp, Routes, Tun, UdpPort } from '../../src/net/types.ts';
import { openUdp } from '../../src/net/udp.ts';

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
let raw: RawEsp | undefined;
let tun: Tun | undefined;
let routes: Routes | undefined;

function say(reply: Reply): void {
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

function run({ op, text, number }: Request): unknown {
  const word = (name: string) => present(text[name]);
  const prefix = () => present(parsePrefix(word('prefix')));
  const end = (name: string): SocketAddress => ({ ip: word(name), port: number[`${name}Port`] ?? 0 });
  const marked = number.mark === undefined ? {} : { mark: number.mark };
  switch (op) {
    case 'udp': {
      const port = openUdp(number.port ?? 0, marked);
      port.onReceive = (bytes, from, to) =>
        say({ on: 'udp', hex: hex(bytes), from: formatSocketAddress(from), to: formatSocketAddress(to) });
      udp = port;
      return port.port;
    }
    case 'udp-send':
      return present(udp).send(unhex(word('hex')), end('from'), end('to'));
    case 'udp-close':
      return present(udp).close();
    case 'raw': {
      const opened = openRawEsp(marked);
      opened.onReceive = (bytes, from, to) => say({ on: 'raw', hex: hex(bytes), from, to });
      raw = opened;
      return undefined;
    }
    case 'raw-send':
      return present(raw).send(unhex(word('hex')), word('from'), word('to'));
    case 'tun': {
      const opened = openTun(word('name'), { mtu: present(number.mtu) });
      opened.onPacket = (packet) => say({ on: 'tun', hex: hex(packet), from: '', to: '' });
      tun = opened;
      return { name: opened.name, index: opened.index };
    }
    case 'tun-write':
      return present(tun).write(unhex(word('hex')));
    case 'tun-close':
      return present(tun).close();
    case 'routes':
      routes = openRoutes(present(tun), { mark: present(number.mark) });
      return undefined;
    case 'route':
      return present(routes).add(prefix(), text.source);
    case 'unroute':
      return present(routes).remove(prefix());
    case 'guard':
      return present(routes).guard(prefix());
    case 'unguard':
      return present(routes).unguard(prefix());
    case 'exempt':
      return present(routes).exempt(prefix());
    case 'unexempt':
      return present(routes).unexempt(prefix());
    case 'routes-close':
      return present(routes).close();
    case 'source':
      return openHost(marked).sourceFor(word('ip'));
    case 'addresses':
      return openHost().addresses();
    default:
      throw new Error(`no operation ${op}`);
  }
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
