// Others who would handle the same packets: IPsec in the kernel, rules and routes in our places, another daemon of ours.

import { formatPrefix } from '../../bytes/ip.ts';
import type { Rule } from '../../net/rtnetlink.ts';
import { PROTOCOL } from '../../net/rules.ts';
import { run } from './files.ts';
import { FAMILIES, hasLink, routesOf, rulesOf } from './network.ts';
import type { Patient, Verdict } from './verdict.ts';

/** Where the daemon puts its own (net/rules.ts). */
const TABLE = 220;
const PRIORITIES = [218, 219, 220];

export function rivals(patient: Patient): Verdict[] {
  return [...running(patient), ...rules(), ...routes(), ...kernel()];
}

/** Its device goes with its process, so that a rule for one that exists is somebody's who lives. */
function running({ tun }: Patient): Verdict[] {
  const devices = FAMILIES.flatMap(([, family]) => rulesOf(family))
    .filter(({ protocol, iif }) => protocol === PROTOCOL && iif !== undefined && iif !== 'lo')
    .flatMap(({ iif }) => (iif !== undefined && hasLink(iif) ? [iif] : []));
  const [device] = devices;
  const base = { code: 'running', about: 'daemon' } as const;
  if (device === undefined) return [leftovers() ?? { ...base, health: 'ok', text: 'no Espalier runs here yet' }];
  if (device === tun) return [{ ...base, health: 'ok', text: `an Espalier runs here, with the device ${device}` }];
  const text = `another Espalier runs here, with the device ${device}; a network namespace has room for one`;
  return [{ ...base, health: 'problem', text, advice: `end it, or look at it with --tun ${device}` }];
}

/** What blocks networks outlives a daemon that was killed, so that nothing goes out in clear meanwhile. */
function leftovers(): Verdict | undefined {
  const left = FAMILIES.flatMap(([version, family]) => {
    const blocked = routesOf(family, TABLE).filter(({ protocol }) => protocol === PROTOCOL);
    return blocked.map(({ destination }) => ({ version, text: formatPrefix(destination) }));
  });
  const [first, ...more] = left;
  if (!first) return undefined;
  const networks = more.length > 0 ? `${first.text} and ${more.length} more` : first.text;
  const text = `no Espalier runs here, but one that ended without taking leave keeps ${networks} blocked until the next begins`;
  const versions = [...new Set(left.map(({ version }) => version))];
  const flush = versions.map(
    (version) => `ip ${version === 6 ? '-6 ' : ''}route flush table ${TABLE} protocol ${PROTOCOL}`,
  );
  const advice = `if there is to be no next: ${flush.join(' && ')}`;
  return { code: 'running', about: 'daemon', health: 'note', text, advice };
}

function rules(): Verdict[] {
  const base = { code: 'rules', about: 'rules 218–220' } as const;
  const found = FAMILIES.flatMap(([version, family]) => {
    const all = rulesOf(family);
    const foreign = all.filter(({ protocol, priority, action }) => {
      return protocol !== PROTOCOL && (PRIORITIES.includes(priority) || leadsThere(action));
    });
    return foreign.map((rule): Verdict => {
      const leads = leadsThere(rule.action);
      const text = leads
        ? `rule ${rule.priority} for IPv${version} leads into table ${TABLE}, past which our own packets must go: strongSwan has one like it`
        : `rule ${rule.priority} for IPv${version} is somebody else's, and stands among ours`;
      // The kernel would take the first of two that look alike, which may be ours.
      const alike = all.some((other) => other.protocol === PROTOCOL && other.priority === rule.priority);
      const mends = alike ? { advice: 'end the program that made it' } : { command: deletion(version, rule) };
      return { ...base, health: leads ? 'problem' : 'warning', text, ...mends };
    });
  });
  return found.length > 0 ? found : [{ ...base, health: 'ok', text: 'nobody else has rules of routing there' }];
}

function leadsThere(action: Rule['action']): boolean {
  return action.type === 'table' && action.table === TABLE;
}

function deletion(version: 4 | 6, { priority, protocol, action }: Rule): string {
  const family = version === 6 ? '-6 ' : '';
  const table = action.type === 'table' ? ` table ${action.table}` : '';
  const maker = protocol > 0 ? ` protocol ${protocol}` : '';
  return `ip ${family}rule del priority ${priority}${table}${maker}`;
}

function routes(): Verdict[] {
  const base = { code: 'table-220', about: `table ${TABLE}` } as const;
  const found = FAMILIES.flatMap(([version, family]) => {
    const foreign = routesOf(family, TABLE).filter(({ protocol }) => protocol !== PROTOCOL);
    const [first] = foreign;
    if (!first) return [];
    const more = foreign.length > 1 ? ` and ${foreign.length - 1} more` : '';
    const protocols = [...new Set(foreign.map(({ protocol }) => protocol))];
    const flush = protocols.map(
      (protocol) => `ip ${version === 6 ? '-6 ' : ''}route flush table ${TABLE} protocol ${protocol}`,
    );
    const text = `somebody else has routes in table ${TABLE}: ${formatPrefix(first.destination)}${more}; strongSwan keeps its own there`;
    return [{ ...base, health: 'problem' as const, text, command: flush.join(' && ') }];
  });
  return found.length > 0 ? found : [{ ...base, health: 'ok', text: 'nobody else has routes there' }];
}

/** Policies of the kernel's own IPsec take packets before they come to our device. */
function kernel(): Verdict[] {
  const base = { code: 'kernel-ipsec', about: 'kernel IPsec' } as const;
  const listed = run('ip', 'xfrm', 'policy');
  if (!listed.ok) return [];
  const first = policies(listed.out)[0];
  if (first === undefined) return [{ ...base, health: 'ok', text: 'the kernel has no IPsec policies' }];
  const text = `the kernel has IPsec policies of its own, which take packets before they come to us: ${first}`;
  const advice = 'end the daemon that made them, if it still runs';
  return [{ ...base, health: 'problem', text, command: 'ip xfrm policy flush && ip xfrm state flush', advice }];
}

/** `ip xfrm policy` begins a policy at the margin; those of single sockets let IKE pass, and are nobody's rivals. */
export function policies(text: string): string[] {
  return text
    .split(/\n(?=\S)/)
    .filter((policy) => /^src /.test(policy) && !/^\s+socket (in|out)/m.test(policy))
    .map((policy) => policy.split('\n')[0]?.trim() ?? '');
}
