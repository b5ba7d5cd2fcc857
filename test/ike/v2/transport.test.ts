// Transport mode: asked for, agreed to, declined, narrowed to the two gateways, and through a NAT, where each side sees
// other addresses. RFC 7296 §1.3.1, §2.23.1.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSelector } from '../../../src/ike/ts.ts';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { LEFT_IP, RIGHT_IP, selectors, sides } from '../../support/connections.ts';
import { behindNat, Pair, type Side } from '../../support/pair.ts';
import { change, listen, note, read, request, response } from '../../support/tamper.ts';
import { apart, bare, create, esp, hosts, rekey } from './kinds.ts';
import { ends, flow, one, quiet, settled, situation } from './narrate.ts';
import type { SideName } from './situations.ts';

const OUTSIDE = '203.0.113.5';

function modes(pair: Pair): string[] {
  return [pair.left, pair.right].flatMap((side) => side.plane.sas.map(({ mode }) => mode));
}

/** `192.0.2.1/32 === 192.0.2.2/32`, as this side sees it. */
function seen(side: Side): string[] {
  return side.live.children.map(
    ({ localTs, remoteTs }) => `${localTs.map(formatSelector).join()} === ${remoteTs.map(formatSelector).join()}`,
  );
}

function notes(side: Side): string[] {
  return side.events.flatMap((event) => (event.kind === 'note' ? `${event.reason.code}: ${event.reason.text}` : []));
}

function translated(pair: Pair, side: SideName): { rebind: () => void } {
  const nat = behindNat(pair[side], OUTSIDE);
  if (side === 'right') for (const port of [500, 4500]) pair.right.nat?.ports.set(port, port);
  return nat;
}

/** What the request or the response of an exchange named as selectors. */
function offered(pair: Pair): string[] {
  const lines: string[] = [];
  pair.listener = (bytes, from) => {
    for (const payload of read(bytes, from)?.payloads ?? []) {
      if (payload.tag !== 'TSi' && payload.tag !== 'TSr') continue;
      lines.push(`${from.name} ${payload.tag} ${payload.selectors.map(formatSelector).join()}`);
    }
  };
  return lines;
}

situation('transport', 'agreed to in IKE_AUTH, and kept when either side rekeys', (side) => {
  const pair = new Pair(...sides({ children: [hosts()] }));
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  pair.left.initiate();
  pair.run(2000);
  assert.deepEqual(lines.slice(2), [
    // IKE_AUTH {IDi, N(INITIAL_CONTACT), IDr, AUTH, N(USE_TRANSPORT_MODE), SA, TSi, TSr} -->
    'left: IDi N(INITIAL_CONTACT) IDr AUTH N(USE_TRANSPORT_MODE) SA(ESP) TSi TSr',
    // <-- IKE_AUTH {IDr, AUTH, N(USE_TRANSPORT_MODE), SA, TSi, TSr}
    'right: IDr AUTH N(USE_TRANSPORT_MODE) SA(ESP) TSi TSr',
  ]);
  assert.deepEqual(seen(pair.left), [`${LEFT_IP}/32 === ${RIGHT_IP}/32`]);
  assert.deepEqual(seen(pair.right), [`${RIGHT_IP}/32 === ${LEFT_IP}/32`]);
  lines.length = 0;
  rekey(me);
  flow(pair, 1000);
  assert.deepEqual(lines.slice(0, 2), [
    // CREATE_CHILD_SA {N(REKEY_SA), N(USE_TRANSPORT_MODE), SA, Ni, TSi, TSr} -->
    `${me.name}: N(REKEY_SA) N(USE_TRANSPORT_MODE) SA(ESP) Nonce TSi TSr`,
    // <-- CREATE_CHILD_SA {N(USE_TRANSPORT_MODE), SA, Nr, TSi, TSr}
    `${peer.name}: N(USE_TRANSPORT_MODE) SA(ESP) Nonce TSi TSr`,
  ]);
  settled(pair);
  assert.deepEqual(modes(pair), ['transport', 'transport']);
  assert.deepEqual(pair.left.plane.sas[0]?.natted, false);
  me.run(me.endpoint.rekeyIke(pair.now, me.session));
  settled(pair);
  rekey(peer);
  settled(pair);
  assert.deepEqual(modes(pair), ['transport', 'transport']);
  quiet(pair);
  assert.deepEqual([...notes(me), ...notes(peer)], []);
});

