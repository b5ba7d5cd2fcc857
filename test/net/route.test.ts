import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { udpPacket } from './packet.ts';
import { gateway, MARK, SIDES, site, WAYS, type Way } from './site.ts';
import { type Agent, inSpaces, type Space, unable } from './space.ts';

const OPTIONS = { skip: unable(), timeout: 60_000 };
function eachWay(name: string, body: (guards: Way) => Promise<void>): void {
  for (const guards of WAYS) test(`${name} (guards: ${guards})`, OPTIONS, () => body(guards));
}

/** Rules other than the kernel's own three, as iproute2 prints them. */
function rules(space: Space, family: '-4' | '-6'): string[] {
  const lines = space.ip(`${family} rule list`).trim().split('\n');
  const tidy = lines.map((line) => line.replace(/\s+/g, ' ').trim());
  return tidy.filter((line) => !/^(0|32766|32767): /.test(line)).map((line) => line.replace(/ proto \d+$/, ''));
}

/** The table does not exist before its first route. */
function routes(space: Space, family: '-4' | '-6'): string[] {
  const all = space.json(`${family} route show table all`).filter(({ table }) => table === '220' || table === 220);
  return all.map(({ dst, type, dev, prefsrc }) => [type, dst, dev, prefsrc].filter(Boolean).join(' ')).sort();
}

const BASE = [
  '218: from all iif esp0 goto 220',
  '218: from all iif lo goto 220',
  '220: not from all fwmark 0xdc lookup 220',
];

/** What stays however many networks are guarded: with nf_tables, only a device says that the gateway is there. */
const ALWAYS = { rules: BASE, nftables: BASE.filter((rule) => !rule.includes('iif lo')) } as const;

test('rules and routes are installed, counted and withdrawn', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = space.agent();
    space.ip('address add 10.1.0.1/32 dev lo');
    space.ip('address add fd01::1/128 dev lo nodad');
    await agent.call('tun', { name: 'esp0', mtu: 1400 });
    assert.deepEqual([rules(space, '-4'), rules(space, '-6')], [[], []]);
    await agent.call('routes', { mark: MARK, guards: 'rules' });
    assert.deepEqual([rules(space, '-4'), rules(space, '-6')], [BASE, BASE]);

    // Those who share a route follow the newest.
    await agent.call('route', { prefix: '10.2.7.7/16' });
    await agent.call('route', { prefix: '10.2.0.0/16', source: '10.1.0.1' });
    await agent.call('route', { prefix: '0.0.0.0/0' });
    await agent.call('route', { prefix: 'fd02::/64', source: 'fd01::1' });
    await agent.call('route', { prefix: '::/0' });
    await agent.call('guard', { prefix: '10.2.0.0/16' });
    await agent.call('guard', { prefix: '10.2.0.0/16' });
    await agent.call('guard', { prefix: 'fd02::/64' });
    await agent.call('exempt', { prefix: '10.2.9.0/24' });
    await agent.call('exempt', { prefix: 'fd02::/80' });
    assert.deepEqual(routes(space, '-4'), ['10.2.0.0/16 esp0 10.1.0.1', 'default esp0', 'throw 10.2.9.0/24']);
    assert.deepEqual(routes(space, '-6'), ['default esp0', 'fd02::/64 esp0 fd01::1', 'throw fd02::/80 lo']);
    assert.deepEqual(rules(space, '-4'), [
      ...BASE.slice(0, 2),
      '218: from 10.2.9.0/24 goto 220',
      '219: from 10.2.0.0/16 blackhole',
      ...BASE.slice(2),
    ]);
    assert.deepEqual(rules(space, '-6'), [
      ...BASE.slice(0, 2),
      '218: from fd02::/80 goto 220',
      '219: from fd02::/64 blackhole',
      ...BASE.slice(2),
    ]);

    await agent.call('unroute', { prefix: '10.2.0.0/16' });
    await agent.call('unguard', { prefix: '10.2.0.0/16' });
    assert.ok(routes(space, '-4').includes('10.2.0.0/16 esp0 10.1.0.1'));
    assert.ok(rules(space, '-4').includes('219: from 10.2.0.0/16 blackhole'));
    await agent.call('unroute', { prefix: '10.2.0.0/16' });
    await agent.call('unguard', { prefix: '10.2.0.0/16' });
    await agent.call('unexempt', { prefix: '10.2.9.0/24' });
    await agent.call('unroute', { prefix: '10.77.0.0/16' });
    assert.deepEqual(routes(space, '-4'), ['default esp0']);
    assert.deepEqual(rules(space, '-4'), BASE);

    await agent.call('routes-close');
    await agent.call('routes-close');
    assert.deepEqual([routes(space, '-4'), routes(space, '-6')], [[], []]);
    assert.deepEqual([rules(space, '-4'), rules(space, '-6')], [[], []]);
  });
});

