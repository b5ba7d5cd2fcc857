import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, unhex } from '../../src/bytes/bytes.ts';
import { udpPacket } from './packet.ts';
import { inSpaces, unable } from './space.ts';

const OPTIONS = { skip: unable(), timeout: 60_000 };

test('the device is made, sized, up and quiet, and goes when it is closed', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = space.agent();
    const made = await agent.call('tun', { name: 'esp%d', mtu: 1391 });
    const [link] = space.json('link show dev esp0');
    assert.deepEqual(made, { name: 'esp0', index: link?.ifindex });
    assert.equal(link?.mtu, 1391);
    assert.ok(Array.isArray(link?.flags) && link.flags.includes('UP') && link.flags.includes('LOWER_UP'));
    assert.deepEqual(
      space.json('address show dev esp0').flatMap((one) => one.addr_info),
      [],
    );
    await agent.call('tun-close');
    assert.deepEqual(space.json('link show type tun'), []);
  });
});

test('whole packets are read from the device and written to it, in both families', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = space.agent();
    await agent.call('tun', { name: 'esp0', mtu: 1400 });
    space.ip('address add 10.1.0.1/24 dev esp0');
    space.ip('address add fd01::1/64 dev esp0 nodad');
    await agent.call('udp', { port: 7000 });
    for (const [inside, outside, version] of [
      ['10.1.0.1', '10.1.0.9', '4'],
      ['fd01::1', 'fd01::9', '6'],
    ] as const) {
      await agent.call('udp-send', { hex: 'c0ffee', from: inside, to: outside, toPort: 9 });
      const read = await agent.nextWhere(
        'tun',
        (packet) => packet.hex.startsWith(version) && packet.hex.endsWith('c0ffee'),
      );
      const sent = udpPacket({ ip: inside, port: 7000 }, { ip: outside, port: 9 }, unhex('c0ffee'));
      assert.equal(read.hex.slice(-22), hex(sent).slice(-22));
      const reply = udpPacket({ ip: outside, port: 9 }, { ip: inside, port: 7000 }, unhex('beef'));
      assert.equal(await agent.call('tun-write', { hex: hex(reply) }), true);
      assert.equal((await agent.next('udp')).hex, 'beef');
    }
  });
});

test('ping is answered through the device', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = space.agent();
    await agent.call('tun', { name: 'esp0', mtu: 1400 });
    space.ip('address add 10.1.0.1/24 dev esp0');
    // An echo request: type 8, id 1, seq 1; checksums as RFC 1071 has them.
    const request = '4500001c00000000400166d60a0100090a0100010800f7fd00010001';
    assert.equal(await agent.call('tun-write', { hex: request.replace('66d6', '66d4') }), true);
    assert.equal(await agent.call('tun-write', { hex: request }), true);
    const reply = await agent.nextWhere('tun', (packet) => packet.hex.startsWith('4'));
    assert.equal(reply.hex.slice(24, 44), '0a0100010a0100090000');
  });
});

test('what is no IP packet is refused', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = space.agent();
    await agent.call('tun', { name: 'esp0', mtu: 1400 });
    assert.equal(await agent.call('tun-write', { hex: '' }), false);
    assert.equal(await agent.call('tun-write', { hex: '00' }), false);
    assert.equal(await agent.call('tun-write', { hex: 'ff'.repeat(40) }), false);
    await agent.call('tun-close');
    assert.equal(await agent.call('tun-write', { hex: '45' }), false);
  });
});

test('a device in use, and a name of another interface, are refused with the reason', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    await space.agent().call('tun', { name: 'esp0', mtu: 1400 });
    const other = space.agent();
    await assert.rejects(other.call('tun', { name: 'esp0', mtu: 1400 }), { code: 'EBUSY', hint: /another process/ });
    await assert.rejects(other.call('tun', { name: 'lo', mtu: 1400 }), { code: 'EINVAL', hint: /another kind/ });
    await assert.rejects(other.call('tun', { name: 'a/b', mtu: 1400 }), { code: 'EINVAL' });
    await assert.rejects(other.call('tun', { name: 'esp1', mtu: 10 }), { code: 'EINVAL', syscall: 'RTM_SETLINK' });
    assert.equal(space.json('link show type tun').length, 1);
  });
});

test('a device that somebody deletes is reported, once', OPTIONS, async () => {
  await inSpaces(1, async (space) => {
    const agent = space.agent();
    await agent.call('tun', { name: 'esp0', mtu: 1400 });
    space.ip('link delete esp0');
    // EBADFD
    assert.equal((await agent.next('gone')).from, '-77');
    assert.equal(await agent.call('tun-write', { hex: '45' }), false);
  });
});
