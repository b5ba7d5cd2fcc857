// The command line of `npm run bench:path`.

import { parseArgs } from 'node:util';

export interface Options {
  readonly rounds: number;
  /** Of a TCP stream; a UDP probe takes its share of it. */
  readonly seconds: number;
  /** Labels of contestants; undefined is the usual ones. */
  readonly only: readonly string[] | undefined;
  readonly tests: readonly string[];
  readonly quick: boolean;
  readonly json: string | undefined;
  readonly pump: string | undefined;
  readonly wireguard: string | undefined;
  readonly help: boolean;
}

export const TESTS = ['ping', 'tcp1', 'tcp4', 'tcpR', 'bidir', 'udp64', 'udp1300', 'pingload'] as const;

export const HELP = `npm run bench:path -- [options]     as root; measures tunnels between four network namespaces

  --rounds N       each contestant so many times, in turn (3; --quick: 1)
  --seconds N      length of a TCP stream (5; --quick: 2)
  --only LIST      contestants, by comma; may be given several times
  --tests LIST     of ${TESTS.join(', ')}, udpSIZE, udpSIZEq (flat out only), rekey, flat,
                   pingfirst (the first seconds; ping waits until a daemon has come to rest)
  --quick          short and rough: to see that all of it works
  --json FILE      every figure, written after each visit
  --pump DIR       measure the reference pump too: DIR/pump/pump.c
  --wireguard FILE measure this wireguard-go too, as wireguard-new

Contestants: plain, libipsec-gcm, libipsec-cbc, libipsec-chacha, openvpn, wireguard, pump-vaes, pump-evp, pump-chacha,
espalier-gcm, espalier-cbc, espalier-chacha (in UDP), espalier-raw (AES-GCM, protocol 50). Variants of the last four:
  espalier-gcm:workers=2:without=uso+udpgro     options of the daemon (--io-without)
  espalier-gcm:ESPALIER_NO_VAES=1               its environment
  espalier-gcm:tunnels=10000                    with so many tunnels' SAs installed, one of them busy
`;

const UDP = /^udp(\d+)(q?)$/;
const MORE = ['rekey', 'flat', 'pingfirst'];

/** Throws with a sentence when it does not understand. */
export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      only: { type: 'string', multiple: true },
      tests: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      pump: { type: 'string' },
      wireguard: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { quick, json, pump, wireguard, help } = values;
  const tests = list(values.tests) ?? TESTS;
  const unknown = tests.filter((test) => !isTest(test));
  if (unknown.length > 0) throw new Error(`there is no test ${unknown.join(', ')}`);
  return {
    rounds: number('rounds', values.rounds, quick ? 1 : 3),
    seconds: number('seconds', values.seconds, quick ? 2 : 5),
    only: list(values.only),
    ...{ tests, quick, json, pump, wireguard, help },
  };
}

/** The payload and whether the search for the highest rate is left out, of a `udp…` test. */
export function udpTest(test: string): { readonly size: number; readonly flatOut: boolean } | undefined {
  const found = UDP.exec(test);
  return found ? { size: Number(found[1]), flatOut: found[2] === 'q' } : undefined;
}

function isTest(test: string): boolean {
  const known: readonly string[] = [...TESTS, ...MORE];
  const udp = udpTest(test);
  return known.includes(test) || (udp !== undefined && udp.size >= 8 && udp.size <= 1472);
}

function list(words: readonly string[] | undefined): readonly string[] | undefined {
  return words?.flatMap((word) => word.split(',')).filter((word) => word !== '');
}

function number(name: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`--${name} is a number from 1 to 9999, not ${text}`);
  return Number(text);
}
