// What the control socket answers: strongSwan's commands `version`, `list-sas`, `initiate`, `terminate` and `rekey`, with
// charon's arguments, keys and sentences, and beside them our own, whose names begin with `espalier-`.

import { machine, release, type } from 'node:os';
import type { ChildStatus, Gateway, Outcome, Progress, SessionStatus, Target } from '../status.ts';
import type { Call, Command, Dialect } from './channel.ts';
import { sessionSection } from './sas.ts';
import { flag, integer, section, text } from './section.ts';
import { connectionSection, reasonSection } from './status.ts';
import type { Section } from './vici.ts';

export interface About {
  readonly gateway: Gateway;
  /** Espalier's own. */
  readonly version: string;
}

export function dialect({ gateway, version }: About): Dialect {
  const commands = new Map<string, Command>([
    ['version', () => about(version)],
    ['list-sas', (call) => listSas(gateway, call)],
    ['initiate', (call) => guarded(call, () => initiate(gateway, call)).then(({ reply }) => reply)],
    ['terminate', (call) => guarded(call, () => terminate(gateway, call)).then(({ reply }) => reply)],
    ['rekey', (call) => rekey(gateway, call)],
    ['espalier-counters', () => counters(gateway)],
    ['espalier-admin', (call) => admin(gateway, call)],
    ['espalier-reload', () => reload(gateway)],
    ['espalier-status', (call) => listConnections(gateway, call)],
    ['espalier-initiate', (call) => guarded(call, () => initiate(gateway, call)).then(explained)],
    ['espalier-terminate', (call) => guarded(call, () => terminate(gateway, call)).then(explained)],
  ]);
  return { commands, events: new Set(['list-sa', 'control-log', 'espalier-status']) };
}

/** charon's answer, and where the gateway gave one, the whole reason. */
interface Result {
  readonly reply: Section;
  readonly outcome?: Outcome;
}

function explained({ reply, outcome }: Result): Section {
  if (outcome) reply.set('reason', reasonSection(outcome.reason));
  return reply;
}

function about(version: string): Section {
  return section(
    ['daemon', 'espalier'],
    ['version', version],
    ['sysname', type()],
    ['release', release()],
    ['machine', machine()],
  );
}

const NUMBERS = ['ike-id', 'child-id', 'timeout', 'loglevel'] as const;

/** A number that is none would otherwise mean "any": nobody wants to terminate that. */
function misread(call: Call): string | undefined {
  const key = NUMBERS.find((name) => call.message.has(name) && integer(call.message, name) === undefined);
  return key && `'${key}' is not a number`;
}

async function guarded(call: Call, run: () => Promise<Result>): Promise<Result> {
  const wrong = misread(call);
  return wrong === undefined ? run() : { reply: refusal(wrong) };
}

async function listSas(gateway: Gateway, call: Call): Promise<Section> {
  const wrong = misread(call);
  if (wrong !== undefined) return refusal(wrong);
  if (!call.wants('list-sa')) return new Map();
  const what = target(call.message);
  for (const session of gateway.sessions()) {
    const children = selected(session, what);
    if (children) await call.stream('list-sa', sessionSection(session, children));
  }
  return new Map();
}

async function listConnections(gateway: Gateway, call: Call): Promise<Section> {
  for (const status of gateway.connections()) await call.stream('espalier-status', connectionSection(status));
  return new Map();
}

function counters(gateway: Gateway): Section {
  const { ike, drops, io } = gateway.counted();
  const numbers = (counts: Readonly<Record<string, number>>) => section(...Object.entries(counts));
  return section(['ike', numbers(ike)], ['drops', numbers(drops)], ['io', numbers(io)]);
}

/** `ike`, perhaps `child`, and `status`: up or down. */
function admin(gateway: Gateway, call: Call): Section {
  const { ike, child } = target(call.message);
  const status = text(call.message, 'status');
  if (ike === undefined) return refusal('missing configuration name');
  if (status !== 'up' && status !== 'down') return refusal("'status' is neither up nor down");
  const outcome = gateway.manage({ ike, ...(child === undefined ? {} : { child }) }, status === 'down');
  return explained({ reply: outcome.ok ? section(['success', 'yes']) : refusal(outcome.reason.text), outcome });
}