situation('transport', 'agreed to in CREATE_CHILD_SA, whoever asks', (side) => {
  const pair = bare(sides({ children: [hosts(), hosts({ name: 'gre', localTs: selectors('dynamic[gre]') })] }));
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  create(me);
  pair.run(100);
  // CREATE_CHILD_SA {N(USE_TRANSPORT_MODE), SA, Ni, TSi, TSr} -->
  // <-- CREATE_CHILD_SA {N(USE_TRANSPORT_MODE), SA, Nr, TSi, TSr}
  assert.deepEqual(lines, [
    `${me.name}: N(USE_TRANSPORT_MODE) SA(ESP) Nonce TSi TSr`,
    `${peer.name}: N(USE_TRANSPORT_MODE) SA(ESP) Nonce TSi TSr`,
  ]);
  settled(pair);
  assert.deepEqual(modes(pair), ['transport', 'transport']);
  quiet(pair);
});

situation('transport-collision', 'both create or rekey it at once, and one is left, in transport mode', (side) => {
  for (const seed of [1, 2, 3, 4]) {
    const pair = new Pair(...sides({ children: [hosts()] }), seed);
    pair.left.initiate([]);
    pair.run(1000);
    const { me, peer } = ends(pair, side);
    create(me);
    create(peer);
    pair.run(1000);
    settled(pair);
    for (const each of [me, peer]) each.events.length = 0;
    rekey(me);
    rekey(peer);
    settled(pair);
    assert.deepEqual(modes(pair), ['transport', 'transport']);
    quiet(pair);
  }
});

// RFC 7296 §1.3.1: "If the responder declines the request, the Child SA will be established in tunnel mode."
situation(
  'transport-declined',
  'a peer that wants tunnel mode gets it, both say so, and rekeying asks no more',
  (side) => {
    for (const first of [true, false]) {
      const options = apart(side, hosts(), hosts({ mode: 'tunnel' }));
      const pair = first ? new Pair(...options) : bare(options);
      const { me, peer } = ends(pair, side);
      const lines = listen(pair);
      if (first) pair.left.initiate();
      else create(me);
      pair.run(2000);
      one(pair);
      assert.deepEqual(modes(pair), ['tunnel', 'tunnel']);
      // In IKE_AUTH the left one asks, whatever it wants.
      const asked = !first || side === 'left';
      assert.deepEqual(notes(me), [
        asked
          ? 'mode-mismatch: the peer declines transport mode: the child is in tunnel mode'
          : 'mode-mismatch: the peer asks for tunnel mode: the child is in tunnel mode',
      ]);
      assert.deepEqual(
        notes(peer),
        asked ? ['mode-mismatch: the peer asks for transport mode: the child is in tunnel mode'] : [],
      );
      const reason = me.last('note')?.reason;
      assert.deepEqual([reason?.want, reason?.got], [['transport'], ['tunnel']]);
      assert.equal(reason?.remedy, 'set the peer to transport mode, or set `mode = tunnel` in gw.conf:13');
      lines.length = 0;
      rekey(me);
      settled(pair);
      assert.equal(lines[0], `${me.name}: N(REKEY_SA) SA(ESP) Nonce TSi TSr`);
      rekey(peer);
      settled(pair);
      assert.deepEqual(modes(pair), ['tunnel', 'tunnel']);
      assert.equal(notes(me).length, 1);
      quiet(pair);
    }
  },
);

