// Reads configuration files and makes one configuration of them: the only file of this folder that touches the disk.
// Files of both languages may be given; a file's text says which it is. Everything loads, or nothing does and ConfigError
// says why.

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import type { Connection, Place, SharedKey } from '../ike/connection.ts';
import { ConfigError, type ConfigWarning, Findings, wholeFile } from './error.ts';
import type { SourceText } from './files.ts';
import { readIpsecConf } from './ipsec/conf.ts';
import { readIpsecSecrets } from './ipsec/secrets.ts';
import { languageOf } from './language.ts';
import { checkPermissions, type FileFacts, quoted, type Self } from './permissions.ts';
import { readSwanctl } from './swanctl.ts';

/** What is read where nobody names a file. */
export const DEFAULT_CONFIGS = ['/etc/espalier/ipsec.conf', '/etc/espalier/swanctl.conf'] as const;

export interface LoadOptions {
  /** Accept files with secrets that others may read, with a warning. */
  readonly loose?: boolean;
  /** Whose rights count; the process's own unless given. */
  readonly self?: Self;
  /** Root asks on behalf of a service: the group that root gave a folder to (setgid) may read what is in it. */
  readonly forService?: boolean;
  /** An ipsec.secrets; by default those that lie beside an ipsec.conf. */
  readonly secrets?: string;
  /** Tell which end of a conn is ours; by default those of this host. */
  readonly ownAddresses?: readonly string[];
}

export interface LoadedConfig {
  readonly connections: readonly Connection[];
  readonly secrets: readonly SharedKey[];
  readonly warnings: readonly ConfigWarning[];
  /** Every file that was read, included ones too. */
  readonly files: readonly string[];
}

const MAX_SIZE = 32 * 1024 * 1024;

export function loadConfig(paths: readonly string[], options: LoadOptions = {}): LoadedConfig {
  const disk = new Disk();
  const findings = new Findings();
  const read = (path: string): SourceText => ({ path, text: disk.read(path, wholeFile(path)) });
  const sources = paths.map(read);
  const inIpsec = sources.filter((source) => languageOf(source, disk) === 'ipsec.conf');
  const inSwanctl = sources.filter((source) => !inIpsec.includes(source));
  const swanctl = readSwanctl(inSwanctl, findings, disk);
  const ownAddresses = new Set(options.ownAddresses ?? addressesOfHost());
  const ipsec = readIpsecConf(inIpsec, (address) => ownAddresses.has(address), findings, disk);
  refuseTwins(swanctl.connections, ipsec, findings);
  const secrets = readIpsecSecrets(secretsFiles(inIpsec, options.secrets).map(read), findings, disk);
  const warnings = findings.done();
  const loose = checkHolders(new Map([...swanctl.secretFiles, ...secrets.held]), disk, options);
  return {
    connections: [...swanctl.connections, ...ipsec],
    secrets: [...swanctl.secrets, ...secrets.keys],
    warnings: [...warnings, ...loose],
    files: [...disk.facts.keys()],
  };
}

export function defaultConfigs(): readonly string[] {
  return DEFAULT_CONFIGS.filter((file) => existsSync(file));
}

/** Where secrets are kept apart: the file that was named, or the one beside each ipsec.conf, if it is there. */
function secretsFiles(confs: readonly SourceText[], named: string | undefined): readonly string[] {
  if (named !== undefined) return [named];
  const beside = confs.map(({ path }) => join(dirname(path), 'ipsec.secrets'));
  return [...new Set(beside)].filter((path) => existsSync(path));
}

/** In their shortest form. */
function addressesOfHost(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .map(({ address }) => address);
}

/** One name cannot mean two things to "up". */
function refuseTwins(swanctl: readonly Connection[], ipsec: readonly Connection[], findings: Findings): void {
  const names = new Map(swanctl.map((connection) => [connection.name, connection]));
  for (const { where, name } of ipsec.flatMap((connection) => [connection, ...connection.children])) {
    const twin = names.get(name)?.where.get('');
    const place = where.get('');
    if (!twin || !place) continue;
    names.delete(name);
    findings.error(place, `there is another connection "${name}" in ${twin.file}:${twin.line}`);
  }
}

