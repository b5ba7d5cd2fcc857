// ipsec.conf from a text, as tests want it: what it makes, what it warns of, what is wrong with it.

import assert from 'node:assert/strict';
import { ConfigError, Findings, formatWarning } from '../../../src/config/error.ts';
import type { Files } from '../../../src/config/files.ts';
import { readIpsecConf } from '../../../src/config/ipsec/conf.ts';
import { type IpsecSecrets, readIpsecSecrets } from '../../../src/config/ipsec/secrets.ts';
import type { Child, Connection } from '../../../src/ike/connection.ts';

export interface Read {
  readonly connections: readonly Connection[];
  readonly warnings: readonly string[];
}

export interface ReadOptions {
  /** Addresses of the host. */
  readonly own?: readonly string[];
  readonly files?: Files;
}

export function read(text: string, { own = [], files }: ReadOptions = {}): Read {
  const findings = new Findings();
  const connections = readIpsecConf([{ path: 'ipsec.conf', text }], (ip) => own.includes(ip), findings, files);
  return { connections, warnings: findings.done().map(formatWarning) };
}

/** The only connection. */
export function one(text: string, options?: ReadOptions): Connection {
  const { connections } = read(text, options);
  assert.equal(connections.length, 1);
  return connections[0] as Connection;
}

/** One that is right, with these settings besides. */
export function conn(...settings: readonly string[]): Connection {
  return one(`conn c\n  authby=psk\n  auto=add\n${settings.map((setting) => `  ${setting}\n`).join('')}`);
}

export function onlyChild({ children }: Connection): Child {
  assert.equal(children.length, 1);
  return children[0] as Child;
}

export function readSecrets(text: string, files?: Files): IpsecSecrets & { readonly warnings: readonly string[] } {
  const findings = new Findings();
  const { keys, held } = readIpsecSecrets([{ path: 'ipsec.secrets', text }], findings, files);
  return { keys, held, warnings: findings.done().map(formatWarning) };
}

/** Everything that is wrong, as it is printed. */
export function mistakes(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.errors.map(({ message }) => message);
  }
  return assert.fail('nothing was wrong');
}

/** Files by name, `*` at the end of a pattern. */
export function inMemory(files: Readonly<Record<string, string>>): Files {
  return {
    match: (pattern) => {
      const [start = '', end] = pattern.split('*');
      return Object.keys(files).filter((name) =>
        end === undefined ? name === pattern : name.startsWith(start) && name.endsWith(end),
      );
    },
    read: (name) => files[name] ?? assert.fail(name),
  };
}
