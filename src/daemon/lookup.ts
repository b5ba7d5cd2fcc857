// From a host's name to its addresses: /etc/hosts first, then DNS, both families at once. Not by getaddrinfo(3): its
// threads cannot be called back, and a process that is to end waits for them as long as no name server answers.

import { promises } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { formatIp, type Ip, parseIp } from '../bytes/ip.ts';

/** Without an address, `text` says why in a few words. */
export type Found =
  | { readonly ok: true; readonly addresses: readonly Ip[] }
  | { readonly ok: false; readonly text: string };

/** Whoever aborts `signal` wants no answer any more. */
export type Lookup = (name: string, signal: AbortSignal) => Promise<Found>;

const HOSTS = '/etc/hosts';
/** Milliseconds, after which the next name server is asked: the second and the third are to have their turn, too. */
const TIMEOUT = 1500;
/** More addresses of one name are none that anybody means to be called. */
const MOST = 16;

export async function lookUp(name: string, signal: AbortSignal): Promise<Found> {
  const known = inHosts(await readHosts(), name);
  return known.length > 0 ? { ok: true, addresses: known } : inDns(name, signal);
}

async function readHosts(): Promise<string> {
  try {
    return await readFile(HOSTS, 'latin1');
  } catch {
    // A host can do without it.
    return '';
  }
}

/** Every line that has the name (hosts(5)), in the order of the file. */
export function inHosts(text: string, name: string): readonly Ip[] {
  const plain = name.replace(/\.$/, '');
  const found = text.split('\n').flatMap((line) => {
    const [address = '', ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    return names.some((one) => one.toLowerCase() === plain) ? usable(address) : [];
  });
  return limited(found);
}

/** A resolver of its own for each name: it can be stopped alone, and it reads /etc/resolv.conf as it is now. */
async function inDns(name: string, signal: AbortSignal): Promise<Found> {
  if (signal.aborted) return { ok: false, text: 'nobody waits for it' };
  const resolver = new promises.Resolver({ timeout: TIMEOUT, tries: 2 });
  const stop = () => resolver.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const answers = await Promise.allSettled([resolver.resolve6(name), resolver.resolve4(name)]);
    const addresses = limited(answers.flatMap((one) => (one.status === 'fulfilled' ? one.value.flatMap(usable) : [])));
    if (addresses.length > 0) return { ok: true, addresses };
    return {
      ok: false,
      text: trouble(answers.map((one) => (one.status === 'rejected' ? codeOf(one.reason) : 'ENODATA'))),
    };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** An answer for one family says nothing of the other, unless it is that there is no such name. */
function trouble(codes: readonly string[]): string {
  if (codes.includes('ENOTFOUND')) return 'there is no such name';
  const other = codes.find((code) => code !== 'ENODATA');
  if (other === undefined) return 'it has no address';
  return WORDS.get(other) ?? `the name server's answer is ${other}`;
}

const WORDS = new Map([
  ['ETIMEOUT', 'no name server answers'],
  ['ECONNREFUSED', 'no name server can be reached'],
  ['ESERVFAIL', 'the name server cannot tell (SERVFAIL)'],
  ['EREFUSED', 'the name server refuses to tell'],
]);

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error);
}

/** One that a gateway can have: not `0.0.0.0`, which means this host, and no group's (224.0.0.0/4, ff00::/8). */
function usable(text: string): Ip[] {
  const address = parseIp(text);
  if (!address || address.every((byte) => byte === 0)) return [];
  const [first = 0] = address;
  const group = address.length === 4 ? first >= 224 : first === 0xff;
  return group ? [] : [formatIp(address)];
}

function limited(addresses: readonly Ip[]): readonly Ip[] {
  return [...new Set(addresses)].slice(0, MOST);
}
