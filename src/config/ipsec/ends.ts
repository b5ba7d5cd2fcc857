// The two ends of a connection: which of them is ours, and what each of them is.

import { formatIp, parseIp } from '../../bytes/ip.ts';
import { nearest } from '../../bytes/nearest.ts';
import { parseSelector } from '../../ike/ts.ts';
import { parseAuth } from '../connections.ts';
import type { Findings } from '../error.ts';
import { type Item, items, parseAddress } from '../schema.ts';
import type { Section } from '../settings.ts';
import { Values } from '../values.ts';
import type { Draft } from './draft.ts';
import { keywordAt } from './keywords.ts';

export type End = 'left' | 'right';

/** Whether an address, in its shortest form, is one of this host's. */
export type IsOwn = (address: string) => boolean;

/** strongSwan's rule: the right end if it has an address of this host, otherwise the left one, whatever it has. */
export function ownEnd(conn: Section, isOwn: IsOwn): End {
  const addresses = items(conn.settings.get('right')?.text ?? '').map(({ text }) => parseIp(text.replace(/^%/, '')));
  return addresses.some((address) => address && isOwn(formatIp(address))) ? 'right' : 'left';
}

const MAGIC: ReadonlySet<string> = new Set(['%any', '%any4', '%any6', '0.0.0.0', '::', '0::0']);
/** What can stand in `left` with a "%" before it, and is not the beginning of a host's name. */
const WORDS = ['%any', '%any4', '%any6', '%defaultroute'];
/** Words of other keywords, and of other programs that read an ipsec.conf, and what to say of them. */
const ELSEWHERE: ReadonlyMap<string, (end: End) => string> = new Map([
  ...['config', 'config4', 'config6', 'cfg', 'modeconfig', 'modecfg'].map(
    (word) => [word, (end: End) => `asks for a virtual address, and belongs into ${end}sourceip`] as const,
  ),
  ['dynamic', (end) => `belongs into ${end}subnet`] as const,
  ...['group', 'opportunistic', 'opportunisticgroup'].map(
    (word) => [word, () => 'is for encryption with whomever (opportunistic), which is not supported'] as const,
  ),
  ['direct', (end) => `belongs into ${end}nexthop`] as const,
]);

export class Ends {
  readonly #conn: Section;
  readonly #values: Values;
  readonly #findings: Findings;

  constructor(conn: Section, findings: Findings) {
    this.#conn = conn;
    this.#values = new Values(conn, 'conn', findings, keywordAt);
    this.#findings = findings;
  }

