// Extended sequence numbers: offered as they are written, chosen by the order of who answers, and part of what the data
// plane is told. RFC 7296 §3.3.2, §3.3.3.

import assert from 'node:assert/strict';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { sides } from '../../support/connections.ts';
import { Pair } from '../../support/pair.ts';
import { change, request } from '../../support/tamper.ts';
import { ah, apart, bare, create, esp, rekey } from './kinds.ts';
import { ends, one, quiet, settled, situation } from './narrate.ts';

situation('esn', 'are in use where both offer them, of ESP and of AH, and after every rekeying', (side) => {
  for (const config of [esp('aes128gcm16-esn'), esp('aes128-sha256-esn-noesn'), ah('sha256-esn')]) {
    const pair = Pair.up(...sides({ children: [config] }));
    const { me, peer } = ends(pair, side);
    const check = () => {
      for (const each of [me, peer]) {
        assert.equal(each.live.children[0]?.suite.esn, true);
        assert.deepEqual(
          each.plane.sas.map(({ esn }) => esn),
          [true],
        );
      }
    };
    check();
    rekey(me);
    settled(pair);
    check();
    rekey(peer);
    settled(pair);
    check();
    quiet(pair);
  }
});

situation('esn', 'the order of who answers decides', (side) => {
  for (const [mine, theirs, esn] of [
    ['aes128gcm16-esn-noesn', 'aes128gcm16-noesn-esn', false],
    ['aes128gcm16-noesn-esn', 'aes128gcm16-esn-noesn', true],
    ['aes128gcm16-esn-noesn', 'aes128gcm16', false],
    ['aes128gcm16', 'aes128gcm16-esn-noesn', false],
    ['aes128gcm16-esn-noesn', 'aes128gcm16-esn', true],
    ['aes128gcm16-esn,aes128gcm16', 'aes128gcm16', false],
  ] as const) {
    const pair = bare(apart(side, esp(mine), esp(theirs)));
    const { me, peer } = ends(pair, side);
    create(me);
    pair.run(1000);
    one(pair);
    for (const each of [me, peer]) assert.equal(each.plane.sas[0]?.esn, esn, `${mine} against ${theirs}`);
  }
});

situation('esn', 'one side insists and the other does not have them: the refusal says what to add', (side) => {
  for (const [mine, theirs, word] of [
    [esp('aes128gcm16-esn'), esp('aes128gcm16'), 'esn'],
    [esp('aes128gcm16'), esp('aes128gcm16-esn'), 'noesn'],
    [ah('sha256-esn'), ah('sha256'), 'esn'],
  ] as const) {
    const pair = bare(apart(side, mine, theirs));
    const { me, peer } = ends(pair, side);
    create(me);
    pair.run(1000);
    assert.deepEqual([...me.plane.sas, ...peer.plane.sas], []);
    const reason = peer.last('child-failed')?.reason;
    assert.equal(reason?.code, 'no-child-proposal');
    const names = word === 'esn' ? ['NO_EXT_SEQ', 'EXT_SEQ'] : ['EXT_SEQ', 'NO_EXT_SEQ'];
    assert.match(reason?.text ?? '', new RegExp(`sequence numbers: we want ${names[0]}, the peer ${names[1]}$`));
    assert.match(
      reason?.remedy ?? '',
      new RegExp(
        `^peer offers ${word}; add \`-${word}\` to \`(esp|ah)_proposals\` in gw\\.conf:1[12], or have the peer offer`,
      ),
    );
  }
});

situation('esn', 'a proposal without a word on them means 32 bits', (side) => {
  const silent = (payloads: readonly Payload[]) =>
    payloads.map((payload) =>
      payload.tag === 'SA'
        ? {
            ...payload,
            proposals: payload.proposals.map((proposal) => ({
              ...proposal,
              transforms: proposal.transforms.filter(({ type }) => type !== 5),
            })),
          }
        : payload,
    );
  for (const theirs of ['aes128gcm16-esn-noesn', 'aes128gcm16-esn']) {
    const pair = bare(apart(side, esp('aes128gcm16'), esp(theirs)));
    const { me, peer } = ends(pair, side);
    change(pair, request(me, 'CREATE_CHILD_SA'), silent, 1);
    create(me);
    pair.run(1000);
    if (theirs.endsWith('noesn')) {
      assert.equal(peer.plane.sas[0]?.esn, false);
      continue;
    }
    assert.deepEqual(peer.plane.sas, []);
    assert.match(peer.last('child-failed')?.reason.remedy ?? '', /^peer offers noesn; add `-noesn` to `esp_proposals`/);
  }
});
