// A search for keys and secrets in whatever was written: in every spelling.

import { hex } from '../../src/bytes/bytes.ts';
import type { Host } from './gateways.ts';

/** Every way in which bytes may be written. */
export function spellings(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes);
  const base64 = buffer.toString('base64').replace(/=+$/, '');
  const json = JSON.stringify([...bytes]).slice(1, -1);
  // As JSON prints a typed array: `"0":17,"1":4`.
  const indexed = JSON.stringify(bytes).slice(1, -1);
  return [
    buffer.toString('latin1'),
    buffer.toString('utf8'),
    hex(bytes),
    hex(bytes).toUpperCase(),
    base64,
    buffer.toString('base64url'),
    json,
    json.replaceAll(',', ', '),
    indexed,
    [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
    [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
  ];
}

/** Keys and secrets, and what of them stands in a text. */
export class Watch {
  readonly #keys = new Map<string, Uint8Array>();

  /** The keys that a host's sessions have now; they are wiped when a session ends. */
  look(...hosts: readonly Host[]): void {
    for (const { gateway } of hosts) {
      for (const { id, keys } of gateway.endpoint.export()) {
        for (const [name, key] of Object.entries<Uint8Array>({ ...keys })) this.add(`${id} ${name}`, key);
      }
    }
  }

  add(name: string, key: Uint8Array): void {
    if (key.length >= 16) this.#keys.set(`${name} ${hex(key)}`, key.slice());
  }

  get size(): number {
    return this.#keys.size;
  }

  hits(text: string): string[] {
    return [...this.#keys].flatMap(([name, key]) =>
      spellings(key).flatMap((spelling) => (text.includes(spelling) ? [`${name}: ${spelling}`] : [])),
    );
  }
}
