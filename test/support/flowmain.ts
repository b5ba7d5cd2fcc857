// One end of a flow (see flow.ts): flowmain.js OWN PEER PORT RATE SIZE. Obeys the lines go, stop, expect N.

import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

const [own = '', peer = '', ...numbers] = process.argv.slice(2);
const [port = 0, rate = 100, size = 200] = numbers.map(Number);
const socket = createSocket(own.includes(':') ? 'udp6' : 'udp4');
const seen = new Map<number, number>();
const SPARE = 2000;

let started = 0;
let sent = 0;
let sending: NodeJS.Timeout | undefined;
let highest = -1;
let duplicated = 0;
let reordered = 0;
let gap = 0;
let lastArrival = 0;
let ended: number | undefined;

socket.on('message', (packet) => {
  const now = performance.now();
  const seq = packet.readUInt32BE(0);
  if (seen.size === 0) console.log('arriving');
  else gap = Math.max(gap, now - lastArrival);
  lastArrival = now;
  const times = seen.get(seq) ?? 0;
  seen.set(seq, times + 1);
  if (times > 0) duplicated++;
  else if (seq < highest) reordered++;
  highest = Math.max(highest, seq);
});

createInterface(process.stdin)
  .on('line', (line) => {
    if (line === 'go') go();
    if (line === 'stop') stop();
    if (line.startsWith('expect ')) expect(Number(line.slice(7)));
  })
  .on('close', () => process.exit(0));

socket.bind(port, own, () => {
  socket.setRecvBufferSize(1 << 20);
  console.log('bound');
});

function go(): void {
  started = performance.now();
  sending = setInterval(() => {
    const due = Math.floor(((performance.now() - started) * rate) / 1000);
    while (sent < due) {
      const packet = Buffer.alloc(size);
      packet.writeUInt32BE(sent++, 0);
      // No route, no buffer: the packet is lost, as packets are; the tally shows it.
      socket.send(packet, port, peer, () => {});
    }
  }, 2);
}

function stop(): void {
  clearInterval(sending);
  console.log(`sent ${sent}`);
}

/** Reports once all that was sent has come, or nothing more does. */
function expect(count: number): void {
  ended ??= performance.now();
  if (seen.size < count && performance.now() - Math.max(lastArrival, ended) < SPARE) {
    setTimeout(expect, 20, count);
    return;
  }
  const missing: { first: number; last: number; at: number }[] = [];
  for (let seq = 0; seq < count; seq++) {
    if (seen.has(seq)) continue;
    const range = missing.at(-1);
    if (range?.last === seq - 1) range.last = seq;
    else missing.push({ first: seq, last: seq, at: Math.round((seq * 1000) / rate) });
  }
  const lost = missing.reduce((total, { first, last }) => total + last - first + 1, 0);
  const tally = { sent: count, received: seen.size, lost, duplicated, reordered, gap: Math.round(gap), missing };
  console.log(`report ${JSON.stringify(tally)}`);
  socket.close();
  setTimeout(() => process.exit(0), 50);
}
