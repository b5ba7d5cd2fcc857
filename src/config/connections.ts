// Makes a Connection from its section. The rules by which one time follows from another are strongSwan's, with the
// defaults that the table of options names.

import { nearest } from '../bytes/nearest.ts';
import type { AddressPattern, Child, Connection, IdentityPattern, Place, Retransmit } from '../ike/connection.ts';
import { RETRANSMIT, RETRANSMIT_HUAWEI } from '../ike/connection.ts';
import { parseIdentityPattern } from '../ike/identity.ts';
import { singleAddress } from '../ike/match.ts';
import { readChild, readOffers } from './children.ts';
import type { Findings } from './error.ts';
import { checkModes } from './modes.ts';
import { accepted, type Parsed, parseAddress, parseOwnAddress, refused, wrongIdentity } from './schema.ts';
import type { Section } from './settings.ts';
import { places, Values } from './values.ts';

const PATH = 'connections.<conn>';

export function readConnection(section: Section, findings: Findings): Connection {
  const values = new Values(section, PATH, findings);
  const version = Number(values.choice('version', ['0', '1', '2']) ?? 0) as Connection['version'];
  const aggressive = values.yesno('aggressive') ?? false;
  if (aggressive) warnOfAggressive(values, version, findings);
  const local = readRound(section, 'local', findings);
  const remote = readRound(section, 'remote', findings);
  const remoteAddrs = readAddresses(values, 'remote_addrs');
  const children = [...(section.sections.get('children')?.sections.values() ?? [])].map((child) =>
    readChild(child, version, findings),
  );
  const localAddrs = readAddresses(values, 'local_addrs');
  const encap = values.choice('encap', ['auto', 'yes', 'no']) === 'yes' ? 'yes' : 'auto';
  warnIfUncallable(section.name, children, remoteAddrs, values, findings);
  const where = readPlaces(section);
  checkModes(children, { localAddrs, remoteAddrs, encap, where }, findings);
  return {
    name: section.name,
    version,
    aggressive: aggressive && version !== 2,
    deleteRekeyed: values.yesno('delete_rekeyed') ?? false,
    dpdOnDemand: values.choice('dpd_mode', ['periodic', 'on-demand']) === 'on-demand',
    localAddrs,
    remoteAddrs,
    remotePort: values.integer('remote_port') ?? 500,
    offers: readOffers(values, 'proposals', 'ike', version),
    localId: local?.kind === 'is' ? local.id : undefined,
    remoteId: remote ?? { kind: 'any' },
    encap,
    fragmentation: values.choice('fragmentation', ['yes', 'accept', 'force', 'no']) ?? 'yes',
    fragmentSize: values.integer('fragment_size') ?? 1280,
    childless: values.choice('childless', ['allow', 'prefer', 'force', 'never']) ?? 'allow',
    unique: values.choice('unique', ['no', 'never', 'keep', 'replace']) ?? 'no',
    dpdDelay: values.duration('dpd_delay') ?? 0,
    dpdTimeout: values.duration('dpd_timeout') ?? 0,
    ...readTimes(values),
    keyingTries: values.integer('keyingtries') ?? 3,
    retryInterval: values.duration('retry_interval') ?? 0,
    retransmit: readRetransmit(section, findings),
    natKeepalive: values.duration('nat_keepalive') ?? 0,
    children,
    where,
  };
}

function warnOfAggressive(values: Values, version: Connection['version'], findings: Findings): void {
  const text =
    version === 2
      ? 'option "aggressive" has no effect in IKEv2'
      : 'in aggressive mode whoever asks is given a hash of the pre-shared key, to guess at it as long as he likes; take main mode, or a key of 20 random characters at least';
  findings.warn(`${PATH}.aggressive`, values.placeOf('aggressive'), text);
}

function readAddresses(values: Values, key: 'local_addrs' | 'remote_addrs'): readonly AddressPattern[] {
  const patterns = values.each(key, key === 'local_addrs' ? parseOwnAddress : parseAddress);
  return patterns.length > 0 ? patterns : [{ kind: 'any' }];
}

