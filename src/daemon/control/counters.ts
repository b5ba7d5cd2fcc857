// `get-counters` and `reset-counters`: messages by their kind, in all and by connection, as charon's plugin `counters` has
// them; and our own `espalier-counters`: what went no further, and why.

import { type Counts, TALLIED } from '../../ike/tally.ts';
import type { Gateway } from '../status.ts';
import type { Call, Command } from './channel.ts';
import { done, refusal, wrong } from './reply.ts';
import { flag, section, text } from './section.ts';
import type { Section } from './vici.ts';

export function counters(gateway: Gateway): readonly (readonly [string, Command])[] {
  return [
    ['get-counters', (call) => get(gateway, call)],
    ['reset-counters', (call) => reset(gateway, call)],
    ['espalier-counters', () => dropped(gateway)],
  ];
}

/** Of all together the name is empty. */
function get({ tally }: Gateway, call: Call): Section {
  const why = wrong(call);
  if (why !== undefined) return refusal(why);
  const name = text(call.message, 'name');
  if (flag(call.message, 'all')) {
    const each = [...tally.byConnection()].map(([conn, counts]) => [conn, counted(counts)] as const);
    return section(['counters', section(...each)], ['success', 'yes']);
  }
  const counts = name === undefined ? tally.all() : tally.byConnection().get(name);
  if (counts) return section(['counters', section([name ?? '', counted(counts)])], ['success', 'yes']);
  return section(['counters', new Map()], ['success', 'no'], ['errmsg', 'no counters found for this connection']);
}

function reset({ tally }: Gateway, call: Call): Section {
  const why = wrong(call);
  if (why !== undefined) return refusal(why);
  if (flag(call.message, 'all')) tally.resetConnections();
  else tally.reset(text(call.message, 'name'));
  return done();
}

function counted(counts: Counts): Section {
  return section(...TALLIED.map((name) => [name, counts[name]] as const));
}

function dropped(gateway: Gateway): Section {
  const { ike, drops, io } = gateway.counted();
  const numbers = (counts: Readonly<Record<string, number>>) => section(...Object.entries(counts));
  return section(['ike', numbers(ike)], ['drops', numbers(drops)], ['io', numbers(io)]);
}
