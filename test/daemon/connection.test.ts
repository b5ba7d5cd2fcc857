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
  readonly traps: string[] = [];

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
      if (action.type === 'trap' || action.type === 'untrap') this.traps.push(`${action.type} ${action.child}`);
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
  stage.tell({ kind: 'no-answer', session: 1, conn: 'gw', since: 0, reason: SILENT });
  assert.equal(stage.life.status(1000).reason.text, 'no answer (for 1 s)');
  assert.equal(stage.life.status(4000).reason.text, 'no answer (for 4 s)');
  assert.equal(stage.state, 'connecting');
  stage.comes();
  assert.equal(stage.life.status(5000).reason.code, 'ok');
});

test('a connected peer that answers again after a silence is no longer called silent', () => {
  const stage = new Stage();
  stage.up();
  stage.comes();
  stage.tell({ kind: 'no-answer', session: 1, conn: 'gw', since: 0, reason: SILENT });
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

const TRAP = connection({ children: [child({ startAction: 'trap' })] });

test('a trap is set when the connection is loaded, and one packet begins the child', () => {
  const stage = new Stage(TRAP);
  stage.did(stage.life.start(0));
  assert.deepEqual([stage.state, stage.traps], ['waiting', ['trap net']]);
  stage.did(stage.life.acquire(0, 'net'));
  assert.equal(stage.state, 'connecting');
  stage.did(stage.life.acquire(100, 'net'));
  assert.equal(stage.attempts.length, 1);
  stage.comes();
  stage.did(stage.life.acquire(200, 'net'));
  assert.deepEqual([stage.state, stage.attempts.length], ['connected', 1]);
});

test('after a failure a packet tries again, and no clock does', () => {
  const stage = new Stage(TRAP);
  stage.did(stage.life.start(0));
  stage.did(stage.life.acquire(0, 'net'));
  stage.fails(REFUSED, 20);
  assert.deepEqual([stage.state, stage.life.deadline()], ['phase1-failed', undefined]);
  stage.did(stage.life.acquire(1000, 'net'));
  assert.equal(stage.attempts.length, 2);
});

test('a child that was asked for by name is tried again by the clock, whatever its trap says', () => {
  const stage = new Stage(TRAP);
  stage.did(stage.life.start(0));
  stage.up();
  stage.fails(REFUSED, 20);
  stage.did(stage.life.acquire(30, 'net'));
  stage.fails(REFUSED, 40);
  assert.notEqual(stage.life.deadline(), undefined);
});

test('a trap taken away leaves the child down, and a packet begins nothing', () => {
  const stage = new Stage(TRAP);
  stage.did(stage.life.start(0));
  stage.did(stage.life.uninstall(0, ['net']));
  assert.deepEqual([stage.state, stage.childState, stage.traps], ['down', 'down', ['trap net', 'untrap net']]);
  assert.deepEqual(stage.life.acquire(0, 'net'), []);
});

test('what is DOWN forgets what it wanted, begins nothing, and says so; UP begins as if loaded', () => {
  const stage = new Stage(connection({ children: [child({ startAction: 'start' })] }));
  stage.did(stage.life.start(0));
  stage.comes();
  stage.did(stage.life.admin(5, true, ['net']));
  stage.goes({ code: 'admin-down', text: 'its management status is DOWN', by: 'us' });
  const { state, reason, failure } = stage.life.status(5);
  assert.deepEqual([state, reason.code, failure], ['down', 'admin-down', undefined]);
  assert.equal(stage.life.deadline(), undefined);
  stage.up();
  assert.equal(stage.attempts.length, 1);
  // A peer that is refused meanwhile is no failure of ours.
  stage.tell({ kind: 'note', session: 0, conn: 'gw', reason: { code: 'admin-down', text: 'refused' } });
  assert.equal(stage.state, 'down');
  stage.did(stage.life.admin(6, false, ['net']));
  assert.deepEqual([stage.state, stage.attempts.length], ['connecting', 2]);
});

test('a child whose configuration has changed is made anew when the old one is gone', () => {
  const stage = new Stage();
  stage.up();
  stage.comes();
  stage.life.remake(['net']);
  const reason: Reason = { code: 'requested', text: 'closed by us', by: 'us' };
  stage.tell({
    kind: 'child-closed',
    session: stage.session,
    conn: 'gw',
    child: 'net',
    id: stage.session * 10,
    reason,
  });
  const actions = stage.life.tick(stage.now);
  assert.deepEqual(actions, [{ type: 'child', session: stage.session, child: 'net' }]);
});

test('children that were to be remade are not, once they have been taken down', () => {
  const stage = new Stage();
  stage.up();
  stage.comes();
  stage.life.remake(['net']);
  stage.life.down(stage.now, ['net']);
  const reason: Reason = { code: 'requested', text: 'closed by us', by: 'us' };
  const id = stage.session * 10;
  stage.tell({ kind: 'child-closed', session: stage.session, conn: 'gw', child: 'net', id, reason });
  assert.deepEqual(stage.life.tick(stage.now), []);
});

test('the last failure is kept with its count, and what we did on purpose is none', () => {
  const stage = new Stage();
  stage.up();
  stage.fails(REFUSED, 20);
  stage.wait();
  stage.fails(REFUSED, 20);
  stage.wait();
  stage.comes();
  const { state, failure } = stage.life.status(stage.now + 5000);
  assert.equal(state, 'connected');
  assert.deepEqual([failure?.reason.code, failure?.times], ['no-proposal', 2]);
  stage.goes({ code: 'requested', text: 'closed on request', by: 'us' });
  assert.equal(stage.life.status(stage.now).failure?.reason.code, 'no-proposal');
});

test('keys that could not be renewed are told as long as the child stands, and forgotten with new ones', () => {
  const stage = new Stage();
  stage.up();
  stage.comes();
  const standing = () => stage.life.status(stage.now).suspicions.map(({ child, reason }) => [child, reason.code]);
  stage.tell({ kind: 'child-failed', session: 1, conn: 'gw', child: 'net', reason: REFUSED, renews: true });
  assert.deepEqual([stage.state, standing()], ['connected', [['net', 'no-proposal']]]);
  stage.tell({ kind: 'child-rekeyed', session: 1, conn: 'gw', child: 'net', id: 10, by: 11 });
  assert.deepEqual(standing(), []);
  stage.tell({ kind: 'child-failed', session: 1, conn: 'gw', child: 'net', reason: REFUSED });
  assert.deepEqual(standing(), [], 'another one, asked for besides');
  stage.tell({ kind: 'note', session: 1, conn: 'gw', child: 'net', reason: REFUSED, renews: true });
  assert.deepEqual(standing(), [['net', 'no-proposal']]);
  stage.tell({ kind: 'child-closed', session: 1, conn: 'gw', child: 'net', id: 11, reason: SILENT });
  assert.deepEqual(standing(), []);
});

test('what the peer asks for in vain is the state of a connection that we do not begin ourselves', () => {
  const note = (session: number, child?: string): Event => ({
    ...{ kind: 'note', session, conn: 'gw', reason: REFUSED },
    ...(child === undefined ? {} : { child }),
  });
  const answering = new Stage();
  answering.tell({ kind: 'session-started', session: 7, conn: 'gw', initiator: false });
  answering.tell(note(7));
  assert.equal(answering.state, 'phase1-failed');
  answering.tell({ kind: 'session-established', session: 7, conn: 'gw' });
  assert.equal(answering.state, 'connecting', 'it went on all the same');
  answering.tell(note(7, 'net'));
  assert.deepEqual([answering.state, answering.childState], ['phase2-failed', 'phase2-failed']);
  const beginning = new Stage();
  beginning.up();
  beginning.tell({ kind: 'session-started', session: 7, conn: 'gw', initiator: false });
  beginning.tell(note(7));
  beginning.tell(note(7, 'net'));
  assert.deepEqual([beginning.state, beginning.childState], ['connecting', 'connecting']);
});

test('a peer that was believed, and does not believe us, has refused us', () => {
  const stage = new Stage();
  stage.tell({ kind: 'session-started', session: 1, conn: 'gw', initiator: false });
  stage.tell({ kind: 'session-established', session: 1, conn: 'gw' });
  const reason: Reason = { code: 'auth-failed', text: 'it does not know us' };
  stage.tell({ kind: 'session-closed', session: 1, conn: 'gw', established: true, reason });
  assert.equal(stage.state, 'phase1-failed');
});

test('what a peer that refused us had brought up is wanted as before, and tried again as after any refusal', () => {
  const stage = new Stage();
  stage.up();
  stage.fails(REFUSED, 10);
  stage.session++;
  stage.tell({ kind: 'session-started', session: stage.session, conn: 'gw', initiator: false });
  stage.comes();
  stage.goes({ code: 'auth-failed', text: 'it does not know us' });
  assert.deepEqual([stage.state, stage.childState], ['phase1-failed', 'phase1-failed']);
  stage.wait();
  assert.deepEqual(stage.attempts, [0, 12_010]);
});

test('an IKE SA that the peer has never confirmed does not begin the count of attempts anew', () => {
  const stage = new Stage();
  stage.up();
  for (let i = 0; i < 3; i++) {
    const { session } = stage;
    stage.now += 1000;
    stage.tell({ kind: 'session-established', session, conn: 'gw' });
    const reason: Reason = { code: 'unanswered-4500', text: 'nothing came on UDP 4500' };
    stage.tell({ kind: 'session-closed', session, conn: 'gw', established: true, reason });
  }
  assert.equal(stage.state, 'phase1-failed');
  assert.deepEqual(stage.attempts, [0, 1000, 2000]);
});

test('keys that could not be renewed are no matter of a child that is gone, or configured no more', () => {
  const stage = new Stage();
  const failed = (child: string): Event => ({
    ...{ kind: 'child-failed', session: 1, conn: 'gw', child, reason: REFUSED },
    renews: true,
  });
  stage.up();
  stage.tell(failed('net'));
  stage.tell(failed(''));
  assert.deepEqual(stage.life.status(0).suspicions, [], 'nothing stands');
  stage.comes();
  stage.tell(failed('net'));
  assert.equal(stage.life.status(0).suspicions.length, 1);
  stage.life.configure(connection({ children: [child({ name: 'other' })] }));
  assert.deepEqual(stage.life.status(0).suspicions, []);
});

for (const code of ['stopped-answering', 'unanswered-4500', 'not-listening', 'unreachable', 'not-sent'] as const) {
  test(`${code} is silence: it is tried as often as that`, () => {
    const stage = new Stage();
    stage.up();
    for (let i = 0; i < 3; i++) stage.fails({ code, text: code }, 1000);
    assert.deepEqual(stage.attempts, [0, 1000, 2000]);
  });
}
