// What the doctor reads out of the kernel's texts, and what it makes of versions and dates.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSwanctl } from '../../../src/config/swanctl.ts';
import { readCapabilities } from '../../../src/daemon/doctor/capabilities.ts';
import { clock } from '../../../src/daemon/doctor/clock.ts';
import { hostsIn, needsOf } from '../../../src/daemon/doctor/needs.ts';
import { isOurs, unitOf } from '../../../src/daemon/doctor/ports.ts';
import { node } from '../../../src/daemon/doctor/program.ts';
import { policies } from '../../../src/daemon/doctor/rivals.ts';
import { parseSelector } from '../../../src/ike/ts.ts';
import { config } from '../../support/clinic.ts';

test('a Node that is too old is told from one that will do', () => {
  for (const version of ['20.19.0', '20.19.1', '20.20.0', '24.0.0', '100.0.0'])
    assert.equal(node(version, '20.19.0').health, 'ok', version);
  for (const version of ['20.18.9', '18.20.0', '9.0.0', '20.9.0'])
    assert.equal(node(version, '20.19.0').health, 'problem', version);
});

test('a clock from before this program was made is wrong; a day is allowed for time zones', () => {
  const built = Date.UTC(2026, 5, 1);
  assert.equal(clock(built, Date.UTC(1970, 0, 1)).health, 'problem');
  assert.match(clock(built, Date.UTC(1970, 0, 1)).text, /says 1970-01-01/);
  assert.equal(clock(built, built - 86_400_001).health, 'problem');
  assert.notEqual(clock(built, built - 86_400_000).health, 'problem');
});

test('capabilities are read from the bits of a status', () => {
  const status = (eff: string, bnd: string) => `Name:\tnode\nCapPrm:\tffff\nCapEff:\t${eff}\nCapBnd:\t${bnd}\n`;
  const some = readCapabilities(status('0000000000003400', '0000000000001000'));
  assert.deepEqual([...some.effective], ['NET_BIND_SERVICE', 'NET_ADMIN', 'NET_RAW']);
  assert.deepEqual([...some.bounding], ['NET_ADMIN']);
  assert.deepEqual(
    [...readCapabilities(status('000001ffffffffff', '0')).effective],
    ['NET_BIND_SERVICE', 'NET_ADMIN', 'NET_RAW'],
  );
  assert.deepEqual([...readCapabilities('').effective], []);
});

test('a daemon of ours is known by its command line, however it was started', () => {
  const line = (...words: string[]) => `${words.join('\0')}\0`;
  for (const own of [
    line('node', '/opt/dist/src/cli/main.js', 'daemon'),
    line('/usr/bin/node', '/usr/bin/espalier', 'daemon', '--port', '500'),
    line('espalier', 'daemon'),
  ]) {
    assert.ok(isOurs(own), own);
  }
  for (const other of [
    line('node', 'daemon'),
    line('espalier', 'status'),
    line('/usr/lib/ipsec/charon'),
    line('espalier-like', 'daemon'),
    '',
  ]) {
    assert.ok(!isOurs(other), other);
  }
});

test('the unit of a process is the last part of its control group', () => {
  assert.equal(unitOf('0::/system.slice/strongswan-starter.service\n'), 'strongswan-starter.service');
  assert.equal(unitOf('0::/user.slice/user-0.slice/session-1.scope\n'), undefined);
  assert.equal(unitOf('12:pids:/docker/abc\n0::/\n'), undefined);
});

test('policies of the kernel are counted, and those of single sockets are not', () => {
  const listed = `src 10.1.0.0/24 dst 10.2.0.0/24 
	dir out priority 0 ptype main 
	tmpl src 192.0.2.1 dst 192.0.2.2
		proto esp reqid 0 mode tunnel
src 0.0.0.0/0 dst 0.0.0.0/0 
	socket in priority 0 ptype main 
src ::/0 dst ::/0 
	socket out priority 0 ptype main 
`;
  assert.deepEqual(policies(listed), ['src 10.1.0.0/24 dst 10.2.0.0/24']);
  assert.deepEqual(policies(''), []);
});

function needs(text: string) {
  return needsOf(loadSwanctl([{ path: 'test.conf', text }]).connections);
}

test('what is to be forwarded follows from what is behind us', () => {
  assert.deepEqual(needs(config()).forward, { v4: true, v6: false });
  assert.deepEqual(needs(config({ localTs: 'fd00:a::/64', remoteTs: 'fd00:b::/64' })).forward, { v4: false, v6: true });
  assert.deepEqual(needs(config({ localTs: 'dynamic' })).forward, { v4: false, v6: false });
  assert.deepEqual(needs(config({ localTs: '192.0.2.1/32' })).forward, { v4: false, v6: false });
  assert.deepEqual(needs(config({ localTs: '10.1.0.7/32' })).forward, { v4: true, v6: false });
  const transport = config({ localTs: 'dynamic', remoteTs: 'dynamic', child: 'mode = transport' });
  assert.deepEqual(needs(transport).forward, { v4: false, v6: false });
  assert.equal(needsOf(undefined).known, false);
});

test('which protocols are needed follows from children and from encap', () => {
  const both = ({ esp, ah }: ReturnType<typeof needs>) => [esp, ah];
  assert.deepEqual(both(needs(config())), [true, false]);
  assert.deepEqual(both(needs(config({ conn: 'encap = yes' }))), [false, false]);
  assert.deepEqual(both(needs(config({ child: 'ah_proposals = sha256' }))), [false, true]);
});

test('a peer within what is said to be behind it is noticed, a tunnel to the peer alone is not', () => {
  const swallowed = (remoteTs: string) => [...needs(config({ remoteTs })).swallowed];
  assert.deepEqual(swallowed('0.0.0.0/0'), [['192.0.2.2', '0.0.0.0/0']]);
  assert.deepEqual(swallowed('10.2.0.0/24, 192.0.2.0/28'), [['192.0.2.2', '192.0.2.0/28']]);
  assert.deepEqual(swallowed('192.0.2.2/32'), []);
  assert.deepEqual(swallowed('10.2.0.0/24'), []);
});

test('hosts in a network are neither its first nor its last address', () => {
  const hosts = (text: string) => {
    const source = parseSelector(text);
    return source?.kind === 'fixed' ? hostsIn(source.selector).map((host) => host.join('.')) : assert.fail(text);
  };
  assert.deepEqual(hosts('10.1.0.0/24'), ['10.1.0.1', '10.1.0.254']);
  assert.deepEqual(hosts('10.1.0.8/30'), ['10.1.0.9', '10.1.0.10']);
  assert.deepEqual(hosts('10.1.0.7/32'), ['10.1.0.7', '10.1.0.7']);
});
