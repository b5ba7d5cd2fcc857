// Peers that keep to the RFCs in their own way, or hardly: what they leave out, cut short, or take back. Each row is a
// device that somebody owns.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uint32 } from '../../../src/bytes/bytes.ts';
import { parseIp, type SocketAddress } from '../../../src/bytes/ip.ts';
import { hash } from '../../../src/ike/v1/keymat.ts';
import { originalAddresses } from '../../../src/ike/v1/natt.ts';
import { notify } from '../../../src/ike/v1/payloads.ts';
import { ENCAPSULATION, EXCHANGE, NOTIFY, PROTOCOL, SA_ATTRIBUTE } from '../../../src/ike/v1/wire/constants.ts';
import type { Payload, Transform } from '../../../src/ike/v1/wire/payload.ts';
import { encodeAttributes } from '../../../src/ike/v1/wire/sa.ts';
import {
  answered1,
  assertCalm,
  childrenOf,
  initiating,
  lone1,
  PEER,
  RESPONDER,
  served1,
  sessions1,
  up1,
} from '../../security/guest1.ts';
import { Peer1 } from '../../security/peer1.ts';
import { SUITE1, subnet } from '../../security/quick1.ts';
import { short } from '../../support/attributes.ts';
import { child, LEFT_IP, offers, RIGHT_IP, selectors, sides1 } from '../../support/connections.ts';
import { Ear } from '../../support/ear.ts';
import { behindNat, Pair, type Side } from '../../support/pair.ts';
import { v1 } from '../../support/v1.ts';
import { flow, one, serving } from './narrate.ts';

const KE_NONE = 0;

function kinds(side: Side): string[] {
  return side.events.map(({ kind }) => kind);
}

/** Of every transform of an SA payload. */
function transforms(payloads: readonly Payload[], change: (transform: Transform) => Transform): Payload[] {
  return payloads.map((payload): Payload => {
    if (payload.tag !== 'SA') return payload;
    const proposals = payload.proposals.map((one) => ({ ...one, transforms: one.transforms.map(change) }));
    return { ...payload, proposals };
  });
}

function without(type: number, { attributes, ...rest }: Transform): Transform {
  return { ...rest, attributes: attributes.filter((attribute) => attribute.type !== type) };
}

// --- silence -------------------------------------------------------------------------------------------------------------

test('a peer that says nothing to a quick mode, but lives, costs that child alone', () => {
  for (const alive of ['it answers dead-peer detection', 'its packets come']) {
    const more = child({
      name: 'more',
      offers: offers('aes128-sha256', 'esp'),
      localTs: selectors('10.1.1.0/24'),
      remoteTs: selectors('10.2.1.0/24'),
    });
    const net = child({ offers: offers('aes128-sha256', 'esp') });
    const pair = new Pair(...sides1({ children: [net, more], dpdDelay: 30_000 }));
    const ear = new Ear(pair);
    const { left, right } = pair;
    left.initiate(['net']);
    pair.run(3000);
    one(pair);
    if (alive === 'its packets come') v1(left.live.sessions[0]).state.peerDpd = false;
    ear.drop((bytes, from) => from === left && ear.of(bytes, from).name === 'QM1');
    left.run(left.endpoint.createChild(pair.now, left.session, 'more'));
    if (alive === 'its packets come') flow(pair, 300_000, 1000);
    else pair.run(300_000);
    one(pair);
    const failed = left.last('child-failed');
    assert.equal(failed?.reason.code, 'no-answer', alive);
    assert.match(failed?.reason.text ?? '', /10\.1\.1\.0\/24 === 10\.2\.1\.0\/24/);
    assert.ok(!kinds(left).includes('session-closed'), alive);
    assert.equal(serving(right).length, 1);
  }
});

test('a peer that is gone while a quick mode waits for its answer is found out', () => {
  for (const dpdDelay of [30_000, 0]) {
    for (const knows of [true, false]) {
      const pair = new Pair(...sides1({ dpdDelay, children: [child({ offers: offers('aes128-sha256', 'esp') })] }));
      const { left } = pair;
      left.initiate([]);
      pair.run(1000);
      v1(left.live.sessions[0]).state.peerDpd = knows;
      pair.wire.cut = true;
      left.run(left.endpoint.createChild(pair.now, left.session, 'net'));
      pair.run(300_000);
      assert.equal(left.last('session-closed')?.reason.code, 'peer-dead', `${dpdDelay} ${knows}`);
      assert.equal(left.endpoint.size, 0);
    }
  }
});

