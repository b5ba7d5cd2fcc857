// A name server that knows what a file says: `dnsmain.js ADDRESS FILE`. The file is read again for each question; its lines
// are `NAME ADDRESS…`, `NAME` alone for a name without addresses, or `NAME silent` and `NAME fails`.

import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { parseIp } from '../../src/bytes/ip.ts';

const [address = '', file = ''] = process.argv.slice(2);
const TYPES = new Map([
  [1, 4],
  [28, 16],
]);
const RCODE = { NONE: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const;

const server = createSocket('udp4');
server.on('message', (query, from) => {
  const { name, type, end } = question(query);
  const known = new Map(
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .map(([first = '', ...rest]) => [first, rest]),
  ).get(name);
  if (known?.includes('silent')) return;
  const size = TYPES.get(type);
  const found = (known ?? []).map(parseIp).filter((ip) => ip !== undefined && ip.length === size);
  const code = known === undefined ? RCODE.NXDOMAIN : known.includes('fails') ? RCODE.SERVFAIL : RCODE.NONE;
  const answers = found.map((ip) => Buffer.concat([record(type, ip?.length ?? 0), ip ?? Buffer.alloc(0)]));
  const head = Buffer.from([0, 0, 0x84, 0x80 | code, 0, 1, 0, answers.length, 0, 0, 0, 0]);
  query.copy(head, 0, 0, 2);
  server.send(Buffer.concat([head, query.subarray(12, end), ...answers]), from.port, from.address);
});
server.bind(53, address, () => console.log('listening'));

/** RFC 1035 §4.1.2, without compression, as questions are. */
function question(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let size = query[at] ?? 0; size > 0; size = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + size).toLowerCase());
    at += 1 + size;
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** Of the name that was asked for, for a minute. */
function record(type: number, length: number): Buffer {
  return Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, length]);
}