/** The identity of the only round of authentication that there may be, which has to be by pre-shared key. */
function readRound(connection: Section, side: 'local' | 'remote', findings: Findings): IdentityPattern | undefined {
  const rounds = [...connection.sections.values()].filter(({ name }) => name.startsWith(side));
  const [round, second] = rounds;
  if (!round) {
    return findings.error(connection.place, `connection "${connection.name}" needs a section ${side} { auth = psk }`);
  }
  if (second) findings.error(second.place, 'more than one round of authentication is not supported yet');
  const values = new Values(round, `${PATH}.${side}<suffix>`, findings);
  const auth = parseAuth(values.text('auth'));
  if (!values.isSet('auth')) {
    const why = 'auth is "pubkey" when it is not written, and certificates are not supported yet';
    findings.error(round.place, `${why}; write "auth = psk"`);
  } else if (!auth.ok) values.error('auth', auth.message, auth.near);
  const text = values.text('id');
  const id = parseIdentityPattern(text);
  return id ?? values.error('id', wrongIdentity(text));
}

export function parseAuth(text: string): Parsed<'psk'> {
  const word = text.toLowerCase();
  if (word === 'psk') return accepted('psk');
  if (/^(ike:|pubkey|rsa|ecdsa|ed25519|ed448|bliss)/.test(word)) {
    return refused(`"${text}" is refused: certificates and public keys are not supported yet; only psk is`);
  }
  if (/^(eap|xauth)/.test(word))
    return refused(`"${text}" is refused: EAP and XAuth are not supported yet; only psk is`);
  return refused(`"${text}" is no kind of authentication`, nearest(word, ['psk', 'pubkey']));
}

/** Without either time IKE keys are renewed by rekeying; a time that is not written is then zero. */
function readTimes(values: Values): Pick<Connection, 'rekeyTime' | 'reauthTime' | 'overTime' | 'randTime'> {
  const reauthTime = values.duration('reauth_time') ?? 0;
  const rekeyed = values.isSet('rekey_time') || !values.isSet('reauth_time');
  const rekeyTime = rekeyed ? (values.duration('rekey_time') ?? 0) : 0;
  const longer = Math.max(rekeyTime, reauthTime);
  const shorter = Math.min(rekeyTime || longer, reauthTime || longer);
  const overTime = values.duration('over_time') ?? Math.floor(longer / 10);
  const randTime = values.duration('rand_time') ?? Math.min(overTime, Math.floor(shorter / 2));
  if (values.isSet('rand_time') && shorter > 0 && randTime >= shorter) {
    values.error('rand_time', 'it has to be shorter than rekey_time and reauth_time');
  }
  return { rekeyTime, reauthTime, overTime, randTime };
}

function readRetransmit(connection: Section, findings: Findings): Retransmit {
  const section = connection.sections.get('retransmit');
  if (!section) return RETRANSMIT;
  const values = new Values(section, `${PATH}.retransmit`, findings);
  const profile = values.choice('profile', ['default', 'huawei']) === 'huawei' ? RETRANSMIT_HUAWEI : RETRANSMIT;
  const base = values.duration('base') ?? profile.base;
  if (base < 10) values.error('base', 'it has to be 10ms at least');
  return {
    base,
    factor: values.decimal('factor') ?? profile.factor,
    transmissions: values.integer('tries') ?? profile.transmissions,
    limit: Math.max(base, values.duration('limit') ?? profile.limit),
    jitter: values.percent('jitter') ?? profile.jitter,
  };
}

function warnIfUncallable(
  name: string,
  children: readonly Child[],
  remoteAddrs: readonly AddressPattern[],
  values: Values,
  findings: Findings,
): void {
  if (remoteAddrs.some((pattern) => pattern.kind === 'name' || singleAddress(pattern) !== undefined)) return;
  const child = children.find(({ startAction }) => startAction !== 'none');
  const place = child?.where.get('start_action');
  if (!child || !place) return;
  const text = `"${child.name}" cannot begin by itself: ${values.wordOf('remote_addrs')} of connection "${name}" has no single address`;
  findings.warn(`start ${name}`, place, text);
}

function readPlaces(section: Section): ReadonlyMap<string, Place> {
  const where = new Map([['', section.place], ...places(section)]);
  for (const inner of section.sections.values()) {
    if (inner.name === 'children') continue;
    const side = ['local', 'remote'].find((known) => inner.name.startsWith(known)) ?? inner.name;
    where.set(side, inner.place);
    for (const [key, place] of places(inner, `${side}.`)) where.set(key, place);
  }
  return where;
}