// --- lifetimes -----------------------------------------------------------------------------------------------------------

const TEN_MINUTES = [short(11, 1), short(12, 600)];

function cutShort(all: readonly Payload[]): Payload[] {
  return transforms(all, (transform) => {
    const rest = without(12, without(11, transform));
    return { ...rest, attributes: [...rest.attributes, ...TEN_MINUTES] };
  });
}

function lifeOf(lone: Parameters<typeof sessions1>[0]): number {
  const [session] = sessions1(lone);
  assert.ok(session?.state.establishedAt !== undefined);
  return ((session.state.lifeAt ?? 0) - session.state.establishedAt) / 1000;
}

test('the lifetime that a responder writes into its choice counts, where it is the shorter one', () => {
  const { lone, first } = initiating();
  const peer = new Peer1(5).answering(first);
  peer.derive(lone.receive(peer.main2(cutShort), RESPONDER)[0]);
  peer.conclude(lone.receive(peer.main3(), RESPONDER)[0]);
  lone.receive(peer.proving(), RESPONDER);
  assert.equal(lifeOf(lone), 600);
});

test('the same in aggressive mode, and in RESPONDER-LIFETIME', () => {
  const data = encodeAttributes(TEN_MINUTES);
  const notice = (all: readonly Payload[]): Payload[] => [
    ...all,
    notify(NOTIFY.RESPONDER_LIFETIME, PROTOCOL.ISAKMP, new Uint8Array(16), data),
  ];
  for (const change of [cutShort, notice]) {
    const { lone, first } = initiating({ aggressive: true });
    const peer = new Peer1(5, { aggressive: true }).answering(first);
    peer.conclude(lone.receive(peer.aggressive2(change), RESPONDER)[0]);
    assert.equal(lifeOf(lone), 600);
  }
});

// --- NAT -----------------------------------------------------------------------------------------------------------------

test('in aggressive mode each side knows who is behind the NAT', () => {
  const pair = new Pair(...sides1({ aggressive: true }));
  behindNat(pair.left, '203.0.113.9');
  pair.left.initiate();
  pair.run(3000);
  one(pair);
  const seen = (side: Side) => {
    const { natLocal, natRemote } = v1(side.live.sessions[0]).state;
    return [natLocal, natRemote];
  };
  assert.deepEqual(
    [seen(pair.left), seen(pair.right)],
    [
      [true, false],
      [false, true],
    ],
  );
});

test('the NAT-D payloads of message 3 may be hashes of the addresses of message 3 or of message 1', () => {
  for (const [port, natted] of [
    [500, false],
    [4500, false],
    [700, true],
  ] as const) {
    const lone = lone1({ aggressive: true, encap: 'yes' });
    const peer = new Peer1(5, { aggressive: true });
    const [second] = lone.receive(peer.first(), PEER);
    peer.cookie(second).derive(second);
    const of = ({ ip }: Pick<SocketAddress, 'ip'>): Payload => {
      const address = parseIp(ip);
      assert.ok(address);
      const data = hash(SUITE1, peer.spiI, peer.spiR, address, Uint8Array.of(port >> 8, port & 0xff));
      return { tag: 'NATD', draft: false, data };
    };
    const third = peer.aggressive3((all) => [...all, of({ ip: RIGHT_IP }), of(PEER)]);
    const to = { ip: RIGHT_IP, port: 4500 };
    lone.run(lone.endpoint.receive(lone.now, third, { ...PEER, port: 4500 }, to));
    const [session] = sessions1(lone);
    assert.equal(session?.state.phase, 'established');
    assert.deepEqual([session?.state.natLocal, session?.state.natRemote], [natted, natted], `${port}`);
  }
});

test('of two NAT-OA payloads the first is of the initiator of the quick mode, whoever began phase 1', () => {
  for (const original of [true, false]) {
    for (const ours of [true, false]) {
      const [local, remote] = [
        { ip: LEFT_IP, port: 4500 },
        { ip: RIGHT_IP, port: 4500 },
      ];
      const pair = new Pair(...sides1({ encap: 'yes' }));
      pair[original ? 'left' : 'right'].initiate([]);
      pair.run(1000);
      const session = v1(pair.left.live.sessions[0]);
      assert.deepEqual([session.state.original, session.udp], [original, true]);
      const said = originalAddresses(session, { mode: 'transport', ours });
      const addresses = said.map((payload) => (payload.tag === 'NATOA' ? [...payload.address] : []));
      const expected = (ours ? [local, remote] : [remote, local]).map(({ ip }) => [...(parseIp(ip) ?? [])]);
      assert.deepEqual(addresses, expected);
    }
  }
});

