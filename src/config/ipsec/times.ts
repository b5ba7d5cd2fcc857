// When SAs are renewed and when they end. ipsec.conf says when they end and how long before they are renewed,
// swanctl.conf when they are renewed. The rule is strongSwan's (ipsec.conf(5), SA EXPIRY/REKEY): at the end less the
// margin, less a random part of it; with `rekey=no` they neither are renewed nor end.

import type { Millis } from '../../ike/connection.ts';
import type { Findings } from '../error.ts';
import type { Section } from '../settings.ts';
import { Values } from '../values.ts';
import type { Draft } from './draft.ts';
import { keywordAt } from './keywords.ts';

export function draftTimes(from: Section, connection: Draft, child: Draft, findings: Findings): void {
  const values = new Values(from, 'conn', findings, keywordAt);
  const reauth = values.yesno('reauth') ?? true;
  if (values.yesno('rekey') === false) {
    connection.set('rekey_time', 'rekey', '0');
    child.set('rekey_time', 'rekey', '0');
    return;
  }
  const margin: Margin = {
    time: values.duration('margintime') ?? 0,
    fuzz: values.percent('rekeyfuzz') ?? 0,
    written: values.isSet('margintime'),
  };
  const ike = lifeOf(values, 'ikelifetime', margin, findings);
  connection.set(reauth ? 'reauth_time' : 'rekey_time', 'ikelifetime', ms(ike.renewed));
  connection.set('over_time', 'margintime', ms(ike.ends - ike.renewed));
  connection.set('rand_time', 'rekeyfuzz', ms(ike.random));
  const own = lifeOf(values, 'lifetime', margin, findings);
  child.set('rekey_time', 'lifetime', ms(own.renewed));
  child.set('life_time', 'lifetime', ms(own.ends));
  child.set('rand_time', 'rekeyfuzz', ms(own.random));
  const amounts = { values, child, fuzz: margin.fuzz, findings };
  draftAmount('bytes', values.integer('lifebytes') ?? 0, values.integer('marginbytes') ?? 0, amounts);
  draftAmount('packets', values.integer('lifepackets') ?? 0, values.integer('marginpackets') ?? 0, amounts);
}

interface Margin {
  readonly time: Millis;
  /** A share of it. */
  readonly fuzz: number;
  readonly written: boolean;
}

interface Life {
  readonly renewed: Millis;
  readonly ends: Millis;
  readonly random: Millis;
}

const ENDLESS: Life = { renewed: 0, ends: 0, random: 0 };

function lifeOf(values: Values, word: 'ikelifetime' | 'lifetime', margin: Margin, findings: Findings): Life {
  const ends = values.duration(word) ?? 0;
  if (ends === 0) return ENDLESS;
  const { fuzz, written } = margin;
  let { time } = margin;
  const spelled = values.wordOf(word);
  if (written && (time === 0 || time * (1 + fuzz) >= ends)) {
    const why = time === 0 ? 'it cannot be 0: renewal takes time' : `with rekeyfuzz it has to be less than ${spelled}`;
    values.error('margintime', why);
    return ENDLESS;
  }
  if (time * (1 + fuzz) >= ends) {
    // As swanctl.conf has it by default, or as much as the fuzz leaves.
    time = Math.floor(ends * Math.min(1 / 10, 1 / 2 / (1 + fuzz)));
    const text = `margintime is not written, and the usual 9m are too long for this ${spelled}: ${seconds(time)} are taken`;
    findings.warn(`margin ${spelled}`, values.placeOf(word), text);
  }
  return { renewed: ends - time, ends, random: Math.floor(time * fuzz) };
}

interface Amounts {
  readonly values: Values;
  readonly child: Draft;
  readonly fuzz: number;
  readonly findings: Findings;
}

function draftAmount(unit: 'bytes' | 'packets', ends: number, margin: number, to: Amounts): void {
  const { values, child, fuzz, findings } = to;
  const [life, before] = [`life${unit}`, `margin${unit}`];
  if (ends === 0) return;
  child.set(`life_${unit}`, life, `${ends}`);
  if (margin === 0) {
    const text = `child "${child.name}" gets no new keys before it ends after its ${life}: write ${before} too`;
    findings.warn(`${life} ${child.name}`, values.placeOf(life), text);
  } else if (margin * (1 + fuzz) >= ends) {
    values.error(before, `with rekeyfuzz it has to be less than ${life}`);
  } else {
    child.set(`rekey_${unit}`, life, `${ends - margin}`);
    child.set(`rand_${unit}`, 'rekeyfuzz', `${Math.floor(margin * fuzz)}`);
  }
}

function ms(time: Millis): string {
  return `${time}ms`;
}

function seconds(time: Millis): string {
  return `${time / 1000}s`;
}
