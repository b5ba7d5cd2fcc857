// Where AH cannot be, or the peer means something else by it: a NAT, UDP, ESP on the other side, and proposals that make
// no sense. RFC 3715 §2.1; RFC 7296 §2.7, §3.3.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Payload, Transform } from '../../../src/ike/wire/payload.ts';
import { selectors, sides } from '../../support/connections.ts';
import { behindNat, Pair } from '../../support/pair.ts';
import { change, listen, request, response } from '../../support/tamper.ts';
import { ah, apart, bare, closeChild, create, esp, rekey, spi, WHERE } from './kinds.ts';
import { ends, settled, situation } from './narrate.ts';

for (const [what, forced] of [
  ['a NAT', false],
  ['forced UDP', true],
] as const) {
  situation('ah-nat', `is not to be had with ${what}: the side that sees it first says why`, (side) => {
    const [left, right] = sides({ children: [ah()] });
    const over = forced ? { rawEsp: false } : {};
    const pair = new Pair(
      side === 'left' ? { ...left, ...over } : left,
      side === 'right' ? { ...right, ...over } : right,
    );
    if (!forced) {
      behindNat(pair[side], '203.0.113.5');
      if (side === 'right') for (const port of [500, 4500]) pair.right.nat?.ports.set(port, port);
    }
    const lines = listen(pair);
    pair.left.initiate();
    pair.run(2000);
    // IKE_AUTH goes without a child (RFC 6023): another one may be wanted.
    assert.deepEqual(lines.slice(2), ['left: IDi N(INITIAL_CONTACT) IDr AUTH', 'right: IDr AUTH']);
    const reason = pair.left.last('child-failed')?.reason;
    assert.equal(reason?.code, 'ah-nat');
    assert.equal(reason?.by, 'us');
    const who = side === 'left' ? 'us' : 'the peer';
    const nat = `AH protects the addresses of its packets, and a NAT in front of ${who} changes them${side === 'left' ? '' : ' (or the peer forces UDP)'}`;
    const raw = 'AH is an IP protocol of its own, never in UDP, and there is no raw socket for it here';
    assert.equal(reason?.text, forced && side === 'left' ? raw : nat);
    assert.match(
      reason?.remedy ?? '',
      /write `esp_proposals` in place of `ah_proposals` in gw\.conf:11, and the same at/,
    );
    assert.deepEqual(reason?.where, WHERE.get('ah_proposals'));
    assert.deepEqual([...pair.left.plane.sas, ...pair.right.plane.sas], []);
    // Asked for again, the answer is the same.
    create(pair.left);
    pair.run(1000);
    assert.equal(pair.left.count('child-failed'), 2);
    assert.equal(lines.length, 4);
  });
}

situation('ah-nat', 'a peer that asks for it through a NAT is refused, and ESP beside it stands', (side) => {
  const nets = { localTs: selectors('10.1.9.0/24'), remoteTs: selectors('10.2.9.0/24') };
  const children = [ah(), esp('aes128gcm16', { name: 'other', ...nets })];
  const pair = new Pair(...sides({ children }));
  behindNat(pair[side], '203.0.113.5');
  if (side === 'right') for (const port of [500, 4500]) pair.right.nat?.ports.set(port, port);
  pair.left.initiate();
  pair.run(2000);
  // The child that can be had goes with IKE_AUTH.
  for (const each of [pair.left, pair.right]) {
    assert.deepEqual(
      each.live.children.map(({ name, protocol }) => [name, protocol]),
      [['other', 'esp']],
    );
  }
  settled(pair);
  // A peer that does not know better.
  const { me, peer } = ends(pair, side);
  change(pair, request(me, 'CREATE_CHILD_SA'), (payloads) =>
    payloads.map((payload) => {
      if (payload.tag === 'SA') {
        const transforms: Transform[] = [
          { type: 3, id: 12 },
          { type: 5, id: 0 },
        ];
        return { ...payload, proposals: [{ number: 1, protocol: 2, spi: Uint8Array.of(1, 2, 3, 4), transforms }] };
      }
      const ts = { TSi: ah().localTs, TSr: ah().remoteTs };
      if (payload.tag !== 'TSi' && payload.tag !== 'TSr') return payload;
      const asked = side === 'left' ? ts[payload.tag] : ts[payload.tag === 'TSi' ? 'TSr' : 'TSi'];
      return { ...payload, selectors: asked.flatMap((one) => (one.kind === 'fixed' ? one.selector : [])) };
    }),
  );
  closeChild(me);
  pair.run(1000);
  create(me, 'other');
  pair.run(1000);
  assert.equal(me.last('child-failed')?.reason.notify, 'NO_PROPOSAL_CHOSEN');
  assert.equal(peer.last('child-failed')?.reason.code, 'ah-nat');
  assert.equal(peer.last('child-failed')?.child, 'net');
});