test('a new phase 1 with a peer behind a NAT goes where the peer is, from the first message on', () => {
  for (const aggressive of [false, true]) {
    const pair = new Pair(...sides1({ aggressive }));
    behindNat(pair.left, '203.0.113.9');
    pair.left.initiate();
    pair.run(3000);
    one(pair);
    const { right } = pair;
    const { remote } = v1(right.live.sessions[0]).state;
    const before = right.sent.length;
    right.run(right.endpoint.rekeyIke(pair.now, right.session));
    flow(pair, 20_000, 500);
    one(pair);
    const places = new Set(
      right.sent.slice(before).map(({ local, remote: to }) => `${local.port} ${to.ip} ${to.port}`),
    );
    assert.deepEqual([...places], [`4500 ${remote.ip} ${remote.port}`]);
  }
});

// --- what the peer answers -----------------------------------------------------------------------------------------------

test('a quick mode that is answered with another encapsulation than was offered comes to nothing', () => {
  const values: [number | undefined, boolean][] = [
    [undefined, true],
    [ENCAPSULATION.TUNNEL, true],
    [ENCAPSULATION.TRANSPORT, false],
    [ENCAPSULATION.UDP_TUNNEL, false],
    [ENCAPSULATION.UDP_TUNNEL_DRAFT, false],
  ];
  for (const [value, good] of values) {
    const { lone, peer, asked } = answered1();
    const quick = peer.quick(new DataView(asked.buffer, asked.byteOffset).getUint32(20));
    const answer = quick.second(quick.hear(asked), (all) =>
      transforms(all, (transform) => {
        const rest = without(SA_ATTRIBUTE.ENCAPSULATION, transform);
        const said = value === undefined ? [] : [short(SA_ATTRIBUTE.ENCAPSULATION, value)];
        return { ...rest, attributes: [...rest.attributes, ...said] };
      }),
    );
    lone.receive(answer, RESPONDER);
    assert.equal(lone.installed, good ? 1 : 0, `${value}`);
    const failed = lone.events.find(({ kind }) => kind === 'child-failed');
    assert.equal(failed?.kind === 'child-failed' ? failed.reason.code : undefined, good ? undefined : 'mode-mismatch');
    assertCalm(lone);
  }
});

test('where a peer offers one thing by several numbers, the one that fits what is between us is taken', () => {
  for (const order of [
    [ENCAPSULATION.UDP_TUNNEL, ENCAPSULATION.TUNNEL],
    [ENCAPSULATION.TUNNEL, ENCAPSULATION.UDP_TUNNEL],
  ]) {
    const { lone, peer } = up1();
    const quick = peer.quick();
    const first = quick.first((all) =>
      all.map((payload): Payload => {
        if (payload.tag !== 'SA') return payload;
        const [proposal] = payload.proposals;
        const [transform] = proposal?.transforms ?? [];
        assert.ok(proposal && transform);
        const offered = order.map((value, i) => {
          const { id, attributes } = without(SA_ATTRIBUTE.ENCAPSULATION, transform);
          return { number: i + 1, id, attributes: [...attributes, short(SA_ATTRIBUTE.ENCAPSULATION, value)] };
        });
        return { tag: 'SA', proposals: [{ ...proposal, transforms: offered }] };
      }),
    );
    const { payloads } = quick.hear(lone.receive(first, PEER)[0]);
    const [sa] = payloads.flatMap((payload) => (payload.tag === 'SA' ? payload.proposals : []));
    const values = sa?.transforms.map(({ attributes }) =>
      attributes.find(({ type }) => type === SA_ATTRIBUTE.ENCAPSULATION)?.value.join(),
    );
    assert.deepEqual(values, [`0,${ENCAPSULATION.TUNNEL}`]);
  }
});

