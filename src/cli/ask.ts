// What the commands ask the daemon, and what a NAME on the command line stands for.

import { Client, type EventHandler } from '../daemon/control/client.ts';
import { section, sections, text } from '../daemon/control/section.ts';
import { type ConnectionView, type ReasonView, readConnections, readReason } from '../daemon/control/status.ts';
import type { Section, Value } from '../daemon/control/vici.ts';
import { UsageError } from './io.ts';

/** A daemon that does not answer a question about itself within this time, in milliseconds, hangs. */
export const PATIENCE = 10_000;

export async function withClient<T>(uri: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = await Client.connect(uri);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

export async function connections(client: Client): Promise<readonly ConnectionView[]> {
  const all: ConnectionView[] = [];
  const take: EventHandler = (message) => all.push(...readConnections(message));
  await client.stream('espalier-status', 'espalier-status', new Map(), take, { timeout: PATIENCE });
  return all;
}

/** The sessions as `list-sas` shows them: connection and section. */
export async function sessions(client: Client): Promise<readonly (readonly [string, Section])[]> {
  const all: (readonly [string, Section])[] = [];
  const take: EventHandler = (message) => all.push(...sections(message));
  await client.stream('list-sas', 'list-sa', new Map(), take, { timeout: PATIENCE });
  return all;
}

export async function daemonVersion(client: Client): Promise<Section> {
  return client.request('version', new Map(), { timeout: PATIENCE });
}

/** A connection, with all of its children or with the one that was named. */
export interface Named {
  readonly connection: ConnectionView;
  readonly children: readonly string[];
  /** The connection itself was named. */
  readonly whole: boolean;
}

/** A connection's name wins over a child's; CONNECTION/CHILD tells children of the same name apart. */
export function resolve(name: string, all: readonly ConnectionView[]): Named {
  const connection = all.find((each) => each.name === name);
  if (connection) return { connection, children: connection.children.map((child) => child.name), whole: true };
  const owners = all.filter((each) => each.children.some((child) => isNamed(name, each.name, child.name)));
  const [owner, ...more] = owners;
  if (owner && more.length === 0) {
    const children = owner.children.map((child) => child.name).filter((child) => isNamed(name, owner.name, child));
    return { connection: owner, children, whole: false };
  }
  if (owner) {
    const choices = owners.map((each) => `${each.name}/${name}`).join(', ');
    throw new UsageError(`several connections have a child named "${name}": say which (${choices})`);
  }
  const known = all.flatMap((each) => [each.name, ...each.children.map((child) => `${each.name}/${child.name}`)]);
  const hint = known.length === 0 ? 'none is configured' : `there are ${known.slice(0, 12).join(', ')}`;
  throw new UsageError(`no connection or child is named "${name}": ${hint}${known.length > 12 ? ', …' : ''}`);
}

function isNamed(name: string, connection: string, child: string): boolean {
  return name === child || name === `${connection}/${child}`;
}

export interface Answer {
  readonly ok: boolean;
  /** Absent when the daemon only began. */
  readonly reason?: ReasonView;
  readonly matches?: number;
}

/** An initiation or termination with its progress. `timeout` in milliseconds, 0 for none and -1 not to wait. */
export async function command(
  client: Client,
  name: 'espalier-initiate' | 'espalier-terminate',
  what: { readonly ike: string; readonly child?: string | undefined },
  timeout: number,
  progress: (line: string) => void,
): Promise<Answer> {
  const message = section(['ike', what.ike], ['child', what.child], ['timeout', timeout]);
  const patience = timeout === 0 ? {} : { timeout: Math.max(0, timeout) + PATIENCE };
  const log: EventHandler = (event) => progress(`[${text(event, 'group') ?? '?'}] ${text(event, 'msg') ?? ''}`);
  const reply = await client.stream(name, 'control-log', message, log, patience);
  const matches = text(reply, 'matches');
  return {
    ok: text(reply, 'success') === 'yes',
    ...(reply.has('reason') ? { reason: readReason(reply) } : refused(reply)),
    ...(matches === undefined ? {} : { matches: Number(matches) }),
  };
}

function refused(reply: Section): { reason?: ReasonView } {
  const why = text(reply, 'errmsg');
  return why === undefined ? {} : { reason: { code: 'refused', text: why } };
}

/** A section as JSON has it. */
export function plainSection(from: Section): Record<string, unknown> {
  return Object.fromEntries([...from].map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: Value): unknown {
  if (value instanceof Map) return plainSection(value);
  return Array.isArray(value) ? value.map(plainItem) : plainItem(value);
}

function plainItem(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}
