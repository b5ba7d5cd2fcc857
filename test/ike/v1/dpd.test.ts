// Dead-peer detection (RFC 3706), the end of an IKE SA, lifetimes (RFC 2407 §4.5.4, §4.6.3.1), and a NAT that changes its
// mind. `side` is who begins.

import assert from 'node:assert/strict';
import { uint32 } from '../../../src/bytes/bytes.ts';
import type { Connection, Lifetime } from '../../../src/ike/connection.ts';
import { child, offers, sides1 } from '../../support/connections.ts';
import { note } from '../../support/ear.ts';
import { behindNat, type Side } from '../../support/pair.ts';
import { v1 } from '../../support/v1.ts';
import {
  closed,
  ends,
  flow,
  nothing,
  one,
  quiet,
  type SideName,
  serving,
  settled,
  situation,
  strangers,
  tunnel,
} from './narrate.ts';

/** Only `side` asks. */
function asking(side: SideName, over: Partial<Connection>) {
  const silent = { dpdDelay: 0 };
  return side === 'left' ? sides1(over, false, silent) : sides1(silent, false, over);
}

function said(lines: readonly string[], who: Side, word: string): number {
  return lines.filter((line) => line.startsWith(who.name) && line.includes(`N(${word})`)).length;
}

situation('dpd', 'a peer that is there answers, and the answer names the question', (side) => {
  const { pair, ear, me, peer } = tunnel(side, asking(side, { dpdDelay: 30_000 }));
  pair.run(95_000);
  assert.deepEqual([said(ear.lines, me, 'R_U_THERE)'.slice(0, -1)), said(ear.lines, peer, 'R_U_THERE_ACK')], [3, 3]);
  one(pair);
  quiet(pair);
  const { dpdOut } = v1(me.live.sessions[0]).state;
  assert.equal(v1(peer.live.sessions[0]).state.dpdIn, dpdOut);
});

situation('dpd', 'ESP is a sign of life, too', (side) => {
  const { pair, ear, me } = tunnel(side, asking(side, { dpdDelay: 30_000 }));
  flow(pair, 120_000, 1000);
  assert.equal(said(ear.lines, me, 'R_U_THERE'), 0);
});

situation('dpd', 'questions and answers that are lost are asked again', (side) => {
  for (const word of ['N(R_U_THERE)', 'N(R_U_THERE_ACK)']) {
    const scene = tunnel(side, asking(side, { dpdDelay: 30_000 }));
    const { pair, ear, me, peer } = scene;
    ear.drop(ear.is(word === 'N(R_U_THERE)' ? me : peer, 'INFO', word), 3);
    pair.run(45_000);
    one(pair);
    assert.deepEqual([me.count('no-answer'), me.count('answered')], [1, 1]);
    quiet(pair);
    closed(scene);
  }
});

situation('dpd', 'a peer that is gone is given up after so many questions as there are transmissions', (side) => {
  const { pair, ear, me } = tunnel(side, asking(side, { dpdDelay: 30_000 }));
  const heard = v1(me.live.sessions[0]).state.lastIn;
  pair.wire.cut = true;
  pair.run(heard + 30_000 + 30_999 - pair.now);
  assert.equal(me.live.sessions.length, 1);
  pair.run(2);
  assert.equal(me.last('session-closed')?.reason.code, 'peer-dead');
  assert.equal(said(ear.lines, me, 'R_U_THERE'), 5);
  assert.equal(me.plane.sas.length, 0);
});

situation('dpd-timeout', 'counts from the last sign of life', (side) => {
  const { pair, me } = tunnel(side, asking(side, { dpdDelay: 30_000, dpdTimeout: 150_000 }));
  pair.run(60_000);
  const heard = v1(me.live.sessions[0]).state.lastIn;
  pair.wire.cut = true;
  pair.run(heard + 149_999 - pair.now);
  assert.equal(me.live.sessions.length, 1);
  pair.run(2);
  assert.equal(me.last('session-closed')?.reason.code, 'peer-dead');
});

situation('dpd-timeout', 'a packet in time keeps the SA', (side) => {
  const { pair, me } = tunnel(side, asking(side, { dpdDelay: 30_000, dpdTimeout: 60_000 }));
  const { peer } = ends(pair, side);
  // IKE is cut and ESP is not.
  pair.wire.cut = true;
  pair.run(50_000);
  pair.probe();
  pair.run(50_000);
  assert.equal(me.live.sessions.length, 1);
  pair.run(30_000);
  assert.equal(me.live.sessions.length, 0);
  assert.equal(peer.live.sessions.length, 1);
});

situation('dpd-on-demand', 'nobody is asked while nothing is sent', (side) => {
  const { pair, ear, me } = tunnel(side, asking(side, { dpdDelay: 30_000, dpdOnDemand: true }));
  pair.run(300_000);
  assert.equal(said(ear.lines, me, 'R_U_THERE'), 0);
  flow(pair, 100_000, 1000);
  assert.equal(said(ear.lines, me, 'R_U_THERE'), 0);
  // We send, and nothing comes back.
  const heard = me.plane.lastIn.get(serving(me)[0]?.id ?? 0) ?? 0;
  me.plane.send(pair.now, me.plane.policies()[0] ?? '');
  pair.run(heard + 29_999 - pair.now);
  assert.equal(said(ear.lines, me, 'R_U_THERE'), 0);
  pair.run(31_000);
  assert.equal(said(ear.lines, me, 'R_U_THERE'), 1);
  one(pair);
});