test('a peer that does not want PFS gets the proposals without it, where there are such', () => {
  const net = (text: string) => child({ offers: offers(text, 'esp') });
  const pair = new Pair(
    ...sides1({ children: [net('aes128-sha256-modp2048')] }, false, {
      children: [{ ...net('aes128-sha256'), localTs: selectors('10.2.0.0/24'), remoteTs: selectors('10.1.0.0/24') }],
    }),
  );
  pair.left.initiate();
  pair.run(3000);
  assert.equal(pair.left.last('child-failed')?.reason.code, 'no-child-proposal', 'nothing but PFS was offered');
  const [left, right] = sides1({ children: [net('aes128-sha256-modp2048,aes128-sha256')] }, false, {
    children: [{ ...net('aes128-sha256'), localTs: selectors('10.2.0.0/24'), remoteTs: selectors('10.1.0.0/24') }],
  });
  const other = new Pair(left, right);
  const ear = new Ear(other);
  other.left.initiate();
  other.run(3000);
  one(other);
  assert.equal(serving(other.left)[0]?.suite.ke, KE_NONE);
  // A renewal does not ask for it again.
  const before = ear.lines.filter((line) => line.startsWith('left QM1')).length;
  const [made] = serving(other.left);
  assert.ok(made);
  other.left.run(other.left.endpoint.rekeyChild(other.now, made.id));
  flow(other, 5000);
  assert.equal(ear.lines.filter((line) => line.startsWith('left QM1')).length, before + 1);
  one(other);
});

test('a peer that does not know an SA any more, and says so, gets a new one', () => {
  const { lone, peer, spi } = served1();
  const unknown = (name: Uint8Array) =>
    lone.receive(peer.inform([notify(NOTIFY.INVALID_SPI, PROTOCOL.ESP, name)]), PEER).length;
  assert.equal(unknown(uint32(0x12345678)), 0, 'of another it means nothing');
  assert.equal(unknown(spi), 1, 'a quick mode');
  assert.equal(unknown(spi), 0, 'one is enough');
  assert.equal(lone.count('invalid-spi'), 3);
  assertCalm(lone);
});

test('a peer that asks for more pairs of SAs than there may be is refused, and may renew those that it has', () => {
  const wide = { localTs: selectors('10.2.0.0/16'), remoteTs: selectors('10.1.0.0/16') };
  const net = child({ offers: offers('aes128-sha256', 'esp'), ...wide });
  const { lone, peer } = up1({ conn: { children: [net] } });
  let next = 5000;
  const ask = (i: number) => {
    const quick = peer.quick(next++);
    const theirs = subnet(10, 1, i >> 8, i & 0xff, 255, 255, 255, 255);
    const swap = (all: readonly Payload[]): Payload[] => {
      let seen = 0;
      return all.map((payload) => (payload.tag === 'ID' && seen++ === 0 ? { tag: 'ID', id: theirs } : payload));
    };
    const answers = lone.receive(quick.first(swap), PEER);
    const second = answers.find((bytes) => bytes[18] === EXCHANGE.QUICK_MODE);
    if (!second) return false;
    quick.hear(second);
    lone.receive(quick.third(), PEER);
    return true;
  };
  for (let i = 0; i < 256; i++) assert.ok(ask(i), `pair ${i}`);
  assert.equal(ask(256), false);
  assert.equal(childrenOf(lone), 256);
  for (let i = 0; i < 256; i++) assert.ok(ask(i), `pair ${i} again`);
  assert.equal(ask(300), false);
  assert.ok(childrenOf(lone) <= 256 + 128);
  const note = lone.events.find((event) => event.kind === 'note' && event.reason.code === 'limit');
  assert.ok(note);
});

// --- message 2 -----------------------------------------------------------------------------------------------------------

test('a malformed message 2 leaves nothing behind: the right one is taken afterwards', () => {
  for (const aggressive of [false, true]) {
    const { lone, first } = initiating({ aggressive });
    const forger = new Peer1(6, { aggressive }).answering(first);
    const peer = new Peer1(5, { aggressive }).answering(first);
    const torn = (all: readonly Payload[]) => all.filter(({ tag }) => tag !== 'HASH' && tag !== 'NONCE');
    if (aggressive) assert.deepEqual(lone.receive(forger.aggressive2(torn), RESPONDER), []);
    else assert.deepEqual(lone.receive(forger.clear([]), RESPONDER), []);
    const [third] = lone.receive(aggressive ? peer.aggressive2() : peer.main2(), RESPONDER);
    assert.ok(third);
    if (aggressive) assert.equal(sessions1(lone)[0]?.state.phase, 'established');
  }
});

