// Tests whose bodies run in a process of their own, in a network namespace of their own: there they may open devices and
// ports as they like. The file runs itself again, with the test's name as its argument.

import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** `url` is the calling file's. */
export async function inside(url: string, bodies: Readonly<Record<string, () => void | Promise<void>>>): Promise<void> {
  const wanted = process.argv[2];
  if (wanted !== undefined) {
    command('ip', 'link', 'set', 'lo', 'up');
    await bodies[wanted]?.();
    // Whatever is still open goes with the process.
    process.exit(0);
  }
  const { inSpaces, unable } = await import('./space.ts');
  for (const name of Object.keys(bodies)) {
    test(name, { skip: unable(), timeout: 60_000 }, () =>
      inSpaces(1, async (space) => space.node(fileURLToPath(url), name)),
    );
  }
}

/** A sanitizer's runtime is for this process alone. */
const { LD_PRELOAD: _, ...ENV } = process.env;

export function command(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', env: ENV });
}

/** Sends one UDP datagram that the kernel is to cut into such of `segment` bytes (UDP_SEGMENT, udp(7)). */
export function sendTrain(bytes: string, segment: number, to: string, port: number, from = ''): void {
  const family = to.includes(':') ? 'AF_INET6' : 'AF_INET';
  const code = `
import socket
s = socket.socket(socket.${family}, socket.SOCK_DGRAM)
s.setsockopt(17, 103, ${segment})
s.bind((${JSON.stringify(from)}, 0))
s.sendto(bytes.fromhex("${bytes}"), (${JSON.stringify(to)}, ${port}))`;
  command('python3', '-c', code);
}
