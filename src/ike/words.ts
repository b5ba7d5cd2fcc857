// What the operator's file calls an option. The names in `where` are swanctl.conf's; a place in a file that has other
// words (ipsec.conf) brings its own along.

import type { Place } from './connection.ts';

interface Configured {
  readonly where: ReadonlyMap<string, Place>;
}

export function wordFor({ where }: Configured, option: string): string {
  return where.get(option)?.option ?? option;
}

/** As it is written there, with its value. */
export function assignment(config: Configured, option: string, value: string): string {
  const word = config.where.get(option)?.option;
  return word === undefined ? `${option} = ${value}` : `${word}=${value}`;
}

/** The option with the peer's address, where none of the connections is the one that is meant. */
export function addressWord([first]: readonly Configured[]): string {
  return first ? wordFor(first, 'remote_addrs') : 'remote_addrs';
}

/** Of the two ends of a connection, the option of the other one. */
export function mirrored(word: string): string {
  return word.startsWith('left') ? `right${word.slice('left'.length)}` : `left${word.slice('right'.length)}`;
}
