// Pools of virtual addresses and certification authorities: there are none, so lists of them are empty, and what brings one
// is refused by name.

import { NO_CERTIFICATES, NOT_YET } from '../../config/options/option.ts';
import type { Call, Command } from './channel.ts';
import { refusal } from './reply.ts';
import { section, text } from './section.ts';

export function absent(): readonly (readonly [string, Command])[] {
  return [
    ['load-pool', (call) => refusal(`pool "${named(call)}" is refused: virtual addresses are ${NOT_YET}`)],
    ['unload-pool', (call) => refusal(`${text(call.message, 'name') ?? 'pool'} not found`)],
    ['get-pools', () => new Map()],
    ['load-authority', (call) => refusal(`authority "${named(call)}" is refused: ${NO_CERTIFICATES}`)],
    ['unload-authority', (call) => refusal(`unload: authority '${text(call.message, 'name') ?? ''}' not found`)],
    ['get-authorities', () => section(['authorities', []])],
    ['list-authorities', () => new Map()],
  ];
}

/** The message is one section, called like what it brings. */
function named(call: Call): string {
  return [...call.message.keys()][0] ?? '';
}
