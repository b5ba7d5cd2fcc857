// Events that are raised to whoever registered: their sections, and that nothing is made while nobody listens.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { section, subsection } from '../../../src/daemon/control/section.ts';
import type { Section } from '../../../src/daemon/control/vici.ts';
import type { Happening } from '../../../src/daemon/status.ts';
import { line, NET, SESSION, stage } from './fake.ts';

type Heard = readonly [event: string, message: Section];

const EVENTS = ['ike-updown', 'ike-rekey', 'ike-update', 'child-updown', 'child-rekey'];

test("what happens is told in charon's sections", async (t) => {
  const { client, gateway } = await stage(t);
  const one = await client();
  const heard: Heard[] = [];
  for (const event of EVENTS) await one.register(event, (message) => heard.push([event, message]));
  const session = { ...SESSION, id: 2 };
  const child = { ...NET, id: 3 };
  const happenings: readonly Happening[] = [
    { kind: 'ike-updown', up: true, session: SESSION },
    { kind: 'child-updown', up: true, session: SESSION, child: NET },
    { kind: 'child-rekey', session: SESSION, before: { ...NET, state: 'REKEYED' }, child },
    { kind: 'ike-rekey', before: SESSION, session },
    { kind: 'ike-update', session, local: { ip: '10.71.0.9', port: 4500 }, remote: { ip: '10.71.0.7', port: 1024 } },
    { kind: 'child-updown', up: false, session, child: { ...child, state: 'DELETED' } },
    { kind: 'ike-updown', up: false, session: { ...session, state: 'DELETING' } },
  ];
  for (const happening of happenings) gateway.tell(happening);
  await one.request('version');
  assert.deepEqual(
    heard.map(([event, message]) => [event, [...message.keys()]]),
    [
      ['ike-updown', ['up', 'gw']],
      ['child-updown', ['up', 'gw']],
      ['child-rekey', ['gw']],
      ['ike-rekey', ['gw']],
      ['ike-update', ['local-host', 'local-port', 'remote-host', 'remote-port', 'gw']],
      ['child-updown', ['gw']],
      ['ike-updown', ['gw']],
    ],
  );
  const gw = heard.map(([, message]) => subsection(message, 'gw') ?? section());
  const children = gw.map((ike) => subsection(ike, 'child-sas'));
  assert.deepEqual(
    children.map((sas) => sas && [...sas.keys()]),
    [undefined, ['net-1'], ['net'], undefined, undefined, ['net-3'], undefined],
  );
  const rekeyed = subsection(children[2] ?? section(), 'net') ?? section();
  assert.deepEqual([...rekeyed.keys()], ['old', 'new']);
  assert.deepEqual(
    ['old', 'new'].map((which) => subsection(rekeyed, which)?.get('uniqueid')),
    ['1', '3'],
  );
  assert.deepEqual(
    ['old', 'new'].map((which) => subsection(gw[3] ?? section(), which)?.get('uniqueid')),
    ['1', '2'],
  );
  // The section has the addresses from before.
  assert.equal(gw[4]?.get('remote-port'), '4500');
  assert.equal(heard[4]?.[1].get('remote-port'), '1024');
  // Where it was, until it is gone: with its SPIs.
  assert.equal(subsection(children[5] ?? section(), 'net-3')?.get('spi-in'), 'c560316d');
});

test('a client hears what it registered for, and nothing else', async (t) => {
  const { client, gateway } = await stage(t);
  const [one, other] = [await client(), await client()];
  const heard: string[] = [];
  await one.register('ike-updown', () => heard.push('one ike'));
  await other.register('child-updown', () => heard.push('other child'));
  gateway.tell({ kind: 'ike-updown', up: true, session: SESSION });
  gateway.tell({ kind: 'child-updown', up: true, session: SESSION, child: NET });
  await one.unregister('ike-updown');
  gateway.tell({ kind: 'ike-updown', up: false, session: SESSION });
  await one.request('version');
  await other.request('version');
  assert.deepEqual(heard.sort(), ['one ike', 'other child']);
});

test('the gateway is watched and the log followed from the first client that asks until the last one leaves', async (t) => {
  const { client, gateway, log } = await stage(t);
  const sizes = () => [gateway.watching.size, log.following.size];
  const [one, other] = [await client(), await client()];
  assert.deepEqual(sizes(), [0, 0]);
  await one.register('ike-updown', () => {});
  await one.register('child-updown', () => {});
  await other.register('child-rekey', () => {});
  assert.deepEqual(sizes(), [1, 0]);
  await other.register('log', () => {});
  assert.deepEqual(sizes(), [1, 1]);
  await one.unregister('ike-updown');
  await one.unregister('child-updown');
  assert.deepEqual(sizes(), [1, 1]);
  other.close();
  while (sizes().some((size) => size > 0)) await one.request('version');
});

test('a line of the log comes with whose it is; one that cannot be sent harms nobody', async (t) => {
  const { client, log, bugs } = await stage(t);
  const one = await client();
  const heard: Section[] = [];
  await one.register('log', (message) => heard.push(message));
  log.write({ ...line('IKE SA established'), level: 1 });
  log.write(line('x'.repeat(70_000)));
  log.write({ level: 2, group: 'DMN', text: 'a detail', session: undefined, conn: undefined });
  await one.request('version');
  assert.deepEqual(heard, [
    section(
      ['group', 'IKE'],
      ['level', 1],
      ['thread', '0'],
      ['ikesa-name', 'gw'],
      ['ikesa-uniqueid', 1],
      ['msg', 'IKE SA established'],
    ),
    section(['group', 'DMN'], ['level', 2], ['thread', '0'], ['msg', 'a detail']),
  ]);
  assert.deepEqual(bugs, ['log']);
});