test('towards a peer that needs a child in IKE_AUTH, AH alone and a NAT end the attempt with the reason', () => {
  const [left, right] = sides({ children: [ah()] }, { childless: 'never' });
  const pair = new Pair(left, right);
  behindNat(pair.left, '203.0.113.5');
  pair.left.initiate();
  pair.run(2000);
  assert.equal(pair.left.last('session-closed')?.reason.code, 'ah-nat');
  assert.equal(pair.left.last('child-failed')?.reason.code, 'ah-nat');
  assert.equal(pair.left.live.sessions.length, 0);
});

situation('ah-esp', 'the one that is asked says which protocol each wants', (side) => {
  for (const [mine, theirs, offered, wanted, remedy] of [
    [
      ah(),
      esp(),
      'AH',
      'ESP',
      'write `ah_proposals` in place of `esp_proposals` in gw.conf:12, or have the peer offer ESP',
    ],
    [
      esp(),
      ah(),
      'ESP',
      'AH',
      'write `esp_proposals` in place of `ah_proposals` in gw.conf:11, or have the peer offer AH',
    ],
  ] as const) {
    const pair = bare(apart(side, mine, theirs));
    const { me, peer } = ends(pair, side);
    create(me);
    pair.run(1000);
    assert.deepEqual([...me.plane.sas, ...peer.plane.sas], []);
    const reason = peer.last('child-failed')?.reason;
    assert.deepEqual([reason?.code, reason?.notify], ['no-child-proposal', 'NO_PROPOSAL_CHOSEN']);
    assert.equal(reason?.text, `the peer offers ${offered}, and we want ${wanted}`);
    assert.ok(reason?.remedy?.startsWith(remedy), reason?.remedy);
    const refused = me.last('child-failed')?.reason;
    assert.equal(refused?.text, `the peer accepts none of our ${offered} proposals`);
    assert.deepEqual(refused?.where, WHERE.get(offered === 'AH' ? 'ah_proposals' : 'esp_proposals'));
  }
});

situation('ah-esp', 'an answer for the other protocol is refused, and the child deleted', (side) => {
  const pair = bare(sides({ children: [ah()] }));
  const { me, peer } = ends(pair, side);
  change(
    pair,
    response(peer, 'CREATE_CHILD_SA'),
    (payloads) =>
      payloads.map((payload) =>
        payload.tag === 'SA'
          ? { ...payload, proposals: payload.proposals.map((proposal) => ({ ...proposal, protocol: 3 })) }
          : payload,
      ),
    1,
  );
  const lines = listen(pair);
  create(me);
  pair.run(1000);
  assert.equal(me.last('child-failed')?.reason.code, 'peer-error');
  assert.equal(lines[2], `${me.name}: D(AH)`);
  assert.deepEqual([...me.plane.sas, ...peer.plane.sas], []);
});

situation('ah-esp', 'a Delete or a REKEY_SA with the number of the other protocol is about another SA', (side) => {
  const pair = bare(sides({ children: [ah()] }));
  const { me, peer } = ends(pair, side);
  create(me);
  pair.run(1000);
  // INFORMATIONAL {D(ESP, SPI of a child of AH)} -->
  const asEsp = (payloads: readonly Payload[]) =>
    payloads.map((payload) => (payload.tag === 'D' || payload.tag === 'N' ? { ...payload, protocol: 3 } : payload));
  change(pair, request(me, 'CREATE_CHILD_SA'), asEsp, 1);
  rekey(me);
  const lines = listen(pair);
  pair.run(300);
  assert.ok(lines.includes(`${peer.name}: N(CHILD_SA_NOT_FOUND)`), lines.join('\n'));
  pair.run(10_000);
  assert.equal(pair.left.live.sessions.length, 1);
  assert.equal(peer.endpoint.counters().get('bug'), undefined);
  change(pair, request(me, 'INFORMATIONAL'), asEsp, 1);
  const before = peer.plane.sas.length;
  closeChild(me);
  pair.run(100);
  assert.equal(peer.plane.sas.length, before);
});

