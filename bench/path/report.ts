// The tables at the end: medians and extremes of what was measured, and ratios round by round.

import { Table } from '../table.ts';
import type { Contestant } from './contestants.ts';
import { counting, type Figure, noisy, ratios } from './stats.ts';
import type { Visit } from './visit.ts';

type Column = readonly [title: string, figure: string];

const TABLES: readonly (readonly [title: string, columns: readonly Column[]])[] = [
  [
    'TCP, Mbit/s of goodput',
    [
      ['one stream', 'tcp1.mbps'],
      ['four', 'tcp4.mbps'],
      ['reverse', 'tcpR.mbps'],
      ['both ways', 'bidir.mbps'],
      ['retransmits of one', 'tcp1.retransmits'],
    ],
  ],
  [
    'Ping of 200 bytes, ms: idle, and beside one TCP stream',
    [
      ['p50', 'ping.p50'],
      ['p99', 'ping.p99'],
      ['max', 'ping.max'],
      ['lost', 'ping.lost'],
      ['first p50', 'pingfirst.p50'],
      ['first p99', 'pingfirst.p99'],
      ['loaded p50', 'pingload.p50'],
      ['loaded p99', 'pingload.p99'],
      ['loaded max', 'pingload.max'],
      ['loaded lost', 'pingload.lost'],
    ],
  ],
  [
    'CPU seconds per GB, one TCP stream; MB of resident memory, the larger daemon',
    [
      ['both daemons', 'tcp1.daemons'],
      ['machine', 'tcp1.machine'],
      ['MB before', 'rss.before'],
      ['MB after', 'rss.after'],
    ],
  ],
  [
    'Rekeys: the second after each beside the second before it, in steps of 100 ms; packets lost of 10 000/s',
    [
      ['rekeys', 'rekey.count'],
      ['TCP lower by, %', 'rekey.mean'],
      ['lowest step, % of mean', 'rekey.lowest'],
      ['the same without', 'rekey.usual'],
      ['UDP lost, one each second', 'rekey.lost'],
      ['UDP lost without', 'rekey.lostalone'],
    ],
  ],
  [
    'Resident memory, MB, the larger daemon',
    [
      ['idle', 'flat.idle'],
      ['TCP both ways, most', 'flat.stream'],
      ['UDP flood, most', 'flat.flood'],
      ['afterwards', 'flat.after'],
    ],
  ],
];

const RATIOS: readonly Column[] = [
  ['TCP one', 'tcp1.mbps'],
  ['four', 'tcp4.mbps'],
  ['reverse', 'tcpR.mbps'],
  ['both ways', 'bidir.mbps'],
  ['ping p99', 'ping.p99'],
  ['first p99', 'pingfirst.p99'],
  ['loaded p99', 'pingload.p99'],
  ['CPU/GB', 'tcp1.daemons'],
];

const REFERENCES = [
  ['libipsec', 'Ratios to strongSwan/libipsec with the same suite'],
  ['pump', 'Ratios to the reference pump with the same cipher'],
  ['base', 'Ratios of variants to what they vary (of raw ESP to ESP in UDP)'],
] as const;

export function report(visits: readonly Visit[], contestants: readonly Contestant[]): void {
  const sizes = udpSizes(visits);
  const [tcp, ...rest] = TABLES;
  const udp = ['UDP, packets/s delivered', sizes.flatMap(udpColumns)] as const;
  for (const [title, columns] of tcp ? [tcp, udp, ...rest] : []) {
    const table = new Table(title);
    let filled = false;
    for (const { label } of contestants) {
      for (const [column, figure] of columns) {
        for (const { value } of counting(figuresOf(visits, label, figure))) {
          table.add(label, { [column]: value });
          filled = true;
        }
      }
    }
    if (filled) table.print();
  }
  for (const [reference, title] of REFERENCES) compare(visits, contestants, reference, title, sizes);
  remarks(visits);
}

function compare(
  visits: readonly Visit[],
  contestants: readonly Contestant[],
  reference: (typeof REFERENCES)[number][0],
  title: string,
  sizes: readonly number[],
): void {
  const table = new Table(title);
  let filled = false;
  for (const who of contestants) {
    const other = who[reference];
    if (other === undefined) continue;
    for (const [column, figure] of [...RATIOS, ...sizes.flatMap(udpColumns)]) {
      for (const value of ratios(figuresOf(visits, who.label, figure), figuresOf(visits, other, figure))) {
        table.add(`${who.label} / ${other}`, { [column]: value });
        filled = true;
      }
    }
  }
  if (filled) table.print();
}

/** Of one contestant, each round's. */
export function figuresOf(visits: readonly Visit[], label: string, name: string): readonly Figure[] {
  return visits
    .filter((visit) => visit.label === label)
    .flatMap(({ round, results }) =>
      results.flatMap(({ figures, foreign }) => {
        const value = figures[name];
        return value === undefined || Number.isNaN(value) ? [] : [{ round, value, foreign }];
      }),
    );
}

function udpSizes(visits: readonly Visit[]): readonly number[] {
  const names = visits.flatMap(({ results }) => results.flatMap(({ figures }) => Object.keys(figures)));
  const sizes = names.flatMap((name) => /^udp(\d+)\.delivered$/.exec(name)?.[1] ?? []);
  return [...new Set(sizes.map(Number))].sort((a, b) => a - b);
}

function udpColumns(size: number): readonly Column[] {
  return [
    [`${size} B flat out`, `udp${size}.delivered`],
    [`${size} B, < 1 % lost`, `udp${size}.lossless`],
  ];
}

function remarks(visits: readonly Visit[]): void {
  const all = visits.flatMap(({ results }) => results);
  const loud = all.filter(noisy);
  console.log(
    `\n${visits.length} visits, ${all.length} tests; in ${loud.length} of them others used the machine: ` +
      'these are left out where two quiet rounds remain',
  );
  for (const { label, round, failed } of visits) {
    if (failed !== undefined) console.log(`failed: ${label}, round ${round}: ${failed.split('\n', 1)}`);
  }
}