test('what was wrong with one message 2 is forgotten when the right one comes', () => {
  const { lone, first } = initiating();
  const peer = new Peer1(5).answering(first);
  const other = (all: readonly Payload[]) => transforms(all, (one) => without(SA_ATTRIBUTE.GROUP, one));
  lone.receive(peer.main2(other), RESPONDER);
  assert.equal(lone.count('bad-answer'), 1);
  lone.receive(peer.main2(), RESPONDER);
  lone.pass(300_000);
  const closed = lone.events.find(({ kind }) => kind === 'session-closed');
  assert.equal(closed?.kind === 'session-closed' && closed.reason.code, 'stopped-answering');
});

test('a quick mode without an answer on an SA that was replaced is asked for again on the one that serves', () => {
  const pair = new Pair(...sides1({ dpdDelay: 30_000, children: [child({ offers: offers('aes128-sha256', 'esp') })] }));
  const ear = new Ear(pair);
  const { left, right } = pair;
  left.initiate([]);
  pair.run(1000);
  ear.drop(ear.is(left, 'QM1'), 5);
  left.run(left.endpoint.createChild(pair.now, left.session, 'net'));
  pair.run(100);
  right.run(right.endpoint.rekeyIke(pair.now, right.session));
  pair.run(100_000);
  one(pair);
  assert.equal(left.last('child-failed'), undefined);
});

test('where message 2 holds what was not offered, that is the reason in the end', () => {
  for (const aggressive of [false, true]) {
    const { lone, first } = initiating({ aggressive });
    const peer = new Peer1(5, { aggressive }).answering(first);
    const other = (all: readonly Payload[]) =>
      transforms(all, (transform) => ({
        ...transform,
        attributes: transform.attributes.map((one) => (one.type === 2 ? short(2, 1) : one)),
      }));
    lone.receive(aggressive ? peer.aggressive2(other) : peer.main2(other), RESPONDER);
    assert.equal(lone.count('bad-answer'), 1);
    lone.pass(300_000);
    const closed = lone.events.find(({ kind }) => kind === 'session-closed');
    assert.ok(closed?.kind === 'session-closed');
    assert.match(closed.reason.text, /something that was not offered/);
    assert.equal(lone.endpoint.size, 0);
  }
});

test('a peer that says nothing of a lifetime means eight hours, and is told of a shorter one', () => {
  const { lone, peer } = up1();
  const quick = peer.quick();
  const first = quick.first((all) =>
    transforms(all, (transform) => without(SA_ATTRIBUTE.LIFE_TYPE, without(SA_ATTRIBUTE.LIFE_DURATION, transform))),
  );
  const { payloads } = quick.hear(lone.receive(first, PEER)[0]);
  const [told] = payloads.flatMap((payload) => (payload.tag === 'N' ? [payload] : []));
  assert.equal(told?.kind, NOTIFY.RESPONDER_LIFETIME);
  const { lone: other, peer: longer } = up1({ conn: { children: [endless()] } });
  const asked = longer.quick();
  const bare = asked.first((all) =>
    transforms(all, (transform) => without(SA_ATTRIBUTE.LIFE_TYPE, without(SA_ATTRIBUTE.LIFE_DURATION, transform))),
  );
  asked.hear(other.receive(bare, PEER)[0]);
  other.receive(asked.third(), PEER);
  const [made] = sessions1(other)[0]?.state.children ?? [];
  assert.equal((made?.lifeAt ?? 0) - (made?.installedAt ?? 0), 28_800_000);
});

function endless(): ReturnType<typeof child> {
  const net = child({ offers: offers('aes128-sha256', 'esp') });
  const lifetime = { ...net.lifetime, rekeyTime: 0, lifeTime: 0 };
  return { ...net, localTs: net.remoteTs, remoteTs: net.localTs, lifetime };
}

test('more pairs of subnets than there may be are told of', () => {
  const nets = (net: number) => selectors(...Array.from({ length: 20 }, (_, i) => `10.${net}.${i}.0/24`));
  const wide = child({ offers: offers('aes128-sha256', 'esp'), localTs: nets(1), remoteTs: nets(2) });
  const pair = new Pair(...sides1({ children: [wide] }));
  pair.left.initiate();
  pair.run(60_000);
  const note = pair.left.last('note');
  assert.match(note?.reason.text ?? '', /net would be 400 pairs of SAs, .*; the first 256 are made/);
  assert.equal(serving(pair.left).length, 256);
});