situation('transport-declined', 'where tunnel mode will not do, the initiator deletes the child', (side) => {
  const pair = bare(apart(side, hosts({ tunnelFallback: false }), hosts({ mode: 'tunnel' })));
  const { me, peer } = ends(pair, side);
  const lines = listen(pair);
  create(me);
  pair.run(2000);
  assert.deepEqual(lines, [
    `${me.name}: N(USE_TRANSPORT_MODE) SA(ESP) Nonce TSi TSr`,
    // <-- CREATE_CHILD_SA {SA, Nr, TSi, TSr}: it is there, in tunnel mode
    `${peer.name}: SA(ESP) Nonce TSi TSr`,
    // INFORMATIONAL {D} -->
    `${me.name}: D(ESP)`,
    // <-- INFORMATIONAL {D}
    `${peer.name}: D(ESP)`,
  ]);
  for (const each of [me, peer]) {
    assert.equal(each.plane.sas.length, 0);
    assert.equal(each.live.sessions.length, 1);
    assert.equal(each.endpoint.held.spis, 0);
  }
  const reason = me.last('child-failed')?.reason;
  assert.equal(reason?.code, 'mode-mismatch');
  assert.equal(reason?.by, 'peer');
  assert.equal(reason?.text, 'the peer declines transport mode, and tunnel mode will not do here');
  assert.match(reason?.remedy ?? '', /^set the peer to transport mode, or set `tunnel_fallback = yes` in gw\.conf:10$/);
  assert.equal(peer.last('child-closed')?.reason.code, 'peer-deleted');
});

situation('transport-declined', 'where tunnel mode will not do, the responder does not make the child', (side) => {
  for (const first of [true, false]) {
    const options = apart(side, hosts({ mode: 'tunnel' }), hosts({ tunnelFallback: false }));
    const pair = first && side === 'left' ? new Pair(...options) : bare(options);
    const { me, peer } = ends(pair, side);
    if (first && side === 'left') me.initiate();
    else create(me);
    pair.run(2000);
    assert.equal(pair.left.plane.sas.length + pair.right.plane.sas.length, 0);
    assert.equal(me.live.sessions.length, 1);
    assert.equal(me.last('child-failed')?.reason.notify, 'NO_PROPOSAL_CHOSEN');
    const reason = peer.last('child-failed')?.reason;
    assert.equal(reason?.code, 'mode-mismatch');
    assert.equal(reason?.text, 'the peer asks for tunnel mode, and tunnel mode will not do here');
  }
});

situation('transport-declined', 'a mode that was not asked for is refused, and the child deleted', (side) => {
  const pair = bare(sides({ children: [hosts({ mode: 'tunnel' })] }));
  const { me, peer } = ends(pair, side);
  change(pair, response(peer, 'CREATE_CHILD_SA'), (payloads) => [note('USE_TRANSPORT_MODE'), ...payloads], 1);
  create(me);
  pair.run(2000);
  assert.equal(me.last('child-failed')?.reason.code, 'mode-mismatch');
  assert.equal(me.last('child-failed')?.reason.text, 'the peer chose transport mode, which was not asked for');
  assert.deepEqual([...me.plane.sas, ...peer.plane.sas], []);
  assert.equal(me.live.sessions.length, 1);
  create(me);
  pair.run(2000);
  one(pair);
});

situation('transport-declined', 'a rekeying that the peer answers in another mode is kept, or tried again', (side) => {
  for (const tunnelFallback of [true, false]) {
    const pair = Pair.up(...sides({ children: [hosts({ tunnelFallback })] }));
    const { me, peer } = ends(pair, side);
    // The peer has been told otherwise meanwhile.
    const plain = (payloads: readonly Payload[]) => payloads.filter(({ tag }) => tag !== 'N');
    change(pair, response(peer, 'CREATE_CHILD_SA'), plain, 1);
    rekey(me);
    pair.run(1000);
    if (tunnelFallback) {
      assert.equal(me.live.children[0]?.mode, 'tunnel');
      assert.equal(notes(me).length, 1);
      continue;
    }
    assert.equal(me.last('child-failed')?.reason.code, 'mode-mismatch');
    settled(pair);
    assert.deepEqual(modes(pair), ['transport', 'transport']);
  }
});

situation('transport-narrowed', 'wide selectors on either side come down to the two gateways', (side) => {
  const wide = hosts({ localTs: selectors('192.0.2.0/24', 'dynamic[gre]'), remoteTs: selectors('0.0.0.0/0') });
  for (const theirs of [wide, hosts()]) {
    const pair = bare(apart(side, wide, theirs));
    const { me } = ends(pair, side);
    const lines = offered(pair);
    create(me);
    pair.run(1000);
    one(pair);
    const [mine, other] = side === 'left' ? [LEFT_IP, RIGHT_IP] : [RIGHT_IP, LEFT_IP];
    assert.equal(lines[1], `${me.name} TSr ${other}/32`);
    assert.deepEqual(seen(me), [`${mine}/32 === ${other}/32`]);
    assert.deepEqual(modes(pair), ['transport', 'transport']);
  }
});

