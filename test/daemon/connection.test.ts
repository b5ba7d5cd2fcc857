// The life of a connection on a virtual clock: PRODUCT's states and the retry rule (`keyingtries=3`, then every 12 s).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Action, ConnectionLife } from '../../src/daemon/connection.ts';
import type { Connection, Millis } from '../../src/ike/connection.ts';
import type { Event } from '../../src/ike/effects.ts';
import type { Reason } from '../../src/ike/reason.ts';
import { child, connection } from '../support/connections.ts';

const SILENT: Reason = { code: 'no-answer', text: 'no answer' };
const REFUSED: Reason = { code: 'no-proposal', text: 'no proposal chosen' };

/** Plays the endpoint: each attempt is a session that ends as the test says. */
class Stage {
  readonly life: ConnectionLife;
  now: Millis = 0;
  session = 0;
  readonly attempts: Millis[] = [];

  constructor(conn: Connection = connection()) {
    this.life = new ConnectionLife(conn, 0);
  }

  get state() {
    return this.life.status(this.now).state;
  }

  get childState() {
    return this.life.status(this.now).children[0]?.state;
  }

  up(): void {
    this.did(this.life.up(this.now, ['net']));
  }

  did(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.type !== 'initiate') continue;
      this.attempts.push(this.now);
      this.tell({ kind: 'session-started', session: ++this.session, conn: 'gw', initiator: true });
    }
  }

  tell(event: Event): void {
    this.did(this.life.event(this.now, event));
  }

  fails(reason: Reason, after: Millis): void {
    this.now += after;
    this.tell({ kind: 'session-closed', session: this.session, conn: 'gw', established: false, reason });
  }

  comes(): void {
    const { session } = this;
    this.tell({ kind: 'session-established', session, conn: 'gw' });
    this.tell({ kind: 'child-established', session, conn: 'gw', child: 'net', id: session * 10 });
  }

  goes(reason: Reason): void {
    const { session } = this;
    this.tell({ kind: 'child-closed', session, conn: 'gw', child: 'net', id: session * 10, reason });
    this.tell({ kind: 'session-closed', session, conn: 'gw', established: true, reason });
  }

  /** Lets time pass up to the next deadline. */
  wait(): void {
    const at = this.life.deadline();
    assert.ok(at !== undefined, 'nothing is pending');
    this.now = at;
    this.did(this.life.tick(at));
  }
}

test('a connection that nobody has asked for is down and tries nothing', () => {
  const stage = new Stage();
  assert.equal(stage.state, 'down');
  assert.equal(stage.life.deadline(), undefined);
});

test('three silent attempts lead to phase1-failed, and then there is one every 12 s for ever', () => {
  const stage = new Stage();
  stage.up();
  assert.equal(stage.state, 'connecting');
  stage.fails(SILENT, 31_000);
  assert.equal(stage.state, 'connecting');
  stage.fails(SILENT, 31_000);
  assert.equal(stage.state, 'connecting');
  stage.fails(SILENT, 31_000);
  assert.equal(stage.state, 'phase1-failed');
  stage.wait();
  stage.fails(SILENT, 31_000);
  assert.equal(stage.state, 'phase1-failed');
  stage.wait();
  assert.deepEqual(stage.attempts, [0, 31_000, 62_000, 105_000, 148_000]);
});

test('a refusal is not repeated at once: it would be refused again', () => {
  const stage = new Stage();
  stage.up();
  stage.fails(REFUSED, 20);
  assert.equal(stage.state, 'phase1-failed');
  assert.equal(stage.childState, 'phase1-failed');
  assert.equal(stage.life.status(20).reason.code, 'no-proposal');
  stage.wait();
  assert.deepEqual(stage.attempts, [0, 12_020]);
});

test('with keyingtries = 0 silence is never called a failure', () => {
  const stage = new Stage(connection({ keyingTries: 0 }));
  stage.up();
  for (let i = 0; i < 5; i++) stage.fails(SILENT, 31_000);
  assert.equal(stage.state, 'connecting');
  assert.equal(stage.attempts.length, 6);
});

test('a success clears the failure and the count of attempts', () => {
  const stage = new Stage();
  stage.up();
  for (let i = 0; i < 3; i++) stage.fails(SILENT, 31_000);
  stage.wait();
  stage.comes();
  assert.equal(stage.state, 'connected');
  assert.equal(stage.childState, 'connected');
});

test('a child that the peer refuses is phase2-failed and asked for again in the standing session', () => {
  const stage = new Stage();
  stage.up();
  stage.tell({ kind: 'session-established', session: 1, conn: 'gw' });
  const reason: Reason = { code: 'ts-mismatch', text: 'selectors differ' };
  stage.tell({ kind: 'child-failed', session: 1, conn: 'gw', child: 'net', reason });
  assert.equal(stage.state, 'phase2-failed');
  assert.equal(stage.life.status(0).reason.code, 'ts-mismatch');
  assert.equal(stage.life.deadline(), 12_000);
  assert.deepEqual(stage.life.tick(12_000), [{ type: 'child', session: 1, child: 'net' }]);
});

