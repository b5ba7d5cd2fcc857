// What an operator reads when phase 1 or quick mode is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProposals } from '../../../src/config/proposal.ts';
import type { Reason } from '../../../src/ike/reason.ts';
import { transformName } from '../../../src/ike/transforms.ts';
import { readIke } from '../../../src/ike/v1/ikeproposal.ts';
import { noProposal } from '../../../src/ike/v1/phase1.ts';
import { readQuick } from '../../../src/ike/v1/quickproposal.ts';
import { EXCHANGE } from '../../../src/ike/v1/wire/constants.ts';
import { encodeMessage } from '../../../src/ike/v1/wire/message.ts';
import { short } from '../../support/attributes.ts';
import { connection, id, offers, sides1 } from '../../support/connections.ts';
import { note as said } from '../../support/ear.ts';
import { Pair, type Side } from '../../support/pair.ts';
import { v1 } from '../../support/v1.ts';

function note(side: Side): Reason {
  const notes = side.events.flatMap((event) => (event.kind === 'note' ? [event.reason] : []));
  assert.ok(notes[0], side.kinds().join(' '));
  return notes[0];
}

test('a refused phase 1 speaks of the hash once, and its remedy is a proposal that IKEv1 takes', () => {
  const [left, right] = sides1({ offers: offers('3des-md5-modp1024', 'ike') });
  const conn = { ...right.connections[0], offers: offers('aes128-sha256-modp2048', 'ike') };
  const pair = new Pair(left, { ...right, connections: [connection(conn)] });
  pair.left.initiate();
  pair.run(1000);
  const { text, remedy, misses = [] } = note(pair.right);
  assert.doesNotMatch(`${text} ${remedy}`, /prf/i);
  assert.match(text, /integrity: we want HMAC_SHA2_256_128, the peer HMAC_MD5_96/);
  assert.ok(misses.every(({ kind }) => kind !== 'prf'));
  const [, words] = /^add the proposal (\S+) \(weak\) to /.exec(remedy ?? '') ?? [];
  assert.equal(words, '3des-md5-modp1024');
  assert.ok(parseProposals(words, 'ike', 1).ok);
});

function encryption(type: number, keyBits?: number): string {
  const attributes = [short(1, type), short(2, 2), short(3, 1), short(4, 2)];
  if (keyBits !== undefined) attributes.push(short(14, keyBits));
  const transforms = [{ number: 1, id: 1, attributes }];
  const proposals = [{ number: 1, protocol: 1, spi: new Uint8Array(0), transforms }];
  const reason = noProposal(connection({ offers: offers('aes128-sha256-modp2048', 'ike') }), proposals, 'us');
  const [read] = readIke(proposals);
  const name = read?.as.transforms[0] ? transformName(read.as.transforms[0]) : '';
  assert.ok(reason.text.includes(`the peer ${name};`), reason.text);
  return name;
}

test('ciphers of old devices have names, though we have not got them', () => {
  assert.equal(encryption(2), 'IDEA_CBC');
  assert.equal(encryption(3, 128), 'BLOWFISH_CBC_128');
  assert.equal(encryption(4), 'RC5_CBC');
  assert.equal(encryption(6), 'CAST_CBC');
  assert.equal(encryption(8, 256), 'CAMELLIA_CBC_256');
  assert.equal(encryption(5, 192), '3DES_CBC+unknown-attribute');
  const esp = (number: number) => {
    const transforms = [{ number: 1, id: number, attributes: [short(4, 1), short(5, 2)] }];
    const [read] = readQuick([{ number: 1, protocol: 3, spi: new Uint8Array(4), transforms }]);
    return read?.as.transforms[0] && transformName(read.as.transforms[0]);
  };
  assert.deepEqual([4, 5, 6, 7, 22].map(esp), ['RC5_CBC', 'IDEA_CBC', 'CAST_CBC', 'BLOWFISH_CBC', 'CAMELLIA_CBC']);
});

test('in aggressive mode a stranger’s name is told, and whom we expect', () => {
  const pair = new Pair(
    ...sides1({ aggressive: true, localId: id('nobody.test') }, false, {
      remoteId: { kind: 'is', id: id('left.test') },
    }),
  );
  pair.left.initiate();
  pair.run(1000);
  const { code, text, remedy } = note(pair.right);
  assert.equal(code, 'unknown-id');
  assert.equal(text, 'the peer calls itself ID_FQDN nobody.test; we expect ID_FQDN left.test');
  assert.match(remedy ?? '', /^set the remote `id`.* to nobody\.test/);
});

test('where no connection takes aggressive mode, that is what is told', () => {
  const pair = new Pair(...sides1({ aggressive: true }, false, { aggressive: false }));
  pair.left.initiate();
  pair.run(1000);
  const { text, remedy } = note(pair.right);
  assert.match(text, /begins in aggressive mode, and no connection here takes that/);
  assert.match(remedy ?? '', /set `aggressive = yes` in connection/);
});

test('who began in IKEv1 is not said to refuse the version, whatever is said in the clear', () => {
  const pair = new Pair(...sides1({}));
  pair.wire.tamper = (bytes, from) => (from === pair.left && pair.left.sent.length > 1 ? undefined : bytes);
  pair.left.initiate();
  pair.run(500);
  const { spiI, spiR } = v1(pair.right.endpoint.sessions()[0]).state;
  const clear = said('INVALID_MAJOR_VERSION');
  const bytes = encodeMessage({ spiI, spiR, exchange: EXCHANGE.INFORMATIONAL, messageId: 7 }, [clear]);
  pair.inject(pair.right, bytes, { ip: '192.0.2.1', port: 500 });
  const reason = pair.right.last('note')?.reason;
  assert.equal(reason?.notify, 'INVALID_MAJOR_VERSION');
  assert.doesNotMatch(`${reason?.text}`, /with which we began/);
});

test('a tunnel that is taken down as soon as it is up is no sign that the peer does not expect us', () => {
  const pair = new Pair(...sides1({}));
  const first = pair.left.initiate();
  pair.run(300);
  assert.equal(pair.right.live.sessions[0]?.state.children.length, 1);
  pair.left.run(pair.left.endpoint.close(pair.now, first, { code: 'requested', text: 'closed' }));
  pair.run(300);
  assert.equal(pair.right.last('session-closed')?.reason.code, 'peer-deleted');
});

test('a redundant IKE SA that the peer deletes at once is no sign that it does not expect us', () => {
  const pair = Pair.up(...sides1({}));
  const second = pair.left.initiate([]);
  pair.run(300);
  pair.left.run(pair.left.endpoint.close(pair.now, second, { code: 'requested', text: 'closed' }));
  pair.run(300);
  assert.equal(pair.right.last('session-closed')?.reason.code, 'peer-deleted');
});
