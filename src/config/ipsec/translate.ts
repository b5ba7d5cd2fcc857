// A conn of ipsec.conf as a connection of swanctl.conf with one child of the same name, which is then read as any other.
// What is left out here has swanctl.conf's default, which is the same.

import { checkSetting, optionAt } from '../check.ts';
import type { Findings } from '../error.ts';
import { items } from '../schema.ts';
import type { Section } from '../settings.ts';
import { Values } from '../values.ts';
import { Draft } from './draft.ts';
import { Ends, type IsOwn, ownEnd } from './ends.ts';
import { OF_CHILD, OF_CONN } from './keywords/option.ts';
import { KEYWORDS, keywordAt } from './keywords.ts';
import { draftTimes } from './times.ts';

export interface Around {
  readonly isOwn: IsOwn;
  readonly setup: Section;
}

export type Auto = keyof typeof START;

/** What is to be done with a conn. */
export function autoOf(conn: Section, findings: Findings): Auto {
  return new Values(conn, 'conn', findings, keywordAt).choice('auto', keys(START)) ?? 'ignore';
}

export function translate(conn: Section, auto: Auto, { isOwn, setup }: Around, findings: Findings): Section {
  const values = new Values(conn, 'conn', findings, keywordAt);
  const connection = new Draft(conn.name, conn);
  const child = connection.section('children').section(conn.name);
  const own = ownEnd(conn, isOwn);
  const other = own === 'left' ? 'right' : 'left';
  if (own === 'right') {
    const text = `the right end of "${conn.name}" is an address of this host: right is us, and left is the peer`;
    findings.warn('swapped', values.placeOf('right'), text);
  }
  const ends = new Ends(conn, findings);
  ends.checkAuth();
  ends.draft(own, 'local', connection);
  ends.draft(other, 'remote', connection);
  ends.draftSubnets(own, 'local', child);
  ends.draftSubnets(other, 'remote', child);
  connection.take('remote_port', `${other}ikeport`);
  const port = conn.settings.get(`${own}ikeport`);
  if (port) checkSetting(`${own}ikeport`, port, optionAt(OF_CONN('local_port')), false, findings);
  const dpd = values.choice('dpdaction', keys(DPD)) ?? 'none';
  const draft = { conn, values, connection, child, dpd };
  draftConnection(draft, setup, findings);
  draftChild(draft, auto);
  draftTimes(conn, connection, child, findings);
  draftAlike(own, connection, child);
  return connection;
}

interface Drafted {
  readonly conn: Section;
  readonly values: Values;
  readonly connection: Draft;
  readonly child: Draft;
  readonly dpd: keyof typeof DPD;
}

const VERSIONS = { ike: '0', ikev1: '1', ikev2: '2' } as const;
const UNIQUE = { yes: 'replace', replace: 'replace', no: 'no', never: 'never', keep: 'keep' } as const;
const START = { ignore: 'none', add: 'none', route: 'trap', start: 'start' } as const;
const DPD = { none: 'clear', clear: 'clear', hold: 'trap', restart: 'restart' } as const;
const CLOSE = { none: 'none', clear: 'none', hold: 'trap', restart: 'start' } as const;
const MODES = { tunnel: 'tunnel', transport: 'transport' } as const;

function draftConnection({ conn, values, connection, dpd }: Drafted, setup: Section, findings: Findings): void {
  connection.set('version', 'keyexchange', VERSIONS[values.choice('keyexchange', keys(VERSIONS)) ?? 'ike']);
  draftProposals(values, conn, connection, 'proposals', 'ike');
  const all = new Values(setup, 'setup', findings, keywordAt);
  const unique = UNIQUE[all.choice('uniqueids', keys(UNIQUE)) ?? 'yes'];
  connection.put('unique', 'uniqueids', unique, setup.settings.get('uniqueids'));
  connection.set('encap', 'forceencaps', values.yesno('forceencaps') ? 'yes' : 'auto');
  const tries = values.size('keyingtries', ['%forever']);
  connection.set('keyingtries', 'keyingtries', tries === '%forever' ? '0' : `${tries ?? 3}`);
  // Without an action to take nobody is asked whether he lives.
  if (dpd === 'none') return;
  connection.set('dpd_delay', 'dpddelay', `${values.duration('dpddelay') ?? 0}ms`);
  connection.set('dpd_timeout', 'dpdtimeout', `${values.duration('dpdtimeout') ?? 0}ms`);
}

function draftChild({ conn, values, child, dpd }: Drafted, auto: Auto): void {
  if (values.isSet('ah') && values.isSet('esp')) {
    values.error('ah', 'it cannot stand beside esp: a child has AH or ESP; write one conn for each');
  }
  child.call('esp_proposals', 'esp');
  child.call('ah_proposals', 'ah');
  if (values.isSet('ah')) draftProposals(values, conn, child, 'ah_proposals', 'ah');
  else draftProposals(values, conn, child, 'esp_proposals', 'esp');
  child.set('mode', 'type', MODES[values.choice('type', keys(MODES)) ?? 'tunnel']);
  child.set('start_action', 'auto', START[auto]);
  child.set('dpd_action', 'dpdaction', DPD[dpd]);
  child.set('close_action', 'closeaction', CLOSE[values.choice('closeaction', keys(CLOSE)) ?? 'none']);
  const window = values.size('replay_window', ['-1']);
  if (window === '-1' || window === undefined) child.call('replay_window', 'replay_window');
  else child.set('replay_window', 'replay_window', `${window}`);
}

/** Not only what is written is offered and taken, but for a "!" at the end. */
function draftProposals(values: Values, conn: Section, to: Draft, option: string, word: 'ike' | 'esp' | 'ah'): void {
  const text = conn.settings.get(word)?.text;
  if (text === undefined) return to.call(option, word);
  if (/!\s*\S/.test(text)) {
    values.error(word, '"!" belongs to the end of the whole value: it means that nothing else will do');
  }
  const complete =
    text === '' || text.includes('!') || items(text).some((item) => item.text.toLowerCase() === 'default');
  to.set(option, word, complete ? text : `${text}, default`);
}

/** The keywords that are options of swanctl.conf under another name. */
function draftAlike(own: 'left' | 'right', connection: Draft, child: Draft): void {
  for (const { path, as, status } of ALIKE) {
    const word = path.slice('conn.'.length);
    const [draft, option] = as.startsWith(OF_CHILD(''))
      ? [child, as.slice(OF_CHILD('').length)]
      : [connection, as.slice(OF_CONN('').length)];
    if (/^(left|right)/.test(word) && !word.startsWith(own)) continue;
    if (status === 'implemented') draft.take(option, word);
  }
}

const ALIKE = KEYWORDS.flatMap(({ path, extra: { as }, status }) => (as === undefined ? [] : [{ path, as, status }]));

function keys<K extends string>(map: Readonly<Record<K, string>>): readonly K[] {
  return Object.keys(map) as K[];
}