  /** Addresses and identity. */
  draft(end: End, side: 'local' | 'remote', connection: Draft): void {
    const found = this.#addresses(end);
    if (found.changed) connection.set(`${side}_addrs`, end, found.all.join(', '));
    else connection.take(`${side}_addrs`, end);
    const round = connection.section(side);
    const written = this.#conn.settings.get(`${end}id`);
    if (written?.text?.startsWith('%') && !MAGIC.has(written.text)) this.#loose(end, side, round);
    else if (written) round.take('id', `${end}id`);
    else if (found.one === undefined) round.call('id', `${end}id`);
    else round.put('id', `${end}id`, found.one, this.#conn.settings.get(end));
    round.set('auth', this.#conn.settings.has(`${end}auth`) ? `${end}auth` : 'authby', 'psk');
  }

  /** strongSwan does not tell the peer then whom it is taken for. */
  #loose(end: End, side: 'local' | 'remote', round: Draft): void {
    const setting = this.#conn.settings.get(`${end}id`);
    if (!setting?.text) throw new Error(`${end}id is not there`);
    round.put('id', `${end}id`, setting.text.slice(1), setting);
    if (side === 'local') return;
    const text = `"%" before the identity in ${end}id has no effect: the peer is told whom it is taken for`;
    this.#findings.warn('loose identity', setting.place, text);
  }

  #addresses(end: End): {
    readonly all: readonly string[];
    readonly changed: boolean;
    readonly one: string | undefined;
  } {
    const written = items(this.#values.text(end));
    let allowAny = this.#values.yesno(`${end}allowany`) ?? false;
    const all = written.map((item) => {
      const { text } = item;
      if (text === '%defaultroute' || this.#refuses(end, item)) return '%any';
      if (!text.startsWith('%') || MAGIC.has(text)) return text;
      allowAny = true;
      return text.slice(1);
    });
    const one = all.length === 1 && isOne(all[0] as string) ? all[0] : undefined;
    const changed = allowAny || all.some((item, i) => item !== written[i]?.text);
    return { all: allowAny ? [...all, '0.0.0.0/0', '::/0'] : all, changed, one };
  }

  /** To strongSwan every "%word" is a host of this name, and any other besides: whoever wrote one meant something else. */
  #refuses(end: End, item: Item): boolean {
    const { text } = item;
    if (!/^%[^.:/]*$/.test(text) || WORDS.includes(text)) return false;
    const name = text.slice(1);
    const other = ELSEWHERE.get(name.toLowerCase());
    const why = other
      ? other(end)
      : `is neither an address nor one of ${WORDS.join(', ')}; for a host of one word and any other: ${end}allowany=yes`;
    this.#values.error(end, `"${text}" ${why}`, other ? [] : nearest(text.toLowerCase(), WORDS), item);
    return true;
  }

  /** What is behind this end. */
  draftSubnets(end: End, side: 'local' | 'remote', child: Draft): void {
    const [subnet, protoport] = [`${end}subnet`, `${end}protoport`];
    const written = this.#conn.settings.get(subnet);
    const limits = this.#conn.settings.get(protoport);
    const any = items(written?.text ?? '').find(({ text }) => /^%any[46]?(\[|$)/.test(text));
    if (any) {
      const text = `"${any.text}" is the one address 0.0.0.0 to strongSwan; write 0.0.0.0/0 or ::/0 for everything`;
      this.#values.error(subnet, text, [], any);
    }
    if (!limits && !/%(dynamic|opaque)/.test(written?.text ?? '')) return child.take(`${side}_ts`, subnet);
    if (limits?.text && !parseSelector(`dynamic[${plain(limits.text)}]`)) {
      this.#values.error(protoport, `"${limits.text}" is no protocol and port; write tcp/80`);
      return child.take(`${side}_ts`, subnet);
    }
    const texts = items(written?.text ?? '%dynamic').map(({ text }) => {
      return limits?.text && !text.includes('[') ? `${plain(text)}[${plain(limits.text)}]` : plain(text);
    });
    child.put(`${side}_ts`, subnet, texts.join(', '), written ?? limits);
  }

  /** Both ends have to authenticate by pre-shared key. */
  checkAuth(): void {
    const { settings, place } = this.#conn;
    const ends = ['leftauth', 'rightauth'];
    if (!ends.some((word) => settings.has(word))) {
      if (settings.has('authby')) this.#values.choice('authby', ['psk', 'secret']);
      else {
        const why = 'authby is "pubkey" when it is not written, and certificates are not supported yet';
        this.#findings.error(place, `${why}; write "authby=psk"`);
      }
      return;
    }
    for (const word of ends) {
      const text = settings.get(word)?.text;
      const auth = parseAuth(text === 'secret' ? 'psk' : (text ?? 'pubkey'));
      if (auth.ok) continue;
      if (text !== undefined) this.#values.error(word, auth.message, auth.near);
      else {
        const other = ends.find((known) => settings.has(known));
        const why = `${word} is "pubkey" beside ${other}, and certificates are not supported yet`;
        this.#findings.error(place, `${why}; write "${word}=psk"`);
      }
    }
  }
}

/** As swanctl.conf has it. */
function plain(selector: string): string {
  return selector.replace(/%(dynamic|opaque)/g, '$1');
}

/** An address or the name of a host, and no range of them. */
function isOne(item: string): boolean {
  if (parseIp(item)) return !MAGIC.has(item);
  const pattern = parseAddress(item);
  return pattern.ok && pattern.value.kind === 'name';
}
