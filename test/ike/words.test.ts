// A refusal names options as the operator's file does: places of an ipsec.conf bring its words along.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Place } from '../../src/ike/connection.ts';
import { reasonMode } from '../../src/ike/fit.ts';
import { reasonAuth } from '../../src/ike/proof.ts';
import { resolveTs } from '../../src/ike/ts.ts';
import { nothingToOffer } from '../../src/ike/v1/why.ts';
import { reasonNoProposal, reasonTs } from '../../src/ike/why.ts';
import { PROTOCOL, TRANSFORM } from '../../src/ike/wire/constants.ts';
import { addressWord, assignment, mirrored, wordFor } from '../../src/ike/words.ts';
import { child, id, offers, selectors } from '../support/connections.ts';

function at(line: number, option?: string): Place {
  return { file: 'ipsec.conf', line, column: 5, ...(option === undefined ? {} : { option }) };
}

const proposals = { theirs: undefined, by: 'peer', offers: offers('aes128-sha256-modp2048', 'ike') } as const;

test('without a word of its own an option is called as in swanctl.conf', () => {
  const config = { where: new Map([['remote_addrs', at(4)]]) };
  assert.deepEqual([wordFor(config, 'remote_addrs'), wordFor(config, 'version')], ['remote_addrs', 'version']);
  assert.equal(assignment(config, 'mode', 'tunnel'), 'mode = tunnel');
  assert.deepEqual([addressWord([]), addressWord([config])], ['remote_addrs', 'remote_addrs']);
});

test('with one it is called by that, and written as there', () => {
  const config = {
    where: new Map([
      ['remote_addrs', at(4, 'right')],
      ['mode', at(1, 'type')],
    ]),
  };
  assert.deepEqual([wordFor(config, 'remote_addrs'), addressWord([config])], ['right', 'right']);
  assert.equal(assignment(config, 'mode', 'tunnel'), 'type=tunnel');
  assert.deepEqual([mirrored('leftsubnet'), mirrored('right')], ['rightsubnet', 'left']);
});

test('proposals are those of ike, esp and ah', () => {
  const ike = reasonNoProposal({ ...proposals, protocol: PROTOCOL.IKE, where: at(9, 'ike') });
  assert.match(ike.remedy ?? '', /\(`ike` in ipsec\.conf:9\);/);
  const transforms = [{ type: TRANSFORM.INTEG, id: 12 }];
  const theirs = [{ number: 1, protocol: PROTOCOL.AH, spi: Uint8Array.of(1, 2, 3, 4), transforms }];
  const esp = { offers: offers('aes128-sha256', 'esp'), theirs, protocol: PROTOCOL.ESP, by: 'us' } as const;
  assert.match(
    reasonNoProposal({ ...esp, where: at(8, 'esp') }).remedy ?? '',
    /^write `ah` in place of `esp` in ipsec\.conf:8,/,
  );
  assert.match(reasonNoProposal({ ...esp, where: at(8) }).remedy ?? '', /^write `ah_proposals` in place of `esp_prop/);
  const where = new Map([['esp_proposals', at(8, 'esp')]]);
  assert.equal(nothingToOffer(child({ where })).text, 'none of esp can be written in IKEv1');
  assert.equal(nothingToOffer(child()).text, 'none of esp_proposals can be written in IKEv1');
});

test('selectors are those of the left and the right end, whichever is ours', () => {
  const nothing = { local: [], remote: [], by: 'peer' } as const;
  const written = (side: string, option?: string) => ({ where: new Map([[`${side}_ts`, at(3, option)]]) });
  const remedy = (option?: string) => reasonTs({ ...nothing, config: written('local', option) }).remedy ?? '';
  assert.match(remedy('leftsubnet'), /`leftsubnet` and `rightsubnet` in ipsec\.conf:3:/);
  assert.match(remedy('rightsubnet'), /`rightsubnet` and `leftsubnet` in ipsec\.conf:3:/);
  assert.match(remedy(), /`local_ts` and `remote_ts` in ipsec\.conf:3:/);
  const [ours, others] = [selectors('10.1.0.0/24'), selectors('10.9.0.0/24')].map((some) =>
    resolveTs(some, '192.0.2.1'),
  );
  assert.ok(ours && others);
  const theirs = { local: ours, remote: others };
  const apart = { by: 'us', local: ours, remote: ours, theirs, config: written('remote', 'rightsubnet') } as const;
  assert.match(
    reasonTs(apart).remedy ?? '',
    /^set `rightsubnet` in ipsec\.conf:3 to 10\.9\.0\.0\/24, or the peer's local/,
  );
});

test('identities are leftid and rightid, and a secret is a line of ipsec.secrets', () => {
  const [localId, remoteId] = [id('a'), id('b')];
  const named = (place: Place) => ({
    where: new Map([
      ['local.id', place],
      ['remote.id', place],
    ]),
  });
  const unknown = { kind: 'unknown-id', by: 'us', localId, remoteId } as const;
  assert.match(
    reasonAuth({ ...unknown, config: named(at(5, 'rightid')) }).remedy ?? '',
    /^set `rightid` in ipsec\.conf:5 to b,/,
  );
  assert.match(
    reasonAuth({ ...unknown, config: named(at(5)) }).remedy ?? '',
    /^set the remote `id` in ipsec\.conf:5 to b,/,
  );
  const asked = { ...unknown, wanted: id('c') };
  assert.match(
    reasonAuth({ ...asked, config: named(at(6, 'leftid')) }).remedy ?? '',
    /^set `leftid` in ipsec\.conf:6 to c,/,
  );
  assert.match(
    reasonAuth({ ...asked, config: named(at(6)) }).remedy ?? '',
    /^set the local `id` in ipsec\.conf:6 to c,/,
  );
  const none = { kind: 'no-psk', by: 'us', localId, remoteId } as const;
  assert.match(
    reasonAuth({ ...none, config: named(at(5, 'rightid')) }).remedy ?? '',
    /or add a secret for it: a b : PSK …$/,
  );
  assert.match(
    reasonAuth({ ...none, config: named(at(5)) }).remedy ?? '',
    /or add a secret with id-1 = a and id-2 = b$/,
  );
});

test('the mode of a child is its type', () => {
  const where = new Map([['mode', at(7, 'type')]]);
  const config = child({ mode: 'transport', where });
  const { remedy } = reasonMode({ config, peer: 'tunnel', outcome: 'tunnel' });
  assert.equal(remedy, 'set the peer to transport mode, or set `type=tunnel` in ipsec.conf:7');
});
