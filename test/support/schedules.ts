// Plays many schedules, says what has occurred in them, and cuts a failing one down to what makes it fail.

import { play } from './play.ts';
import { draw, type Plan } from './schedule.ts';

export interface Run {
  readonly played: number;
  /** The first failing schedule, with what to do about it. */
  readonly failure: string | undefined;
  readonly seen: ReadonlyMap<string, number>;
  readonly report: string;
}

/** Every so many schedules one is looked into, message by message. */
const LOOK = 8;
const TRIES = 120;

export function runSchedules(count: number, kinds: readonly Plan['kind'][], version: Plan['version'] = 2): Run {
  const only = process.env.ESPALIER_SEED;
  const seen = new Map<string, number>();
  const [first, last] = only === undefined ? [1, count] : [Number(only), Number(only)];
  let failure: string | undefined;
  const began = performance.now();
  let played = 0;
  let messages = 0;
  for (let seed = first; seed <= last && failure === undefined; seed++) {
    const plan = draw(seed, kinds, version);
    const { problems, seen: more, log } = attempt(plan, seed % LOOK === 0);
    played++;
    messages += log.length;
    for (const [what, times] of more) seen.set(what, (seen.get(what) ?? 0) + times);
    if (problems.length > 0) failure = explain(plan, problems);
    if (only !== undefined) console.log(`${JSON.stringify(plan, undefined, 1)}\n${log.join('\n')}`);
  }
  const each = (performance.now() - began) / played;
  const title = `${played} schedules (IKEv${version}, ${kinds.join()}), ${each.toFixed(1)} ms and ${Math.round(messages / played)} datagrams each`;
  return { played, failure, seen, report: `${title}\n${table(seen)}` };
}

export function missing(seen: ReadonlyMap<string, number>, expected: readonly string[]): string[] {
  return expected.filter((what) => !seen.get(what));
}

function attempt(plan: Plan, deep = false): ReturnType<typeof play> {
  try {
    return play(plan, deep);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { problems: [`an exception: ${text}`], seen: new Map(), log: [] };
  }
}

function explain(plan: Plan, problems: readonly string[]): string {
  const small = shrink(plan);
  return [
    `the ${plan.kind} schedule ${plan.seed} fails: ESPALIER_SEED=${plan.seed} plays it again`,
    ...problems,
    `cut down to ${small.steps.length} of ${plan.steps.length} steps, it fails still:`,
    JSON.stringify(small),
    ...attempt(small).problems,
  ].join('\n');
}

/** Leaves out steps and troubles one by one as long as it still fails in the same way. */
export function shrink(plan: Plan): Plan {
  let small = plan;
  let tries = 0;
  const complaint = kindOf(attempt(plan).problems);
  const fails = (next: Plan) => ++tries <= TRIES && kindOf(attempt(next).problems) === complaint;
  for (let again = true; again && tries < TRIES; ) {
    again = false;
    for (const next of smaller(small)) {
      if (!fails(next)) continue;
      small = next;
      again = true;
      break;
    }
  }
  return small;
}

/** What went wrong first, without the numbers in it. */
function kindOf([first = '']: readonly string[]): string {
  return first.replace(/[0-9a-f.]*\d[0-9a-f.]*/g, '').slice(0, 40);
}

function* smaller(plan: Plan): Generator<Plan> {
  for (let i = 0; i < plan.steps.length; i++) yield { ...plan, steps: plan.steps.filter((_, at) => at !== i) };
  const { wire } = plan;
  for (const quiet of [{ loss: 0 }, { duplicate: 0 }, { reorder: 0 }]) {
    const better = { ...wire, ...quiet };
    if (JSON.stringify(better) !== JSON.stringify(wire)) yield { ...plan, wire: better };
  }
  if (plan.children > 1) yield { ...plan, children: plan.children - 1 };
  for (let i = 0; i < plan.flavours.length; i++) {
    if (plan.flavours[i] !== 'plain') yield { ...plan, flavours: plan.flavours.with(i, 'plain') };
  }
  if (plan.keTime.some((time) => time > 0)) yield { ...plan, keTime: [0, 0] };
  if (plan.nat !== 'none') yield { ...plan, nat: 'none' };
}

function table(seen: ReadonlyMap<string, number>): string {
  const groups = new Map<string, string[]>();
  for (const [what, times] of [...seen].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [group = '', ...rest] = what.split(' ');
    groups.set(group, [...(groups.get(group) ?? []), `${rest.join(' ')} ${times}`.trim()]);
  }
  return [...groups].map(([group, lines]) => `${group}: ${lines.join(', ')}`).join('\n');
}