situation('dpd-rekey', 'both at once, with an answer lost', (side) => {
  for (const lost of ['', 'N(R_U_THERE)', 'N(R_U_THERE_ACK)', 'QM1', 'QM2', 'QM3']) {
    const scene = tunnel(side, sides1({ dpdDelay: 30_000 }));
    const { pair, ear, me, peer } = scene;
    for (const who of [me, peer]) {
      const name = lost.startsWith('N') ? 'INFO' : lost;
      if (lost !== '') ear.drop(ear.is(who, name, lost.startsWith('N') ? lost : undefined), 2);
    }
    me.run(me.endpoint.rekeyChild(pair.now, me.child));
    me.run(me.endpoint.checkLiveness(pair.now, me.session));
    peer.run(peer.endpoint.checkLiveness(pair.now, peer.session));
    flow(pair, 10_000);
    one(pair);
    quiet(pair);
    assert.equal(me.count('child-rekeyed'), 1);
    closed(scene);
  }
});

situation('dpd-number', 'an old question is not answered, and HASH after NOTIFY is taken', (side) => {
  const scene = tunnel(side);
  const { pair, ear, me, peer } = scene;
  const { spiI, spiR } = v1(me.live.sessions[0]).state;
  const spi = new Uint8Array([...spiI, ...spiR]);
  const ask = (number: number, last = false) => {
    const payload = note('R_U_THERE', uint32(number), spi);
    const hash = { tag: 'HASH', data: new Uint8Array(0) } as const;
    const made = ear.made(me, 5, 0x77_0000 + number + (last ? 0x1_0000 : 0), last ? [payload, hash] : [hash, payload]);
    ear.inject(me, made);
    pair.run(100);
    return said(ear.lines, peer, 'R_U_THERE_ACK');
  };
  assert.equal(ask(100), 1);
  assert.equal(ask(99), 1, 'an old one');
  assert.equal(ask(101), 2);
  assert.equal(ask(102, true), 3, 'with the HASH behind it');
  assert.equal(peer.endpoint.counters().get('dpd-number'), 1);
  one(pair);
});

situation('delete', 'the other side hears of it, and nothing is left', (side) => {
  const { pair, me, peer } = tunnel(side);
  me.run(me.endpoint.close(pair.now, me.session, { code: 'requested', text: 'closed' }));
  pair.run(1000);
  nothing(pair);
  assert.equal(peer.last('session-closed')?.reason.code, 'peer-deleted');
});

situation('delete-lost', 'dead-peer detection cleans up', (side) => {
  const scene = tunnel(side, sides1({ dpdDelay: 30_000 }));
  const { pair, ear, me, peer } = scene;
  ear.drop(ear.is(me, 'INFO'));
  me.run(me.endpoint.close(pair.now, me.session, { code: 'requested', text: 'closed' }));
  pair.run(70_000);
  assert.equal(peer.last('session-closed')?.reason.code, 'peer-dead');
  nothing(pair);
});

situation('delete-collision', 'both at once', (side) => {
  const { pair, me, peer } = tunnel(side);
  for (const who of [me, peer]) {
    who.run(who.endpoint.close(pair.now, who.session, { code: 'requested', text: 'closed' }));
  }
  pair.run(1000);
  nothing(pair);
});

const LIMITS = {
  rekeyBytes: 0,
  lifeBytes: 0,
  randBytes: 0,
  rekeyPackets: 0,
  lifePackets: 0,
  randPackets: 0,
  randTime: 0,
} as const;

/** My lifetime of the child, and the peer's. */
function lives(side: SideName, mine: Partial<Lifetime>, theirs: Partial<Lifetime>) {
  const net = (over: Partial<Lifetime>) =>
    child({ offers: offers('aes128-sha256', 'esp'), lifetime: { ...LIMITS, rekeyTime: 0, lifeTime: 0, ...over } });
  const [a, b] = side === 'left' ? [net(mine), net(theirs)] : [net(theirs), net(mine)];
  return sides1({ children: [a], dpdDelay: 60_000 }, false, {
    children: [{ ...b, localTs: b.remoteTs, remoteTs: b.localTs }],
  });
}