for (const [action, state, attempts] of [
  ['clear', 'down', 1],
  ['trap', 'waiting', 1],
  ['restart', 'connecting', 2],
] as const) {
  test(`a dead peer with dpd_action = ${action} leaves the connection ${state}`, () => {
    const stage = new Stage(connection({ children: [child({ dpdAction: action })] }));
    stage.up();
    stage.comes();
    stage.goes({ code: 'peer-dead', text: 'no answer' });
    assert.equal(stage.state, state);
    assert.equal(stage.attempts.length, attempts);
  });
}

for (const [action, state] of [
  ['none', 'down'],
  ['trap', 'waiting'],
  ['start', 'connecting'],
] as const) {
  test(`a peer that closes with close_action = ${action} leaves the connection ${state}`, () => {
    const stage = new Stage(connection({ children: [child({ closeAction: action })] }));
    stage.up();
    stage.comes();
    stage.goes({ code: 'peer-deleted', text: 'closed by the peer', by: 'peer' });
    assert.equal(stage.state, state);
  });
}

test('taking a connection down ends the attempts', () => {
  const stage = new Stage();
  stage.up();
  stage.fails(REFUSED, 20);
  stage.life.down(stage.now, ['net']);
  assert.equal(stage.life.deadline(), undefined);
  assert.equal(stage.state, 'down');
});

test('rekeying leaves the connection connected until the last SA of the child is gone', () => {
  const stage = new Stage();
  stage.up();
  stage.comes();
  stage.tell({ kind: 'child-rekeyed', session: 1, conn: 'gw', child: 'net', id: 10, by: 11 });
  stage.tell({ kind: 'session-rekeyed', session: 1, conn: 'gw', by: 2 });
  assert.equal(stage.state, 'connected');
  const reason: Reason = { code: 'requested', text: 'closed', by: 'us' };
  stage.tell({ kind: 'child-closed', session: 2, conn: 'gw', child: 'net', id: 11, reason });
  stage.tell({ kind: 'session-closed', session: 2, conn: 'gw', established: true, reason });
  assert.equal(stage.state, 'down');
});

test('a stranger that fits no proposal leaves its mark on a connection that is down', () => {
  const stage = new Stage();
  stage.tell({ kind: 'note', session: 0, conn: 'gw', reason: REFUSED });
  assert.equal(stage.state, 'phase1-failed');
  assert.equal(stage.life.deadline(), undefined);
});

test('asking again after a failure starts anew and forgets the old answer', () => {
  const stage = new Stage();
  stage.up();
  stage.fails(REFUSED, 20);
  stage.up();
  assert.equal(stage.state, 'connecting');
  assert.equal(stage.life.status(stage.now).reason.code, 'ok');
});

test('from the first retransmission on, the state says for how long there has been no answer', () => {
  const stage = new Stage();
  stage.up();
  stage.now = 1000;
  stage.tell({ kind: 'no-answer', session: 1, conn: 'gw', since: 0 });
  assert.equal(stage.life.status(1000).reason.text, 'no answer from the peer for 1 s');
  assert.equal(stage.life.status(4000).reason.text, 'no answer from the peer for 4 s');
  assert.equal(stage.state, 'connecting');
  stage.comes();
  assert.equal(stage.life.status(5000).reason.code, 'ok');
});

test('a connected peer that answers again after a silence is no longer called silent', () => {
  const stage = new Stage();
  stage.up();
  stage.comes();
  stage.tell({ kind: 'no-answer', session: 1, conn: 'gw', since: 0 });
  assert.equal(stage.life.status(1000).reason.code, 'no-answer');
  stage.tell({ kind: 'answered', session: 1, conn: 'gw' });
  assert.equal(stage.life.status(2000).reason.code, 'ok');
});

test('half-open sessions in the peer’s name neither hide our failure nor put off the next attempt', () => {
  const stage = new Stage();
  const strange = (session: number) => {
    stage.tell({ kind: 'session-started', session, conn: 'gw', initiator: false });
  };
  const ends = (session: number) => {
    const reason: Reason = { code: 'half-open', text: 'not completed' };
    stage.tell({ kind: 'session-closed', session, conn: 'gw', established: false, reason });
  };
  stage.up();
  strange(901);
  stage.fails(REFUSED, 1000);
  assert.equal(stage.state, 'phase1-failed');
  assert.equal(stage.life.deadline(), 13_000);
  stage.now = 9000;
  strange(902);
  ends(901);
  ends(902);
  assert.equal(stage.life.deadline(), 13_000);
  stage.wait();
  assert.deepEqual(stage.attempts, [0, 13_000]);
});

test('taking a connection down while it negotiates leaves it down, not failed', () => {
  const stage = new Stage();
  stage.up();
  stage.life.down(stage.now, ['net']);
  stage.fails({ code: 'requested', text: 'closed on request', by: 'us' }, 10);
  assert.equal(stage.state, 'down');
  assert.equal(stage.life.deadline(), undefined);
});