test('what is laid in advance leaves the route of an SA as it is, with its source and its size', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = await gateway(space, 'nftables');
    space.ip('address add 10.1.0.1/32 dev lo');
    const prefix = '10.2.0.0/16';
    const route = () =>
      space
        .ip('route show table 220')
        .trim()
        .replace(/\s+/g, ' ')
        .replace(/ proto \S+/, '');
    await agent.call('route', { prefix, mtu: 1376 });
    await agent.call('route', { prefix, mtu: 1438, source: '10.1.0.1', serves: 1 });
    await agent.call('route', { prefix, mtu: 1376 });
    await agent.call('unroute', { prefix });
    assert.match(route(), /src 10\.1\.0\.1 .*mtu 1438/);
    // Once it has gone, what is laid next says how again.
    await agent.call('unroute', { prefix, serves: 1 });
    await agent.call('route', { prefix, mtu: 1376 });
    assert.match(route(), /^10\.2\.0\.0\/16 dev esp0 .*mtu 1376$/);
    assert.doesNotMatch(route(), /src/);
  });
});

test('what the kernel refuses leaves nothing behind, and names the reason', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = await gateway(space, 'nftables');
    await assert.rejects(agent.call('route', { prefix: '10.2.0.0/16', source: '10.9.9.9' }), {
      code: 'EINVAL',
      syscall: 'RTM_NEWROUTE',
    });
    assert.deepEqual(routes(space, '-4'), []);
    await agent.call('route', { prefix: '10.2.0.0/16' });
    assert.deepEqual(routes(space, '-4'), ['10.2.0.0/16 esp0']);
  });
});

test('leftovers of a dead predecessor are removed, and what others installed is not', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const dead = await gateway(space, 'rules');
    for (const prefix of ['10.2.0.0/16', 'fd02::/64']) {
      await dead.call('route', { prefix });
      await dead.call('guard', { prefix });
      await dead.call('exempt', { prefix: prefix.replace('/16', '/24').replace('/64', '/80') });
    }
    await dead.kill();
    assert.ok(rules(space, '-4').includes('219: from 10.2.0.0/16 blackhole'));
    assert.deepEqual(routes(space, '-4'), ['throw 10.2.0.0/24']);
    space.ip('rule add priority 219 from 10.99.0.0/16 blackhole');
    space.ip('route add blackhole 10.99.0.0/16 table 220');

    await gateway(space, 'rules');
    assert.deepEqual(rules(space, '-4'), [...BASE.slice(0, 2), '219: from 10.99.0.0/16 blackhole', ...BASE.slice(2)]);
    assert.deepEqual(rules(space, '-6'), BASE);
    assert.deepEqual(routes(space, '-4'), ['blackhole 10.99.0.0/16']);
    assert.deepEqual(routes(space, '-6'), []);
  });
});

eachWay('a second gateway in the same namespace is refused, and the first one keeps its rules', async (guards) => {
  await inSpaces(1, async (space) => {
    const first = await gateway(space, guards);
    await first.call('route', { prefix: '10.2.0.0/16' });
    const second = space.agent();
    await second.call('tun', { name: 'esp1', mtu: 1400 });
    await assert.rejects(
      second.call('routes', { mark: MARK, guards }),
      /another Espalier runs here, with the device esp0/,
    );
    assert.deepEqual(rules(space, '-4'), ALWAYS[guards]);
    assert.deepEqual(routes(space, '-4'), ['10.2.0.0/16 esp0']);
  });
});

test('closing survives that the device and the rules are gone already', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = await gateway(space, 'rules');
    for (const prefix of ['10.2.0.0/16', 'fd02::/64']) {
      await agent.call('route', { prefix });
      await agent.call('guard', { prefix });
    }
    space.ip('rule del priority 219');
    await agent.call('tun-close');
    await agent.call('routes-close');
    assert.deepEqual([rules(space, '-4'), rules(space, '-6')], [[], []]);
  });
});

