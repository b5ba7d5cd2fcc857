// How far a peer of IKEv1 may have come with a gateway when the attack begins, and what must be true after it.

import assert from 'node:assert/strict';
import { uint32, utf8 } from '../../src/bytes/bytes.ts';
import type { SocketAddress } from '../../src/bytes/ip.ts';
import type { Random } from '../../src/crypto/types.ts';
import type { Connection } from '../../src/ike/connection.ts';
import { notify } from '../../src/ike/v1/payloads.ts';
import { Session } from '../../src/ike/v1/session.ts';
import { NOTIFY, PROTOCOL } from '../../src/ike/v1/wire/constants.ts';
import type { Payload } from '../../src/ike/v1/wire/payload.ts';
import { child, connection, LEFT_IP, mirrored, RIGHT_IP } from '../support/connections.ts';
import type { SideOptions } from '../support/pair.ts';
import { seeded } from '../support/random.ts';
import { bugs } from './oracle.ts';
import { OFFERS1, Peer1 } from './peer1.ts';
import { ESP1 } from './quick1.ts';
import { Lone } from './stranger.ts';

export const PEER: SocketAddress = { ip: '198.51.100.66', port: 500 };
/** Where `initiating` expects its peer. */
export const RESPONDER: SocketAddress = { ip: LEFT_IP, port: 500 };

/** What these tests attack: the right one of two gateways, in IKEv1. */
export function gateway1(over: Partial<Connection> = {}): Connection {
  return mirrored(connection({ version: 1, offers: OFFERS1, children: [child({ offers: ESP1 })] }), over);
}

export function lone1(over: Partial<Connection> = {}, options: Partial<SideOptions> = {}, random?: Random): Lone {
  return new Lone({ connections: [gateway1(over)], ...options }, random ?? seeded(4711));
}

/** The same as the initiator; its first message. */
export function initiating(
  over: Partial<Connection> = {},
  options: Partial<SideOptions> = {},
): { readonly lone: Lone; readonly first: Uint8Array } {
  const conn = gateway1(over);
  const lone = new Lone({ connections: [conn], ...options });
  lone.run(lone.endpoint.initiate(lone.now, conn, RIGHT_IP, LEFT_IP).effects);
  const [first] = lone.pass(0);
  assert.ok(first);
  return { lone, first };
}

export function sessions1(lone: Pick<Lone, 'endpoint'>): Session[] {
  return lone.endpoint.sessions().filter((sa): sa is Session => sa instanceof Session);
}

export function establishedIn(lone: Lone): number {
  return sessions1(lone).filter(({ state }) => state.phase === 'established').length;
}

export interface Stage1 {
  readonly lone: Lone;
  readonly peer: Peer1;
}

export interface Start extends Partial<SideOptions> {
  readonly conn?: Partial<Connection>;
  readonly aggressive?: boolean;
  readonly seed?: number;
  readonly name?: string;
  readonly secret?: string;
  readonly from?: SocketAddress;
  readonly lone?: Lone;
}

/** A peer that has the keys, in front of a gateway that waits for its proof. */
export function keyed1({ conn, aggressive = false, seed = 5, name, secret, from = PEER, ...rest }: Start = {}): Stage1 {
  const { lone = lone1({ aggressive, ...conn }, rest) } = rest;
  const options = { aggressive, ...(name ? { name } : {}), ...(secret ? { secret: utf8(secret) } : {}) };
  const peer = new Peer1(seed, options);
  const [second] = lone.receive(peer.first(), from);
  peer.cookie(second);
  if (aggressive) return { lone, peer: peer.derive(second) };
  const [fourth] = lone.receive(peer.main3(), from);
  return { lone, peer: peer.derive(fourth) };
}

/** A peer that is through with phase 1. */
export function up1(start: Start = {}): Stage1 {
  const { lone, peer } = keyed1(start);
  const { aggressive = false, from = PEER } = start;
  const answers = lone.receive(aggressive ? peer.aggressive3() : peer.proving(), from);
  if (!aggressive) peer.conclude(answers[0]);
  assert.equal(peer.iv.length, 16);
  return { lone, peer };
}

/** The same with the gateway as the initiator, which then asks for its child. */
export function answered1(aggressive = false): Stage1 & { readonly asked: Uint8Array } {
  const { lone, first } = initiating({ aggressive });
  const peer = new Peer1(5, { aggressive }).answering(first);
  const asked = aggressive ? answerAggressive(lone, peer) : answerMain(lone, peer);
  return { lone, peer, asked };
}

function answerAggressive(lone: Lone, peer: Peer1): Uint8Array {
  const [third, quick] = lone.receive(peer.aggressive2(), RESPONDER);
  peer.conclude(third);
  assert.ok(quick);
  return quick;
}

function answerMain(lone: Lone, peer: Peer1): Uint8Array {
  const [third] = lone.receive(peer.main2(), RESPONDER);
  peer.derive(third);
  const [fifth] = lone.receive(peer.main3(), RESPONDER);
  peer.conclude(fifth);
  const [quick] = lone.receive(peer.proving(), RESPONDER);
  assert.ok(quick);
  return quick;
}

/** Whether somebody with the right key gets a tunnel now. */
export function serves1(lone: Lone, seed = 99, from: SocketAddress = { ip: '203.0.113.99', port: 500 }): boolean {
  const { peer } = up1({ lone, seed, from });
  const before = lone.installed;
  const quick = peer.quick();
  const answers = lone.receive(quick.first(), from);
  const [second] = answers;
  if (!second) return false;
  quick.hear(second);
  lone.receive(quick.third(), from);
  return lone.installed === before + 1;
}

/** After an attack: no bug has shown itself, nothing half-made is left, and a good peer gets in. */
export function assertCalm(lone: Lone, what = ''): void {
  lone.pass(200_000);
  assert.equal(bugs(lone.endpoint), 0, what);
  const phases = lone.endpoint.sessions().map(({ state }) => state.phase);
  assert.ok(
    phases.every((phase) => phase === 'established' || phase === 'rekeyed'),
    `${what}: ${phases}`,
  );
  for (const { state } of sessions1(lone)) {
    const stuck = state.quicks.filter((one) => one.awaits !== 'done' && !one.sent && !one.job && one.endAt > 1e15);
    assert.equal(stuck.length, 0, `${what}: a quick mode that waits for nothing`);
  }
}

/** A peer with a child; the SPI is its own. */
export function served1(): Stage1 & { readonly spi: Uint8Array } {
  const { lone, peer } = up1();
  const quick = peer.quick();
  quick.hear(lone.receive(quick.first(), PEER)[0]);
  lone.receive(quick.third(), PEER);
  assert.equal(childrenOf(lone), 1);
  return { lone, peer, spi: quick.spi };
}

export function childrenOf(lone: Lone): number {
  return sessions1(lone).reduce((sum, { state }) => sum + state.children.length, 0);
}

export const there1 = (peer: Peer1, number: number): Payload =>
  notify(NOTIFY.R_U_THERE, PROTOCOL.ISAKMP, peer.cookies, uint32(number));
