// Commands that do something to SAs and traps: `initiate`, `terminate`, `rekey`, `install`, `uninstall`, with charon's
// arguments and answers.

import type { Gateway, Outcome, Progress, Target } from '../status.ts';
import type { Call, Command } from './channel.ts';
import { logSection } from './events.ts';
import { answer, done, explained, refusal, wrong } from './reply.ts';
import { flag, integer, section } from './section.ts';
import { count, target } from './target.ts';
import type { Section } from './vici.ts';

/** charon's answer, and where the gateway gave one, the whole reason. */
interface Result {
  readonly reply: Section;
  readonly outcome?: Outcome;
}

export function actions(gateway: Gateway): readonly (readonly [string, Command])[] {
  return [
    ['initiate', (call) => guarded(call, () => initiate(gateway, call)).then(({ reply }) => reply)],
    ['terminate', (call) => guarded(call, () => terminate(gateway, call)).then(({ reply }) => reply)],
    ['rekey', (call) => rekey(gateway, call)],
    ['install', (call) => trap(call, (what) => gateway.install(what))],
    ['uninstall', (call) => trap(call, (what) => gateway.uninstall(what))],
    ['redirect', () => refusal('redirecting peers (RFC 5685) is not supported')],
    ['espalier-initiate', (call) => guarded(call, () => initiate(gateway, call)).then(told)],
    ['espalier-terminate', (call) => guarded(call, () => terminate(gateway, call)).then(told)],
  ];
}

function told({ reply, outcome }: Result): Section {
  return explained(reply, outcome);
}

async function guarded(call: Call, run: () => Promise<Result>): Promise<Result> {
  const why = wrong(call);
  return why === undefined ? run() : { reply: refusal(why) };
}

async function initiate(gateway: Gateway, call: Call): Promise<Result> {
  const { ike, child } = target(call.message);
  if (ike === undefined && child === undefined) return { reply: refusal('missing configuration name') };
  const what = { ...(ike === undefined ? {} : { ike }), ...(child === undefined ? {} : { child }) };
  const outcome = await settled(call, (timeout, progress) => gateway.initiate(what, timeout, progress));
  if (outcome === 'under-way') return { reply: done() };
  return { reply: answer(outcome), outcome };
}

async function terminate(gateway: Gateway, call: Call): Promise<Result> {
  const what = target(call.message);
  if (Object.keys(what).length === 0) return { reply: refusal('missing terminate selector') };
  const meant = count(gateway.sessions(), what);
  const force = flag(call.message, 'force');
  const outcome = await settled(call, (timeout, progress) => gateway.terminate({ ...what, force }, timeout, progress));
  if (outcome === 'under-way') return { reply: terminated(meant, meant, undefined) };
  const { matches, terminated: ended } = outcome;
  if (matches === 0) return { reply: terminated(0, 0, 'no matching SAs to terminate found'), outcome };
  return { reply: terminated(matches, ended, outcome.ok ? undefined : outcome.reason.text), outcome };
}

function terminated(matches: number, ended: number, why: string | undefined): Section {
  return section(
    ['success', why === undefined ? 'yes' : 'no'],
    ['matches', matches],
    ['terminated', ended],
    ['errmsg', why],
  );
}

function rekey(gateway: Gateway, call: Call): Section {
  const why = wrong(call);
  if (why !== undefined) return refusal(why);
  const what = target(call.message);
  if (Object.keys(what).length === 0) return refusal('missing rekey selector');
  const matches = gateway.rekey(what, flag(call.message, 'reauth'));
  return section(
    ['success', matches > 0 ? 'yes' : 'no'],
    ['matches', matches],
    ['errmsg', matches > 0 ? undefined : 'no matching SAs to rekey found'],
  );
}

function trap(call: Call, act: (what: Pick<Target, 'ike'> & { child: string }) => Outcome): Section {
  const why = wrong(call);
  if (why !== undefined) return refusal(why);
  const { ike, child } = target(call.message);
  if (child === undefined) return refusal('missing configuration name');
  return answer(act({ ...(ike === undefined ? {} : { ike }), child }));
}

/** Runs a command of the gateway with the client's `timeout` and `loglevel`. A negative timeout does not wait. */
async function settled<T>(
  call: Call,
  run: (timeout: number, progress: (line: Progress) => void) => Promise<T>,
): Promise<T | 'under-way'> {
  const timeout = integer(call.message, 'timeout') ?? 0;
  const level = integer(call.message, 'loglevel') ?? 1;
  let listening = timeout >= 0;
  const outcome = run(Math.max(timeout, 0), (line) => {
    if (listening && line.level <= level) call.tell('control-log', logSection(line));
  });
  try {
    if (timeout >= 0) return await outcome;
    // What is known at once (no such connection) is still told; what comes later the log has.
    outcome.catch(() => {});
    return await Promise.race([outcome, new Promise<'under-way'>((resolve) => setImmediate(resolve, 'under-way'))]);
  } finally {
    listening = false;
  }
}
