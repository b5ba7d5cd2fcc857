// One end of an echo (see echo.ts): `echomain.js answer PORT`, or `echomain.js ask`, which obeys lines and says what has
// become of each.

import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { createConnection, createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** How long a datagram has to come back before it is sent again: each time it may only teach one more path MTU. */
const ROUNDS = [50, 100, 200, 400, 2000];
const STREAM = 20_000;
const CHUNK = 10_007;

const [role, port] = process.argv.slice(2);
if (role === 'answer') answer(Number(port));
else ask();

function answer(port: number): void {
  const tcp = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  const udp = createSocket('udp6');
  udp.on('message', (bytes, from) => udp.send(bytes, from.port, from.address, () => {}));
  udp.bind(port, '::', () => tcp.listen(port, '::', () => console.log('listening')));
}

function ask(): void {
  createInterface(process.stdin)
    .on('line', (line) => {
      const [id = '', what = '', address = '', port = '', numbers = ''] = line.split(' ');
      const list = numbers.split(',').map(Number);
      const work =
        what === 'stream' ? stream(address, Number(port), list[0] ?? 0) : datagrams(address, Number(port), list);
      work.then((outcome) => console.log(`${id} ${outcome}`));
    })
    .on('close', () => process.exit(0));
}

function stream(address: string, port: number, bytes: number): Promise<string> {
  return new Promise((resolve) => {
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    let [out, back] = [0, 0];
    const socket = createConnection({ host: address, port });
    const end = (outcome: string) => {
      clearTimeout(clock);
      socket.destroy();
      resolve(outcome);
    };
    const clock = setTimeout(() => end(`${back} of ${bytes} bytes have come back, ${out} went out`), STREAM);
    const write = () => {
      while (out < bytes) {
        const chunk = randomBytes(Math.min(CHUNK, bytes - out));
        sent.update(chunk);
        out += chunk.length;
        if (!socket.write(chunk)) return;
      }
      socket.end();
    };
    socket.on('connect', write).on('drain', write);
    socket.on('data', (chunk) => {
      received.update(chunk);
      back += chunk.length;
    });
    socket.on('error', (error) => end(error.message));
    socket.on('end', () => {
      if (back !== bytes) end(`${back} of ${bytes} bytes have come back`);
      else end(sent.digest().equals(received.digest()) ? 'whole' : 'other bytes have come back than went');
    });
  });
}

async function datagrams(address: string, port: number, sizes: readonly number[]): Promise<string> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const open = new Map(sizes.map((size) => [size, randomBytes(size)]));
  let spoilt: number | undefined;
  let settle = () => {};
  socket.on('message', (bytes) => {
    const expected = open.get(bytes.length);
    if (expected && !expected.equals(bytes)) spoilt = bytes.length;
    open.delete(bytes.length);
    if (open.size === 0 || spoilt !== undefined) settle();
  });
  for (const patience of ROUNDS) {
    if (open.size === 0 || spoilt !== undefined) break;
    await new Promise<void>((resolve) => {
      const clock = setTimeout(resolve, patience);
      settle = () => {
        clearTimeout(clock);
        resolve();
      };
      for (const bytes of open.values()) send(socket, bytes, port, address);
    });
  }
  socket.close();
  if (spoilt !== undefined) return `a datagram of ${spoilt} bytes has come back otherwise`;
  return open.size === 0 ? 'whole' : `of these sizes nothing comes back: ${[...open.keys()].join(' ')}`;
}

/** What cannot be sent is lost, as packets are. */
function send(socket: Socket, bytes: Uint8Array, port: number, address: string): void {
  socket.send(bytes, port, address, () => {});
}
