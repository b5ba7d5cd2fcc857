// The command line of `npm run endurance`.

import { parseArgs } from 'node:util';

export interface Options {
  readonly minutes: number;
  /** Seconds between new keys for the child. */
  readonly rekey: number;
  readonly workers: number | undefined;
  readonly encap: 'auto' | 'yes';
  readonly esp: string;
  readonly help: boolean;
}

export const HELP = `npm run endurance -- [options]     as root; two gateways in network namespaces, under load for a long time

  --minutes N      how long (10)
  --rekey N        seconds between new keys for the child (5)
  --workers N      data-plane threads of each gateway (cores less one)
  --encap yes      ESP in UDP; otherwise it is protocol 50
  --esp PROPOSAL   the child's algorithms (aes128gcm16)

TCP as fast as it goes, with checksums of what is transferred, datagrams of all sizes and numbered packets, in both
families and directions at once. At the end: whether everything arrived as it was sent, every count of errors stayed at
zero, and the memory where it was. The exit code says so too.
`;

/** Throws with a sentence when it does not understand. */
export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      minutes: { type: 'string', default: '10' },
      rekey: { type: 'string', default: '5' },
      workers: { type: 'string' },
      encap: { type: 'string', default: 'auto' },
      esp: { type: 'string', default: 'aes128gcm16' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { encap, esp, help } = values;
  if (encap !== 'auto' && encap !== 'yes') throw new Error('--encap is yes or auto');
  return {
    minutes: positive('minutes', values.minutes),
    rekey: positive('rekey', values.rekey),
    workers: values.workers === undefined ? undefined : positive('workers', values.workers),
    encap,
    esp,
    help,
  };
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new Error(`--${name}: "${text}" is no number above 0`);
}