// SECURITY A6, A11: what a peer that has authenticated may still try.
test('AH proposals that make no sense cost the child and nothing else', () => {
  const proposals: [string, readonly Transform[]][] = [
    ['nothing at all', []],
    [
      'encryption',
      [
        { type: 1, id: 20, keyBits: 128 },
        { type: 3, id: 12 },
        { type: 5, id: 0 },
      ],
    ],
    [
      'encryption alone',
      [
        { type: 1, id: 12, keyBits: 128 },
        { type: 5, id: 0 },
      ],
    ],
    [
      'NULL encryption',
      [
        { type: 1, id: 11 },
        { type: 3, id: 12 },
        { type: 5, id: 0 },
      ],
    ],
    [
      'integrity NONE',
      [
        { type: 3, id: 0 },
        { type: 5, id: 0 },
      ],
    ],
    ['no integrity', [{ type: 5, id: 0 }]],
    [
      'a PRF',
      [
        { type: 2, id: 5 },
        { type: 3, id: 12 },
        { type: 5, id: 0 },
      ],
    ],
    [
      'a key length for a MAC',
      [
        { type: 3, id: 12, keyBits: 256 },
        { type: 5, id: 0 },
      ],
    ],
    [
      'integrity nobody knows',
      [
        { type: 3, id: 65_535 },
        { type: 5, id: 0 },
      ],
    ],
    [
      'ESN alone',
      [
        { type: 3, id: 12 },
        { type: 5, id: 1 },
      ],
    ],
    [
      'ESN 2',
      [
        { type: 3, id: 12 },
        { type: 5, id: 2 },
      ],
    ],
  ];
  for (const [what, transforms] of proposals) {
    const pair = bare(sides({ children: [ah('sha256-sha1')] }));
    const edited = (payloads: readonly Payload[]) =>
      payloads.map((payload) =>
        payload.tag === 'SA'
          ? { ...payload, proposals: [{ number: 1, protocol: 2, spi: spi(0x12345), transforms }] }
          : payload,
      );
    change(pair, request(pair.left, 'CREATE_CHILD_SA'), edited, 1);
    create(pair.left);
    pair.run(1000);
    assert.equal(pair.right.last('child-failed')?.reason.code, 'no-child-proposal', what);
    assert.deepEqual(pair.right.plane.sas, [], what);
    // The same in an answer.
    change(pair, response(pair.right, 'CREATE_CHILD_SA'), edited, 1);
    create(pair.left);
    pair.run(1000);
    assert.equal(pair.left.last('child-failed')?.reason.code, 'peer-error', what);
    assert.deepEqual(pair.left.plane.sas, [], what);
    create(pair.left);
    pair.run(1000);
    assert.equal(pair.right.live.children.length, 1, what);
    assert.equal(pair.right.endpoint.counters().get('bug'), undefined);
  }
});

test('an SPI of another size, or a reserved one, makes no child of AH', () => {
  for (const size of [0, 1, 3, 5, 8]) {
    const pair = bare(sides({ children: [ah()] }));
    change(pair, request(pair.left, 'CREATE_CHILD_SA'), (payloads) =>
      payloads.map((payload) =>
        payload.tag === 'SA'
          ? { ...payload, proposals: payload.proposals.map((proposal) => ({ ...proposal, spi: new Uint8Array(size) })) }
          : payload,
      ),
    );
    create(pair.left);
    pair.run(1000);
    // RFC 7296 §2.21.3: malformed, under keys that only the peer has.
    assert.equal(pair.right.live.sessions.length, 0, `${size} bytes`);
    assert.deepEqual([...pair.left.plane.sas, ...pair.right.plane.sas], []);
  }
  for (const reserved of [0, 1, 255]) {
    const pair = bare(sides({ children: [ah()] }));
    change(pair, request(pair.left, 'CREATE_CHILD_SA'), (payloads) =>
      payloads.map((payload) =>
        payload.tag === 'SA'
          ? { ...payload, proposals: payload.proposals.map((proposal) => ({ ...proposal, spi: spi(reserved) })) }
          : payload,
      ),
    );
    create(pair.left);
    pair.run(1000);
    assert.equal(pair.right.live.children.length, 0);
    assert.equal(pair.right.live.sessions.length, 1);
  }
});