async function reload(gateway: Gateway): Promise<Section> {
  const outcome = await gateway.reload();
  const { ok, reason, added, removed, changed, same, warnings } = outcome;
  const reply = section(
    ['success', ok ? 'yes' : 'no'],
    ['errmsg', ok ? undefined : reason.text],
    ['added', added],
    ['removed', removed],
    ['changed', changed],
    ['same', same],
    ['warnings', warnings],
  );
  return explained({ reply, outcome });
}

/** An id of 0 means none, as charon has it. */
function target(message: Section): Target {
  const ike = text(message, 'ike');
  const child = text(message, 'child');
  const ikeId = integer(message, 'ike-id');
  const childId = integer(message, 'child-id');
  return {
    ...(ike === undefined ? {} : { ike }),
    ...(child === undefined ? {} : { child }),
    ...(ikeId ? { ikeId } : {}),
    ...(childId ? { childId } : {}),
  };
}

/** The children of a session that are meant; undefined when the session is not. */
function selected(session: SessionStatus, what: Target): readonly ChildStatus[] | undefined {
  if (what.ike !== undefined && what.ike !== session.conn) return undefined;
  if (what.ikeId !== undefined && what.ikeId !== session.id) return undefined;
  if (what.child === undefined && what.childId === undefined) return session.children;
  const children = session.children.filter(
    (child) =>
      (what.child === undefined || what.child === child.name) &&
      (what.childId === undefined || what.childId === child.id),
  );
  return children.length > 0 ? children : undefined;
}

async function initiate(gateway: Gateway, call: Call): Promise<Result> {
  const { ike, child } = target(call.message);
  if (ike === undefined && child === undefined) return { reply: refusal('missing configuration name') };
  const what = { ...(ike === undefined ? {} : { ike }), ...(child === undefined ? {} : { child }) };
  const outcome = await settled(call, (timeout, progress) => gateway.initiate(what, timeout, progress));
  if (outcome === 'under-way') return { reply: section(['success', 'yes']) };
  return { reply: outcome.ok ? section(['success', 'yes']) : refusal(outcome.reason.text), outcome };
}

async function terminate(gateway: Gateway, call: Call): Promise<Result> {
  const what = target(call.message);
  if (Object.keys(what).length === 0) return { reply: refusal('missing terminate selector') };
  const meant = count(gateway.sessions(), what);
  const force = flag(call.message, 'force');
  const outcome = await settled(call, (timeout, progress) => gateway.terminate({ ...what, force }, timeout, progress));
  if (outcome === 'under-way') return { reply: terminated(meant, meant, undefined) };
  const { matches, terminated: done } = outcome;
  if (matches === 0) return { reply: terminated(0, 0, 'no matching SAs to terminate found'), outcome };
  return { reply: terminated(matches, done, outcome.ok ? undefined : outcome.reason.text), outcome };
}

function rekey(gateway: Gateway, call: Call): Section {
  const wrong = misread(call);
  if (wrong !== undefined) return refusal(wrong);
  const what = target(call.message);
  if (Object.keys(what).length === 0) return refusal('missing rekey selector');
  if (flag(call.message, 'reauth')) return refusal('reauthentication on demand is not supported');
  const matches = gateway.rekey(what);
  return section(
    ['success', matches > 0 ? 'yes' : 'no'],
    ['matches', matches],
    ['errmsg', matches > 0 ? undefined : 'no matching SAs to rekey found'],
  );
}

function count(sessions: readonly SessionStatus[], what: Target): number {
  const meant = sessions.map((session) => selected(session, what)).filter((children) => children !== undefined);
  return what.child === undefined && what.childId === undefined ? meant.length : meant.flat().length;
}

function terminated(matches: number, done: number, wrong: string | undefined): Section {
  return section(
    ['success', wrong === undefined ? 'yes' : 'no'],
    ['matches', matches],
    ['terminated', done],
    ['errmsg', wrong],
  );
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

function logSection(line: Progress): Section {
  return section(
    ['group', line.group],
    ['level', line.level],
    ['ikesa-name', line.conn],
    ['ikesa-uniqueid', line.session],
    ['msg', line.text],
  );
}

function refusal(why: string): Section {
  return section(['success', 'no'], ['errmsg', why]);
}
