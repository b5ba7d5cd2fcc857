// Looks into the messages of a pair, and changes them on the way. The tests own both ends and so all keys: a message is
// opened, its payloads are edited, and it is sealed again as its sender would have done.

import { concat, same } from '../../src/bytes/bytes.ts';
import type { Protection } from '../../src/crypto/types.ts';
import { open, seal } from '../../src/ike/v2/protect.ts';
import type { EXCHANGE } from '../../src/ike/wire/constants.ts';
import { exchangeName, NOTIFY, notifyName } from '../../src/ike/wire/constants.ts';
import { encodeMessage, encryptedPrefix, parseMessage, parsePayloads } from '../../src/ike/wire/message.ts';
import type { Header, Payload } from '../../src/ike/wire/payload.ts';
import type { Match, Pair, Side } from './pair.ts';
import { seeded } from './random.ts';
import { sessions2 } from './v2.ts';

export type ExchangeName = keyof typeof EXCHANGE;

export interface Said {
  readonly header: Header;
  readonly payloads: readonly Payload[];
}

/** What a message says; undefined when nobody of the two has its keys, or it is one fragment of several. */
export function read(bytes: Uint8Array, from: Side): Said | undefined {
  const { header, payloads, encrypted } = parseMessage(bytes);
  if (!encrypted) return { header, payloads };
  const protection = keyOf(header, from);
  if (!protection || encrypted.fragment) return undefined;
  const text = open(protection, encrypted);
  return text && { header, payloads: parsePayloads(encrypted.inner, text) };
}

/** The same message with other payloads; as it was when it cannot be opened. */
export function edit(
  bytes: Uint8Array,
  from: Side,
  change: (payloads: readonly Payload[]) => readonly Payload[],
): Uint8Array {
  const said = read(bytes, from);
  if (!said) return bytes;
  if (!parseMessage(bytes).encrypted) return encodeMessage(said.header, change(said.payloads));
  return sealed(from, said.header, change(said.payloads));
}

/** A message under the keys of `from`, as if its endpoint had sent it. */
export function sealed(
  from: Side,
  header: Omit<Header, 'nextPayload' | 'major' | 'minor'>,
  payloads: readonly Payload[],
): Uint8Array {
  const protection = keyOf(header, from);
  if (!protection) throw new Error('nobody has the keys of this message');
  const [bytes] = seal({ protection, header, payloads, maximum: undefined, random: seeded(iv % 65_521), nextIv });
  if (!bytes) throw new Error('nothing was sealed');
  return bytes;
}

/** One fragment of an encrypted message, authentic, with whatever numbers the test wants (RFC 7383 §2.5). */
export function fragment(
  from: Side,
  header: Omit<Header, 'nextPayload' | 'major' | 'minor'>,
  inner: number,
  plain: Uint8Array,
  numbers: { readonly number: number; readonly total: number },
): Uint8Array {
  const protection = keyOf(header, from);
  if (!protection) throw new Error('nobody has the keys of this message');
  const text = concat(plain, Uint8Array.of(0));
  const iv = seeded(nextIv() % 65_521)(protection.ivSize);
  const prefix = encryptedPrefix(header, inner, iv.length + text.length + protection.icvSize, numbers);
  return concat(prefix, iv, protection.seal(iv, prefix, text));
}

/** Far from the counters of the endpoints. */
let iv = 2 ** 48;
const nextIv = () => iv++;

function keyOf({ spiI, spiR }: Pick<Header, 'spiI' | 'spiR'>, from: Side): Protection | undefined {
  for (const side of [from, from.other]) {
    for (const session of sessions2(side.endpoint)) {
      const { state } = session;
      if (!state.keys || !same(state.spiI, spiI) || !same(state.spiR, spiR)) continue;
      return side === from ? session.channel.send : session.channel.receive;
    }
  }
  return undefined;
}

// --- which message ---------------------------------------------------------------------------------------------------

export function request(from: Side, exchange: ExchangeName, holding?: string): Match {
  return matching(from, exchange, false, holding);
}

export function response(from: Side, exchange: ExchangeName, holding?: string): Match {
  return matching(from, exchange, true, holding);
}

/** `holding` is a word of `words`: a payload, or `N(REKEY_SA)`, or `SA(IKE)`. */
function matching(from: Side, exchange: ExchangeName, isResponse: boolean, holding?: string): Match {
  return (bytes, sender) => {
    if (sender !== from) return false;
    const { header } = parseMessage(bytes);
    if (exchangeName(header.exchange) !== exchange || header.response !== isResponse) return false;
    return holding === undefined || words(read(bytes, from)?.payloads ?? []).includes(holding);
  };
}

const PROTOCOLS = ['nothing', 'IKE', 'AH', 'ESP'];

/** What a message holds, payload by payload: `N(REKEY_SA)`, `SA(ESP)`, `Nonce`. */
export function words(payloads: readonly Payload[]): string[] {
  return payloads.map((payload) => {
    switch (payload.tag) {
      case 'N':
        return `N(${notifyName(payload.kind)})`;
      case 'SA':
        return `SA(${PROTOCOLS[payload.proposals[0]?.protocol ?? 0]})`;
      case 'D':
        return `D(${PROTOCOLS[payload.protocol]})`;
      case 'unknown':
        return `unknown(${payload.id})`;
      default:
        return payload.tag;
    }
  });
}

/** Drops what matches, `times` times or for ever. */
export function drop(pair: Pair, match: Match, times = Number.POSITIVE_INFINITY): void {
  let left = times;
  pair.wire.tamper = (bytes, from) => (left > 0 && match(bytes, from) && left-- > 0 ? undefined : bytes);
}

/** Edits what matches, `times` times or for ever. */
export function change(
  pair: Pair,
  match: Match,
  edited: (payloads: readonly Payload[]) => readonly Payload[],
  times = Number.POSITIVE_INFINITY,
): void {
  let left = times;
  pair.wire.tamper = (bytes, from) =>
    left > 0 && match(bytes, from) && left-- > 0 ? edit(bytes, from, edited) : bytes;
}

/** A notify without SPI and data, or with data. */
export function note(kind: keyof typeof NOTIFY, data: Uint8Array = new Uint8Array(0)): Payload {
  return { tag: 'N', protocol: 0, spi: new Uint8Array(0), kind: NOTIFY[kind], data };
}

/** Writes down what is said from now on: `left: N(REKEY_SA) SA(ESP) Nonce TSi TSr`. */
export function listen(pair: Pair): string[] {
  const lines: string[] = [];
  pair.listener = (bytes, from) => {
    lines.push(`${from.name}: ${words(read(bytes, from)?.payloads ?? []).join(' ')}`);
  };
  return lines;
}