/** The kernel's own multicast reports go into the device too: those are passed over. */
async function tunnelled(agent: Agent, version: string, tail: string): Promise<void> {
  await agent.nextWhere('tun', (packet) => packet.hex.startsWith(version) && packet.hex.endsWith(tail));
}

eachWay('marked packets pass by a tunnel for everything, others take it', async (guards) => {
  await inSpaces(2, async (here, there) => {
    here.link('eth0', ['192.0.2.1/24', '2001:db8::1/64'], there, 'eth0', ['192.0.2.2/24', '2001:db8::2/64']);
    const agent = await gateway(here, guards);
    const peer = there.agent();
    await peer.call('udp', { port: 500 });
    await agent.call('route', { prefix: '0.0.0.0/0' });
    await agent.call('route', { prefix: '::/0' });
    // Its own address is inside a protected network: the peer's host-to-host tunnel.
    await agent.call('guard', { prefix: '192.0.2.0/24' });
    await agent.call('guard', { prefix: '2001:db8::/64' });
    const ends = [
      ['192.0.2.1', '192.0.2.2', '4'],
      ['2001:db8::1', '2001:db8::2', '6'],
    ] as const;
    await agent.call('udp', { port: 500, mark: MARK });
    for (const [from, to] of ends) {
      assert.equal(await agent.call('udp-send', { hex: '1111', from, to, toPort: 500 }), true);
      assert.equal((await peer.next('udp')).hex, '1111');
      await peer.call('udp-send', { hex: '3333', from: to, to: from, toPort: 500 });
      assert.equal((await agent.next('udp')).hex, '3333');
      assert.equal(await agent.call('source', { ip: to, mark: MARK }), from);
    }
    await agent.call('udp-close');
    await agent.call('udp', { port: 500 });
    for (const [from, to, version] of ends) {
      assert.equal(await agent.call('udp-send', { hex: '2222', from, to, toPort: 500 }), true);
      await tunnelled(agent, version, '2222');
    }
  });
});

eachWay('clear packets from a protected network are dropped, and those out of the tunnel pass', async (guards) => {
  await site(guards, async (_wan, _gate, _lan, agents) => {
    for (const { remote, forged, honest, inside, version } of SIDES) {
      const send = (text: string, from: string) =>
        agents.wan.call('udp-send', { hex: text, from, to: inside, toPort: 7000 });
      // Without a guard the forgery arrives: the path is open.
      await agents.gate.call('route', { prefix: remote });
      await send('0bad', forged);
      assert.equal((await agents.lan.next('udp')).hex, '0bad');

      await agents.gate.call('guard', { prefix: remote });
      await send('0bad', forged);
      await send('aaaa', honest);
      // In order on one wire: had the forgery passed, it would be here first.
      assert.equal((await agents.lan.next('udp')).hex, 'aaaa');

      const packet = udpPacket({ ip: forged, port: 7000 }, { ip: inside, port: 7000 }, unhex('bbbb'));
      assert.equal(await agents.gate.call('tun-write', { hex: hex(packet) }), true);
      const received = await agents.lan.next('udp');
      assert.equal(received.hex, 'bbbb');

      // And the answer goes into the tunnel.
      await agents.lan.call('udp-send', { hex: 'cccc', from: inside, to: forged, toPort: 7000 });
      await tunnelled(agents.gate, version, 'cccc');

      await agents.gate.call('unguard', { prefix: remote });
      await send('dddd', forged);
      assert.equal((await agents.lan.next('udp')).hex, 'dddd');
    }
  });
});