situation('lifetimes', 'the shorter one counts for both, and the initiator is told of it', (side) => {
  const scene = strangers(
    side,
    lives(side, { rekeyTime: 7_000_000, lifeTime: 7_200_000 }, { rekeyTime: 500_000, lifeTime: 600_000 }),
  );
  const { pair, ear, me, peer } = scene;
  me.initiate();
  pair.run(2000);
  assert.ok(ear.lines.some((line) => line.startsWith(`${peer.name} QM2`) && line.includes('N(RESPONDER_LIFETIME)')));
  const [ours] = serving(me);
  const [theirs] = serving(peer);
  assert.equal((ours?.lifeAt ?? 0) - (ours?.installedAt ?? 0), 600_000);
  assert.equal((ours?.rekeyAt ?? 0) - (ours?.installedAt ?? 0), 540_000);
  assert.equal((theirs?.lifeAt ?? 0) - (theirs?.installedAt ?? 0), 600_000);
  flow(pair, 1_800_000, 1000);
  one(pair);
  quiet(pair);
});

situation('lifetimes', 'who asks for a shorter one gets it, and nobody needs to be told', (side) => {
  const scene = strangers(side, lives(side, { rekeyTime: 500_000, lifeTime: 600_000 }, { lifeTime: 7_200_000 }));
  const { pair, ear, me, peer } = scene;
  me.initiate();
  pair.run(2000);
  assert.ok(!ear.lines.some((line) => line.includes('RESPONDER_LIFETIME')));
  const [theirs] = serving(peer);
  assert.equal((theirs?.lifeAt ?? 0) - (theirs?.installedAt ?? 0), 600_000);
});

situation('lifetimes', 'at the hard limit a child that was not renewed goes, and a new one comes', (side) => {
  const scene = tunnel(side, lives(side, { lifeTime: 600_000 }, { lifeTime: 660_000 }));
  const { pair, me } = scene;
  const before = me.child;
  pair.run(620_000);
  one(pair);
  assert.notEqual(me.child, before);
  flow(pair, 2000);
  closed(scene);
});

situation('lifetimes', 'an IKE SA that could not be renewed ends', (side) => {
  const times = { rekeyTime: 0, reauthTime: 600_000, overTime: 60_000, dpdDelay: 0 };
  const scene = tunnel(side, sides1(times));
  const { pair, ear, me, peer } = scene;
  ear.drop(ear.is(me, 'MM1'));
  ear.drop(ear.is(peer, 'MM1'));
  pair.run(640_000);
  one(pair);
  pair.run(100_000);
  assert.equal(
    [...me.events, ...peer.events].some((event) => event.kind === 'session-closed' && event.reason.code === 'expired'),
    true,
  );
  nothing(pair);
});

situation('nat', 'with each message lost', () => {
  for (const aggressive of [false, true]) {
    const names = aggressive ? ['AM1', 'AM2', 'AM3'] : ['MM1', 'MM2', 'MM3', 'MM4', 'MM5', 'MM6'];
    for (const name of [...names, 'QM1', 'QM2', 'QM3']) {
      const scene = strangers('left', sides1({ aggressive, dpdDelay: 60_000 }));
      const { pair, ear, me, peer } = scene;
      behindNat(me, '203.0.113.9');
      ear.drop(ear.is(Number(name.at(-1)) % 2 === 1 ? me : peer, name), 1);
      me.initiate();
      pair.run(10_000);
      one(pair);
      flow(pair, 1000);
      assert.equal(peer.live.sessions[0]?.state.remote.ip, '203.0.113.9');
      closed(scene);
    }
  }
});

situation('nat-rebinding', 'is noticed by the next message, whatever is under way', (side) => {
  for (const act of ['dpd', 'child', 'ike'] as const) {
    const scene = strangers(side, sides1({ dpdDelay: 20_000 }));
    const { pair } = scene;
    const { left, right } = pair;
    const nat = behindNat(left, '203.0.113.9');
    left.initiate();
    pair.run(10_000);
    nat.rebind();
    const me = pair[side];
    // Whoever is behind the NAT speaks first, or nobody hears the other.
    if (side === 'right') left.run(left.endpoint.checkLiveness(pair.now, left.session));
    if (side === 'right') pair.run(100);
    if (act === 'dpd') me.run(me.endpoint.checkLiveness(pair.now, me.session));
    if (act === 'child') me.run(me.endpoint.rekeyChild(pair.now, me.child));
    if (act === 'ike') me.run(me.endpoint.rekeyIke(pair.now, me.session));
    flow(pair, 10_000);
    one(pair);
    settled(pair);
    quiet(pair);
    const port = left.nat?.ports.get(4500);
    assert.equal(right.live.sessions[0]?.state.remote.port, port, act);
    closed(scene);
  }
});

situation('transplant', 'in the middle of every exchange', (side) => {
  for (const begin of ['rekeyChild', 'rekeyIke', 'checkLiveness'] as const) {
    for (const asks of ['left', 'right'] as const) {
      for (let steps = 0; steps < 10; steps++) {
        const scene = tunnel(side, sides1({ dpdDelay: 60_000 }));
        const { pair, me } = scene;
        const who = pair[asks];
        if (begin === 'rekeyChild') who.run(who.endpoint.rekeyChild(pair.now, who.child));
        else who.run(who.endpoint[begin](pair.now, who.session));
        for (let i = 0; i < steps; i++) pair.step(pair.now + 100);
        me.transplant();
        settled(pair);
        quiet(pair);
      }
    }
  }
});
