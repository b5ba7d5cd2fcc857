import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inSpaces, unable } from './space.ts';

const OPTIONS = { skip: unable(), timeout: 60_000 };

test('a datagram tells to which of our addresses it came, and the answer leaves from there', OPTIONS, async () => {
  await inSpaces(2, async (left, right) => {
    const ours = ['192.0.2.1/24', '192.0.2.11/24', '2001:db8::1/64', '2001:db8::11/64'];
    left.link('eth0', ours, right, 'eth0', ['192.0.2.2/24', '2001:db8::2/64']);
    const a = left.agent();
    const b = right.agent();
    assert.equal(await a.call('udp', { port: 500 }), 500);
    assert.equal(await b.call('udp', { port: 4500 }), 4500);
    for (const prefix of ours) {
      const [ip = ''] = prefix.split('/');
      const peer = ip.includes(':') ? '2001:db8::2' : '192.0.2.2';
      const text = (address: string, port: number) =>
        ip.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
      assert.equal(await b.call('udp-send', { hex: 'abcd', from: peer, to: ip, toPort: 500 }), true);
      assert.deepEqual(await a.next('udp'), { on: 'udp', hex: 'abcd', from: text(peer, 4500), to: text(ip, 500) });
      assert.equal(await a.call('udp-send', { hex: '0123', from: ip, to: peer, toPort: 4500 }), true);
      assert.deepEqual(await b.next('udp'), { on: 'udp', hex: '0123', from: text(ip, 500), to: text(peer, 4500) });
    }
  });
});

test('a datagram larger than the link arrives whole, both ways', OPTIONS, async () => {
  await inSpaces(2, async (left, right) => {
    left.link('eth0', ['192.0.2.1/24', '2001:db8::1/64'], right, 'eth0', ['192.0.2.2/24', '2001:db8::2/64']);
    const a = left.agent();
    const b = right.agent();
    await a.call('udp', { port: 500 });
    await b.call('udp', { port: 500 });
    const hex = 'a5'.repeat(9000);
    for (const [from, to] of [
      ['192.0.2.1', '192.0.2.2'],
      ['2001:db8::1', '2001:db8::2'],
    ] as const) {
      assert.equal(await a.call('udp-send', { hex, from, to, toPort: 500 }), true);
      assert.equal((await b.next('udp')).hex, hex);
    }
  });
});

test('many datagrams at once all arrive, in order', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = space.agent();
    const port = await agent.call('udp');
    assert.ok(typeof port === 'number');
    const sent = Array.from({ length: 200 }, (_, i) => i.toString(16).padStart(4, '0'));
    for (const hex of sent) agent.call('udp-send', { hex, from: '127.0.0.1', to: '127.0.0.1', toPort: port });
    const got: string[] = [];
    while (got.length < sent.length) got.push((await agent.next('udp')).hex);
    assert.deepEqual(got, sent);
  });
});

test('what cannot be sent is lost, not an error', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = space.agent();
    await agent.call('udp', { port: 500 });
    const lost = { hex: '00', toPort: 500 };
    assert.equal(await agent.call('udp-send', { ...lost, from: '0.0.0.0', to: '198.51.100.1' }), false);
    assert.equal(await agent.call('udp-send', { ...lost, from: '::', to: '2001:db8::5' }), false);
    assert.equal(await agent.call('udp-send', { ...lost, from: '198.51.100.1', to: '127.0.0.1' }), false);
    await agent.call('udp-close');
    assert.equal(await agent.call('udp-send', { ...lost, from: '127.0.0.1', to: '127.0.0.1' }), false);
    assert.equal(await agent.call('udp', { port: 500 }), 500);
  });
});

test('a port works where IPv6 is switched off', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    space.exec('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6');
    const agent = space.agent();
    await agent.call('udp', { port: 500 });
    await agent.call('udp-send', { hex: '07', from: '127.0.0.1', to: '127.0.0.1', toPort: 500 });
    assert.equal((await agent.next('udp')).to, '127.0.0.1:500');
    assert.equal(await agent.call('udp-send', { hex: '07', from: '::1', to: '::1', toPort: 500 }), false);
  });
});

test('a port that is taken is refused with the reason', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    await space.agent().call('udp', { port: 500 });
    await assert.rejects(space.agent().call('udp', { port: 500 }), {
      code: 'EADDRINUSE',
      syscall: 'bind',
      hint: 'another program, perhaps another IKE daemon, has UDP port 500',
    });
  });
});

test('ESP is sent and received in both families, without the IP header', OPTIONS, async () => {
  await inSpaces(2, async (left, right) => {
    const ours = ['192.0.2.1/24', '192.0.2.11/24', '2001:db8::1/64', '2001:db8::11/64'];
    left.link('eth0', ours, right, 'eth0', ['192.0.2.2/24', '2001:db8::2/64']);
    const a = left.agent();
    const b = right.agent();
    await a.call('raw');
    await b.call('raw');
    for (const prefix of ours) {
      const [ip = ''] = prefix.split('/');
      const peer = ip.includes(':') ? '2001:db8::2' : '192.0.2.2';
      const hex = `0000c0de00000001${'5a'.repeat(64)}`;
      assert.equal(await b.call('raw-send', { hex, from: peer, to: ip }), true);
      assert.deepEqual(await a.next('data'), { on: 'data', hex, from: peer, to: ip });
      assert.equal(await a.call('raw-send', { hex, from: ip, to: peer }), true);
      assert.deepEqual(await b.next('data'), { on: 'data', hex, from: ip, to: peer });
    }
  });
});

/** util-linux: runs a program without some capabilities. */
function without(...names: readonly string[]): string[] {
  const list = names.map((name) => `-${name}`).join(',');
  return ['setpriv', `--bounding-set=${list}`, `--inh-caps=${list}`];
}

test('what a missing capability forbids says which one it is', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const bare = space.agent(...without('net_raw', 'net_admin', 'net_bind_service'));
    await assert.rejects(bare.call('raw'), { code: 'EPERM', syscall: 'socket', hint: /CAP_NET_RAW/ });
    await assert.rejects(bare.call('udp', { mark: 220 }), { code: 'EPERM', hint: /CAP_NET_ADMIN/ });
    await assert.rejects(bare.call('udp', { port: 500 }), { code: 'EACCES', hint: /CAP_NET_BIND_SERVICE/ });
    await assert.rejects(bare.call('tun', { name: 'esp0', mtu: 1400 }), { code: 'EPERM', hint: /CAP_NET_ADMIN/ });
  });
});
