// Makes a Child from its section, with strongSwan's rules for the limits that are not written.

import type { Child, Connection, Lifetime, Offer, SelectorSource } from '../ike/connection.ts';
import { parseSelector } from '../ike/ts.ts';
import { ESN, TRANSFORM } from '../ike/wire/constants.ts';
import type { Findings } from './error.ts';
import { type ProposalProtocol, parseProposals } from './proposal.ts';
import { accepted, refused } from './schema.ts';
import type { Section } from './settings.ts';
import { places, Values } from './values.ts';

const PATH = 'connections.<conn>.children.<child>';
/** A TS payload counts its selectors in one byte (RFC 7296 §3.13). */
const MAX_SELECTORS = 255;
const DYNAMIC: SelectorSource = { kind: 'dynamic', protocol: 0, startPort: 0, endPort: 65535 };

export function readChild(section: Section, version: Connection['version'], findings: Findings): Child {
  const values = new Values(section, PATH, findings);
  const startAction = values.choice('start_action', ['none', 'trap', 'start']) ?? 'none';
  const child: Child = {
    name: section.name,
    ...readProposals(values, version),
    localTs: readSelectors(values, 'local_ts'),
    remoteTs: readSelectors(values, 'remote_ts'),
    mode: values.choice('mode', ['tunnel', 'transport']) ?? 'tunnel',
    tunnelFallback: values.yesno('tunnel_fallback') ?? true,
    shortSha256: values.yesno('sha256_96') ?? false,
    lifetime: readLifetime(section, values, findings),
    startAction,
    dpdAction: values.choice('dpd_action', ['clear', 'trap', 'restart']) ?? 'clear',
    closeAction: values.choice('close_action', ['none', 'trap', 'start']) ?? 'none',
    replayWindow: values.integer('replay_window') ?? 128,
    installRoutes: values.yesno('install_routes') ?? true,
    copyDf: values.yesno('copy_df') ?? true,
    copyEcn: values.yesno('copy_ecn') ?? true,
    copyDscp: values.choice('copy_dscp', ['out', 'in', 'yes', 'no']) ?? 'out',
    mss: values.size('mss', ['auto', 'no']) ?? 'auto',
    updown: values.command('updown'),
    hostAccess: values.yesno('hostaccess') ?? false,
    where: new Map([['', section.place], ...places(section)]),
  };
  if (child.replayWindow === 0 && child.offers.some(hasEsn)) {
    values.error(
      'replay_window',
      'it cannot be 0 with "esn": who does not follow the numbers cannot know their upper half',
    );
  }
  return child;
}

/** RFC 4303 §3.4.3: a receiver can only infer the upper half by keeping a window. */
function hasEsn({ transforms }: Offer): boolean {
  return transforms.some(({ type, id }) => type === TRANSFORM.ESN && id === ESN.YES);
}

/** A child has one protocol: ESP, unless something is written for AH. */
function readProposals(values: Values, version: Connection['version']): Pick<Child, 'protocol' | 'offers'> {
  if (values.text('ah_proposals') === '') {
    return { protocol: 'esp', offers: readOffers(values, 'esp_proposals', 'esp', version) };
  }
  if (values.isSet('esp_proposals')) {
    values.error(
      'ah_proposals',
      'it cannot stand beside esp_proposals: a child has AH or ESP; write one child for each',
    );
  }
  return { protocol: 'ah', offers: readOffers(values, 'ah_proposals', 'ah', version) };
}

export function readOffers(
  values: Values,
  key: 'proposals' | 'esp_proposals' | 'ah_proposals',
  protocol: ProposalProtocol,
  version: Connection['version'],
): readonly Offer[] {
  const text = values.text(key);
  const parsed = parseProposals(text, protocol, version);
  if (parsed.ok) return parsed.offers;
  values.error(key, parsed.message, parsed.near, { text: parsed.word, at: wordAt(text, parsed.word) });
  return [];
}

/** `aes` in `aes256-aes` is the second one. */
function wordAt(text: string, word: string): number {
  let at = 0;
  for (const piece of text.split(/[-,!\s]/)) {
    if (piece === word) return at;
    at += piece.length + 1;
  }
  return Math.max(0, text.indexOf(word));
}

function readSelectors(values: Values, key: 'local_ts' | 'remote_ts'): readonly SelectorSource[] {
  const sources = values.each(key, (text) => {
    const source = parseSelector(text);
    return source
      ? accepted(source)
      : refused(`"${text}" is no traffic selector; write 10.1.0.0/16 or 10.1.0.0/16[tcp/80]`);
  });
  if (sources.length > MAX_SELECTORS) values.error(key, `more than ${MAX_SELECTORS} traffic selectors`);
  return sources.length > 0 ? sources : [DYNAMIC];
}

interface Limits {
  readonly rekey: number;
  readonly life: number;
  readonly rand: number;
}

function readLifetime(section: Section, values: Values, findings: Findings): Lifetime {
  const limits = (unit: string, read: (key: string) => number | undefined): Limits => {
    const rekey = read(`rekey_${unit}`) ?? 0;
    const life = read(`life_${unit}`) ?? Math.floor((rekey * 11) / 10);
    const rand = read(`rand_${unit}`) ?? Math.min(Math.max(0, life - rekey), Math.floor(rekey / 2));
    if (rekey > 0 && life > 0 && life <= rekey) {
      const place = values.placeOf(values.isSet(`life_${unit}`) ? `life_${unit}` : `rekey_${unit}`);
      const text = `child "${section.name}" ends before it is renewed: life_${unit} is not more than rekey_${unit}`;
      findings.warn(`life_${unit} ${section.name}`, place, text);
    }
    if (values.isSet(`rand_${unit}`) && rekey > 0 && rand >= rekey) {
      values.error(`rand_${unit}`, `it has to be less than rekey_${unit}`);
    }
    return { rekey, life, rand: rekey > 0 ? rand : 0 };
  };
  const time = limits('time', (key) => values.duration(key));
  const bytes = limits('bytes', (key) => values.volume(key));
  const packets = limits('packets', (key) => values.integer(key));
  return {
    rekeyTime: time.rekey,
    lifeTime: time.life,
    randTime: time.rand,
    rekeyBytes: bytes.rekey,
    lifeBytes: bytes.life,
    randBytes: bytes.rand,
    rekeyPackets: packets.rekey,
    lifePackets: packets.life,
    randPackets: packets.rand,
  };
}