situation('transport-narrowed', 'a peer that proposes everything gets the two gateways in transport mode', (side) => {
  const wide = hosts({ localTs: selectors('0.0.0.0/0'), remoteTs: selectors('192.0.2.0/24') });
  for (const theirs of [hosts(), wide]) {
    const pair = bare(apart(side, hosts(), theirs));
    const { me, peer } = ends(pair, side);
    const lines = offered(pair);
    change(pair, request(me, 'CREATE_CHILD_SA'), (payloads) =>
      payloads.map((one) => (one.tag === 'TSi' || one.tag === 'TSr' ? { ...one, selectors: [EVERYTHING] } : one)),
    );
    create(me);
    pair.run(100);
    const [mine, other] = side === 'left' ? [LEFT_IP, RIGHT_IP] : [RIGHT_IP, LEFT_IP];
    assert.deepEqual(lines.slice(2), [`${peer.name} TSi ${mine}/32`, `${peer.name} TSr ${other}/32`]);
    assert.equal(peer.plane.sas[0]?.mode, 'transport');
  }
});

const EVERYTHING = {
  protocol: 0,
  startPort: 0,
  endPort: 0xffff,
  start: new Uint8Array(4),
  end: new Uint8Array(4).fill(255),
};

test('networks behind the gateways are for tunnel mode, whatever was asked for', () => {
  const nets = esp();
  const pair = bare(
    sides({ children: [nets] }, { children: [hosts({ localTs: nets.remoteTs, remoteTs: nets.localTs })] }),
  );
  const { left, right } = pair;
  // The right one cannot ask for it: its own address is not in what it is to protect.
  create(right);
  pair.run(1000);
  const reason = right.last('child-failed')?.reason;
  assert.equal(reason?.code, 'ts-mismatch');
  assert.equal(
    reason?.text,
    `transport mode is between the two gateways alone, and local_ts does not take in our address ${RIGHT_IP}`,
  );
  assert.equal(reason?.remedy, 'leave local_ts out in gw.conf:10, or set `mode = tunnel`');
  // And who asks it gets tunnel mode.
  change(pair, request(left, 'CREATE_CHILD_SA'), (payloads) => [note('USE_TRANSPORT_MODE'), ...payloads], 1);
  create(left);
  pair.run(1000);
  one(pair);
  assert.deepEqual(modes(pair), ['tunnel', 'tunnel']);
  assert.deepEqual(notes(right), [
    'mode-mismatch: the peer asks for transport mode between 10.2.0.0/24 and 10.1.0.0/24, not our two addresses: the child is in tunnel mode',
  ]);
});

situation('transport-nat', 'each side has the addresses that it sees, and its checksums mended', (side) => {
  const pair = new Pair(...sides({ children: [hosts()] }));
  translated(pair, side);
  const lines = offered(pair);
  pair.left.initiate();
  pair.run(2000);
  const { left, right } = pair;
  const address = (one: Side) => one.nat?.ip ?? one.options.ip;
  // Each names the addresses that it sees; the responder answers with those after substitution.
  assert.deepEqual(lines, [
    `left TSi ${LEFT_IP}/32`,
    `left TSr ${address(right)}/32`,
    `right TSi ${address(left)}/32`,
    `right TSr ${RIGHT_IP}/32`,
  ]);
  const check = () => {
    assert.deepEqual(seen(left), [`${LEFT_IP}/32 === ${address(right)}/32`]);
    assert.deepEqual(seen(right), [`${RIGHT_IP}/32 === ${address(left)}/32`]);
    for (const each of [left, right]) {
      const [sa] = each.plane.sas;
      assert.deepEqual([sa?.mode, sa?.natted, sa?.udp], ['transport', true, true]);
    }
  };
  check();
  settled(pair);
  for (const each of [left, right]) {
    rekey(each);
    settled(pair);
    check();
    each.run(each.endpoint.rekeyIke(pair.now, each.session));
    settled(pair);
    check();
  }
  quiet(pair);
});