/** Throws ConfigError, or returns it as a warning. */
function checkHolders(holders: ReadonlyMap<string, Place>, disk: Disk, options: LoadOptions): ConfigWarning[] {
  const self = options.self ?? { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const loose: ConfigWarning[] = [];
  for (const [file, place] of holders) {
    const facts = disk.facts.get(file);
    if (!facts) throw new Error(`${file} was not read`);
    const error = trouble(() =>
      checkPermissions(file, facts, options.forService ? inService(file, self) : self, place),
    );
    if (error && !options.loose) throw error;
    if (error) loose.push({ place: error.place, text: error.text });
  }
  return loose;
}

/** The daemon itself is told by its own group alone; whoever only looks does not know which one that will be. */
function inService(file: string, self: Self): Self {
  const folder = statSync(dirname(file));
  const given = folder.uid === 0 && (folder.mode & 0o2000) !== 0 && (folder.mode & 0o022) === 0;
  return self.uid === 0 && given && self.gid !== folder.gid ? { ...self, service: folder.gid } : self;
}

function trouble(check: () => void): ConfigError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

class Disk {
  readonly facts = new Map<string, FileFacts>();

  match(pattern: string, include: Place): readonly string[] {
    try {
      return this.#match(pattern);
    } catch (error) {
      throw new ConfigError(include, `${pattern} cannot be looked up: ${reason(error, pattern)}`);
    }
  }

  #match(pattern: string): readonly string[] {
    let found = [''];
    for (const part of pattern.split('/').slice(1)) {
      found = /[*?[]/.test(part) ? found.flatMap((at) => listing(at, part)) : found.map((at) => `${at}/${part}`);
    }
    return found.filter((path) => isFile(path)).sort();
  }

  read(path: string, place: Place): string {
    try {
      return this.#read(path, place);
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      throw new ConfigError(place, `${subject(path, place)}cannot be read: ${reason(error, path)}`);
    }
  }

  #read(path: string, place: Place): string {
    // Not blocking: opening a pipe would otherwise wait for its writer.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw new ConfigError(place, `${subject(path, place)}is not a file`);
      if (stat.size > MAX_SIZE) throw new ConfigError(place, `${subject(path, place)}is larger than 32 MiB`);
      this.facts.set(path, { mode: stat.mode, uid: stat.uid, gid: stat.gid, looseLink: isLooseLink(path) });
      return decoded(readAll(fd, stat.size), path);
    } finally {
      closeSync(fd);
    }
  }
}

/** A place in the file itself names it already. */
function subject(path: string, place: Place): string {
  return place.file === path ? '' : `${path} `;
}

function readAll(fd: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let length = 0;
  while (length < size) {
    const count = readSync(fd, bytes, length, size - length, length);
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

function decoded(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const lines = new TextDecoder('utf-8').decode(bytes).split('\n');
    const line = lines.findIndex((text) => text.includes('\ufffd'));
    const column = (lines[line]?.indexOf('\ufffd') ?? 0) + 1;
    throw new ConfigError({ file: path, line: line + 1, column }, 'this is not UTF-8 text');
  }
}

/** Whoever may write to the directory could point the link elsewhere. */
function isLooseLink(path: string): boolean {
  if (!lstatSync(path).isSymbolicLink()) return false;
  return (statSync(realpathSync(dirname(path))).mode & 0o002) !== 0;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function listing(directory: string, pattern: string): string[] {
  const fits = wildcard(pattern);
  const at = directory === '' ? '/' : directory;
  if (!statSync(at, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(at)
    .filter((name) => fits.test(name) && (pattern.startsWith('.') || !name.startsWith('.')))
    .map((name) => join(at, name));
}

/** `*`, `?` and `[…]` as a shell has them. */
function wildcard(pattern: string): RegExp {
  const source = pattern.replace(/\*+|\?|\[!?[^\]]+\]|[\s\S]/g, (part) => {
    if (part.startsWith('*')) return '.*';
    if (part === '?') return '.';
    if (part.length > 1 && part.startsWith('[')) {
      const negated = part.startsWith('[!');
      return `[${negated ? '^' : ''}${part.slice(negated ? 2 : 1, -1).replace(/[\\^[]/g, '\\$&')}]`;
    }
    return part.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
  });
  return new RegExp(`^${source}$`, 's');
}

function reason(error: unknown, path: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') {
    const group = process.getegid?.();
    return `permission denied to user ${process.geteuid?.()}, group ${group}; its owner lets that group read it with: chgrp ${group} ${quoted(path)} && chmod 640 ${quoted(path)}`;
  }
  return error instanceof Error ? error.message : String(error);
}