eachWay('reverse path filters of the host do not mistake protected traffic', async (guards) => {
  await site(guards, async (_wan, gate, _lan, agents) => {
    gate.exec('sh', '-c', 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 > $f; done');
    await agents.gate.call('route', { prefix: '10.2.0.0/16' });
    await agents.gate.call('guard', { prefix: '10.2.0.0/16' });
    const packet = udpPacket({ ip: '10.2.0.9', port: 7000 }, { ip: '10.1.0.5', port: 7000 }, unhex('bbbb'));
    await agents.gate.call('tun-write', { hex: hex(packet) });
    assert.equal((await agents.lan.next('udp')).hex, 'bbbb');
    await agents.lan.call('udp-send', { hex: 'cccc', from: '10.1.0.5', to: '10.2.0.9', toPort: 7000 });
    await tunnelled(agents.gate, '4', 'cccc');
  });
});

eachWay('out of one tunnel into another', async (guards) => {
  await site(guards, async (_wan, _gate, _lan, { gate }) => {
    for (const { remote, version, forged } of SIDES) {
      const other = version === '4' ? '10.3.0.1' : 'fd03::1';
      await gate.call('route', { prefix: remote });
      await gate.call('guard', { prefix: remote });
      await gate.call('route', { prefix: version === '4' ? '10.3.0.0/16' : 'fd03::/64' });
      const packet = udpPacket({ ip: forged, port: 1 }, { ip: other, port: 2 }, unhex('eeee'));
      await gate.call('tun-write', { hex: hex(packet) });
      await tunnelled(gate, version, 'eeee');
    }
  });
});

eachWay('a guard for everything is no guard', async (guards) => {
  await inSpaces(1, async (space) => {
    const agent = await gateway(space, guards);
    await agent.call('guard', { prefix: '0.0.0.0/0' });
    await agent.call('guard', { prefix: '::/0' });
    assert.deepEqual([rules(space, '-4'), rules(space, '-6')], [ALWAYS[guards], ALWAYS[guards]]);
    await agent.call('unguard', { prefix: '0.0.0.0/0' });
  });
});

eachWay('an exempted local network inside a remote one is reached, and its packets are no forgery', async (guards) => {
  await site(guards, async (_wan, _gate, _lan, agents) => {
    for (const { version, inside, honest } of SIDES) {
      const [wide, local] = version === '4' ? ['10.0.0.0/8', '10.1.0.0/24'] : ['fd00::/8', 'fd01::/64'];
      const remote = version === '4' ? '10.2.0.9' : 'fd02::9';
      await agents.gate.call('route', { prefix: wide });
      await agents.gate.call('guard', { prefix: wide });
      await agents.gate.call('exempt', { prefix: local });
      const packet = udpPacket({ ip: remote, port: 7000 }, { ip: inside, port: 7000 }, unhex('bbbb'));
      await agents.gate.call('tun-write', { hex: hex(packet) });
      assert.equal((await agents.lan.next('udp')).hex, 'bbbb');
      await agents.lan.call('udp-send', { hex: 'aaaa', from: inside, to: honest, toPort: 7000 });
      assert.equal((await agents.wan.next('udp')).hex, 'aaaa');
    }
  });
});

test('the host names its addresses and the source towards a peer', OPTIONS, async () => {
  await inSpaces(2, async (here, there) => {
    here.link('eth0', ['192.0.2.1/24', '192.0.2.11/24', '2001:db8::1/64'], there, 'eth0', ['192.0.2.2/24']);
    here.ip('route add 198.51.100.0/24 via 192.0.2.2 src 192.0.2.11');
    here.ip('-6 route add 2001:db8:1::/48 via 2001:db8::2');
    const agent = here.agent();
    assert.deepEqual(await agent.call('addresses'), ['127.0.0.1', '192.0.2.1', '192.0.2.11', '::1', '2001:db8::1']);
    assert.equal(await agent.call('source', { ip: '192.0.2.2' }), '192.0.2.1');
    assert.equal(await agent.call('source', { ip: '198.51.100.7' }), '192.0.2.11');
    assert.equal(await agent.call('source', { ip: '2001:db8:1::7' }), '2001:db8::1');
    assert.equal(await agent.call('source', { ip: '192.0.2.1' }), '192.0.2.1');
    assert.equal(await agent.call('source', { ip: '203.0.113.1' }), null);
    assert.equal(await agent.call('source', { ip: '2001:db8:2::1' }), null);
    assert.equal(await agent.call('source', { ip: 'nonsense' }), null);
    assert.equal(await agent.call('link', { ip: '198.51.100.7' }), 'eth0');
    assert.equal(await agent.call('link', { ip: '2001:db8:1::7' }), 'eth0');
    assert.equal(await agent.call('link', { ip: '192.0.2.1' }), 'lo');
    assert.equal(await agent.call('link', { ip: '203.0.113.1' }), null);
  });
});

test('routes without CAP_NET_ADMIN are refused with the reason', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    // The device was made beforehand for a user who may attach to it, and is up already.
    space.ip('tuntap add esp0 mode tun');
    const bare = space.agent('setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin');
    await assert.rejects(bare.call('tun', { name: 'esp0', mtu: 1400 }), {
      code: 'EPERM',
      syscall: 'RTM_SETLINK',
      hint: /CAP_NET_ADMIN/,
    });
  });
});