situation('transport-nat', 'with a peer of tunnel mode, only what both know by the same address can be had', (side) => {
  const pair = new Pair(...apart('left', hosts(), hosts({ mode: 'tunnel' })));
  translated(pair, side);
  pair.left.initiate();
  pair.run(2000);
  // RFC 7296 §2.23.1: the substitution is undone, and the address inside is not the one that the other side expects.
  assert.deepEqual([...pair.left.plane.sas, ...pair.right.plane.sas], []);
  assert.equal(pair.left.last('child-failed')?.reason.notify, 'TS_UNACCEPTABLE');
  assert.equal(pair.left.live.sessions.length, 1);
});

situation('transport-nat', 'a peer with a new address gets SAs for it', (side) => {
  const pair = new Pair(...sides({ children: [hosts()] }));
  translated(pair, side);
  pair.left.initiate();
  pair.run(2000);
  const { me, peer } = ends(pair, side);
  const { nat } = me;
  assert.ok(nat);
  // Another port alone changes nothing.
  peer.run(peer.endpoint.moved(pair.now, peer.child, { ip: OUTSIDE, port: nat.ports.get(4500) ?? 0 }));
  nat.ip = '203.0.113.77';
  me.run(me.endpoint.checkLiveness(pair.now, me.session));
  pair.run(1000);
  assert.equal(peer.live.sessions[0]?.state.remote.ip, nat.ip);
  // Until the last packets to the old address have come.
  pair.run(6000);
  settled(pair);
  assert.match(seen(peer)[0] ?? '', / === 203\.0\.113\.77\/32$/);
  assert.equal(peer.count('child-rekeyed'), 1);
  assert.deepEqual(modes(pair), ['transport', 'transport']);
  quiet(pair);
});

test('USE_TRANSPORT_MODE is understood whatever stands in it, and however often it comes', () => {
  for (const odd of [
    { data: new Uint8Array(20) },
    { protocol: 3, spi: new Uint8Array(4) },
    { protocol: 255, spi: new Uint8Array(200), data: new Uint8Array(1) },
  ]) {
    const pair = bare(sides({ children: [hosts()] }));
    const strange = (payloads: readonly Payload[]) =>
      payloads.flatMap((payload): Payload[] => (payload.tag === 'N' ? [{ ...payload, ...odd }, payload] : [payload]));
    change(pair, (bytes, from) => said(bytes, from), strange);
    create(pair.left);
    pair.run(1000);
    one(pair);
    assert.deepEqual(modes(pair), ['transport', 'transport']);
  }
});

function said(bytes: Uint8Array, from: Side): boolean {
  return [request, response].some((either) => either(from, 'CREATE_CHILD_SA')(bytes, from));
}

test('several addresses in one request are no host: what is left of them is for tunnel mode', () => {
  // Behind a NAT, with a second address that nobody translates.
  const rightHosts = hosts({ remoteTs: selectors('dynamic', '10.9.9.9') });
  const pair = new Pair(...sides({ children: [hosts()] }, { children: [rightHosts] }));
  translated(pair, 'left');
  change(pair, request(pair.left, 'IKE_AUTH'), (payloads) =>
    payloads.map((payload) => {
      const [first] = payload.tag === 'TSi' ? payload.selectors : [];
      const other = Uint8Array.of(10, 9, 9, 9);
      return first ? { tag: 'TSi', selectors: [first, { ...first, start: other, end: other }] } : payload;
    }),
  );
  const installed: string[] = [];
  pair.watch = (effect, side) => {
    if (effect.type !== 'install') return;
    const { mode, remoteTs } = effect.sa;
    installed.push(`${side.name} ${mode} ${remoteTs.map(formatSelector).join()}`);
  };
  pair.left.initiate();
  pair.run(1000);
  assert.deepEqual(installed, ['right tunnel 10.9.9.9/32']);
  // The left one has not asked for that address, and closes it.
  assert.equal(pair.left.last('child-failed')?.reason.code, 'peer-error');
  assert.deepEqual(pair.right.plane.sas, []);
  assert.deepEqual(pair.faults(), []);
});
