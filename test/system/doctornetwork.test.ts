// The doctor, where the network around the gateway is not as it should be: forwarding, filters, firewall, routes, sizes,
// and IPsec of the kernel. What it orders is run, and then it is content.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type Clinic,
  clinic,
  complaint,
  complaints,
  config,
  type LookOptions,
  mends,
  OURS,
  PEER,
} from '../support/clinic.ts';
import { lacking, NETWORK } from '../support/needs.ts';

const options = { skip: lacking(...NETWORK, 'tun', 'espalier'), timeout: 120_000 };

test('no forwarding between the networks', options, () =>
  clinic(async (place) => {
    await place.host.sysctl({ 'net.ipv4.ip_forward': 0, 'net.ipv6.conf.all.forwarding': 0 });
    await mends(
      place,
      { mend: 'forwarding' },
      'problem',
      /does not forward IPv4$/,
      /^sysctl -w net\.ipv4\.ip_forward=1$/,
    );
    const conf = config({ localTs: 'fd00:a::/64', remoteTs: 'fd00:b::/64' });
    await mends(
      place,
      { mend: 'forwarding6', conf },
      'problem',
      /does not forward IPv6$/,
      /^sysctl -w net\.ipv6\.conf\.all\.forwarding=1$/,
    );
    await place.host.sysctl({ 'net.ipv4.conf.inside.forwarding': 0 });
    await mends(
      place,
      { mend: 'forwarding' },
      'problem',
      /what comes in by inside is not forwarded/,
      /conf\.inside\.forwarding=1$/,
    );
  }),
);

test('between two hosts nothing is forwarded, and nothing need be', options, () =>
  clinic(async (place) => {
    await place.host.sysctl({ 'net.ipv4.ip_forward': 0 });
    assert.deepEqual(complaints(await place.look({ conf: config({ localTs: 'dynamic', remoteTs: 'dynamic' }) })), []);
    assert.deepEqual(complaints(await place.look({ conf: config({ localTs: '192.0.2.1/32' }) })), []);
    const without = await place.look({
      args: ['--config', join(place.folder, 'empty.conf')],
      before: `: > ${place.folder}/empty.conf`,
    });
    assert.equal(complaints(without, 'forwarding').length, 1);
  }),
);

test('[E6] reverse-path filters and redirects that stand in the way', options, () =>
  clinic(async (place) => {
    await place.host.sysctl({ 'net.ipv4.conf.peer.rp_filter': 1 });
    await mends(
      place,
      { mend: 'rp-filter' },
      'warning',
      /the filter of peer is strict/,
      /^sysctl -w net\.ipv4\.conf\.peer\.rp_filter=2$/,
    );
    await place.host.sysctl({ 'net.ipv4.conf.all.rp_filter': 1, 'net.ipv4.conf.peer.rp_filter': 0 });
    await mends(
      place,
      { mend: 'rp-filter' },
      'warning',
      /the filter of peer and esp0, once it is made is strict/,
      /conf\.peer\.rp_filter=2 net\.ipv4\.conf\.default\.rp_filter=2$/,
    );
    await place.host.sysctl({ 'net.ipv4.conf.peer.rp_filter': 1 });
    const everything = config({ remoteTs: '0.0.0.0/0' });
    await mends(
      place,
      { mend: 'rp-filter', conf: everything },
      'problem',
      /will drop what comes from 192\.0\.2\.2/,
      /conf\.peer\.rp_filter=2$/,
    );
    await place.host.sysctl({ 'net.ipv4.conf.all.accept_redirects': 1, 'net.ipv4.conf.peer.accept_redirects': 1 });
    await mends(
      place,
      { mend: 'redirects' },
      'warning',
      /on the network of peer can lead our packets elsewhere/,
      /conf\.peer\.accept_redirects=0/,
    );
  }),
);

test('the strict filter drops what the doctor says it does', options, () =>
  clinic(async (place) => {
    const conf = config({ remoteTs: '0.0.0.0/0' });
    await place.host.sysctl({ 'net.ipv4.conf.peer.rp_filter': 1 });
    complaint(await place.look({ conf }), 'rp-filter', 'problem', /strict filter of peer will drop/);
    // The two know each other's hardware addresses: no question about these would be answered either.
    assert.ok(await place.peer.ping(OURS));
    // As the daemon has it while such a tunnel is up.
    await place.host.ip('route', 'add', 'default', 'dev', 'inside', 'table', '220');
    await place.host.ip('rule', 'add', 'not', 'fwmark', '0x45535000', 'table', '220', 'priority', '220');
    const calls = async () => {
      const before = await filtered(place);
      await place.peer.ping(OURS, { patience: 1 });
      return (await filtered(place)) - before;
    };
    assert.equal(await calls(), 1);
    await place.host.sysctl({ 'net.ipv4.conf.peer.rp_filter': 2 });
    assert.equal(await calls(), 0);
  }),
);

/** Packets that the filter has dropped. */
async function filtered({ host }: Clinic): Promise<number> {
  const [names = '', values = ''] = (await host.must('cat', ['/proc/net/netstat'])).split('\n');
  return Number(values.split(' ')[names.split(' ').indexOf('IPReversePathFilter')]);
}

test("routes of somebody else's in our table", options, () =>
  clinic(async (place) => {
    await place.host.ip('route', 'add', '10.9.0.0/16', 'via', PEER, 'table', '220', 'proto', 'static');
    await place.host.ip('route', 'add', '10.8.0.0/16', 'via', PEER, 'table', '220', 'proto', 'boot');
    await mends(
      place,
      { mend: 'table-220' },
      'problem',
      /10\.8\.0\.0\/16 and 1 more/,
      /^ip route flush table 220 protocol \d+ && ip route flush/,
    );
  }),
);

test('IPsec policies of the kernel', options, async (t) => {
  await clinic(async (place) => {
    const policy = [
      'src',
      '10.1.0.0/24',
      'dst',
      '10.2.0.0/24',
      'dir',
      'out',
      'tmpl',
      'src',
      '192.0.2.1',
      'dst',
      PEER,
      'proto',
      'esp',
      'mode',
      'tunnel',
    ];
    const made = await place.host.run('ip', ['xfrm', 'policy', 'add', ...policy]);
    if (made.code !== 0) return t.skip('the kernel has no XFRM');
    await mends(
      place,
      { mend: 'kernel-ipsec' },
      'problem',
      /src 10\.1\.0\.0\/24 dst 10\.2\.0\.0\/24$/,
      /^ip xfrm policy flush/,
    );
  });
});

test('a firewall that drops what the gateway lives by', options, () =>
  clinic(async (place) => {
    const chain = (hook: string, policy: string, rules: string) =>
      `flush ruleset\ntable inet filter {\n chain ${hook} {\n type filter hook ${hook} priority 0; policy ${policy};\n ${rules}\n }\n}`;
    const blocked = async (
      rules: string,
      health: 'warning' | 'problem',
      text: RegExp,
      command: RegExp,
      more: Partial<LookOptions> = {},
    ) => {
      await place.host.nft(rules);
      await mends(place, { mend: 'firewall', ...more }, health, text, command);
    };
    await blocked(
      chain('input', 'accept', 'udp dport 4500 drop'),
      'problem',
      /^a rule \(handle \d+\) of chain input of table inet filter drops UDP 4500$/,
      /^nft insert rule inet filter input udp dport 4500 accept$/,
    );
    await blocked(
      chain('input', 'drop', 'iif lo accept'),
      'problem',
      /^the policy of chain input of table inet filter drops UDP 500, UDP 4500, ESP \(IP protocol 50\)$/,
      /dport 500 accept && .*dport 4500 accept && .*l4proto esp accept$/,
    );
    await blocked(
      chain('input', 'drop', 'ct state established,related accept\n tcp dport 22 accept'),
      'warning',
      /answers to what we begin come in/,
      /^nft insert/,
    );
    await blocked(
      chain('input', 'drop', 'udp dport { 50, 500, 4500 } accept'),
      'problem',
      /drops ESP \(IP protocol 50\); UDP port 50 is let in instead, which nobody uses/,
      /^nft insert rule inet filter input meta l4proto esp accept$/,
    );
    await blocked(
      chain('output', 'accept', 'ip daddr 192.0.2.0/24 udp dport 500 reject'),
      'problem',
      /of chain output .* drops UDP 500$/,
      /output udp dport 500 accept$/,
    );
    await blocked(
      chain('input', 'drop', 'udp dport { 500, 4500 } accept\n meta l4proto esp accept'),
      'problem',
      /AH \(IP protocol 51\)/,
      /l4proto ah accept$/,
      { conf: config({ child: 'ah_proposals = sha256' }) },
    );
  }),
);

test('a firewall that lets nothing through the tunnel', options, () =>
  clinic(async (place) => {
    const rules = (text: string) =>
      `flush ruleset\ntable ip filter {\n chain FORWARD {\n type filter hook forward priority 0; policy drop;\n ${text}\n }\n}`;
    await place.host.nft(rules('iifname "docker0" accept'));
    await mends(
      place,
      { mend: 'firewall-forward' },
      'problem',
      /^the policy of chain FORWARD of table ip filter drops what goes into and out of the tunnels$/,
      /^nft insert rule ip filter FORWARD 'oifname "esp0"' accept && .*'iifname "esp0"' accept$/,
    );
    await place.host.nft(rules('ip saddr 10.1.0.0/24 accept'));
    await mends(
      place,
      { mend: 'firewall-forward' },
      'problem',
      /out of the tunnels$/,
      /^nft insert rule ip filter FORWARD 'iifname "esp0"' accept$/,
    );
  }),
);

test('a firewall of which nothing is evident is left alone', options, () =>
  clinic(async (place) => {
    for (const rules of [
      'ip saddr 192.0.2.0/24 accept',
      'udp dport { 500, 4500 } accept\n meta l4proto { esp, ah } accept',
      'meta mark 7 accept',
      'limit rate 100/second accept',
      'iifname "peer" jump peers',
      'udp dport vmap { 500 : accept, 4500 : accept }\n ip protocol esp accept',
    ]) {
      const text = `flush ruleset\ntable inet filter {\n chain peers {\n accept\n }\n chain input {\n type filter hook input priority 0; policy drop;\n ${rules}\n }\n}`;
      await place.host.nft(text);
      assert.deepEqual(complaints(await place.look()), [], rules);
    }
  }),
);

test('peers and addresses that the host does not know', options, () =>
  clinic(async (place) => {
    await place.host.ip('route', 'del', 'default');
    const conf = config()
      .replace(`remote_addrs = ${PEER}`, 'remote_addrs = 203.0.113.9')
      .replace('local_addrs = 192.0.2.1', 'local_addrs = 192.0.2.77');
    const look = await place.look({ conf });
    assert.match(
      complaint(look, 'peer-route', 'problem', /^there is no route to 203\.0\.113\.9$/).advice ?? '',
      /^ip route add 203\.0\.113\.9 via ROUTER$/,
    );
    const address = complaint(look, 'local-address', 'problem', /is no address of this host/);
    assert.match(address.advice ?? '', /ip address add 192\.0\.2\.77\/24 dev peer/);
    assert.equal(look.code, 1);
    await place.host.ip('route', 'add', '203.0.113.9', 'via', PEER);
    await place.host.ip('address', 'add', '192.0.2.77/24', 'dev', 'peer');
    assert.deepEqual(complaints(await place.look({ conf })), []);
  }),
);

test('a link too small for IPv6 inside', options, () =>
  clinic(async (place) => {
    await place.host.ip('link', 'set', 'peer', 'mtu', '1300');
    const conf = config({ localTs: 'fd00:a::/64', remoteTs: 'fd00:b::/64' });
    await mends(
      place,
      { mend: 'mtu', conf },
      'warning',
      /^peer takes 1300 bytes; packets of 12\d\d bytes fit inside.*IPv6, which is to go there, needs 1280/,
      /^ip link set dev peer mtu 1500$/,
    );
    await place.host.ip('link', 'set', 'peer', 'mtu', '1300');
    assert.deepEqual(complaints(await place.look()), []);
    // What the network has said of the way, or an operator.
    await place.host.ip('link', 'set', 'peer', 'mtu', '1500');
    await place.host.ip('route', 'add', `${PEER}/32`, 'dev', 'peer', 'mtu', '1290');
    const look = await place.look({ conf });
    assert.equal(
      complaint(look, 'mtu', 'warning', /^peer takes 1500 bytes, 1290 beyond it; packets of 1/).command,
      undefined,
    );
  }),
);

test('a network of this host that is said to be behind a peer', options, () =>
  clinic(async (place) => {
    const found = async (localTs: string, remoteTs: string) => {
      const { verdicts } = await place.look({ conf: config({ localTs, remoteTs }) });
      return verdicts.filter(({ code }) => code === 'attached-network').map(({ about, text }) => [about, text]);
    };
    const text = (selector: string) =>
      `lies in ${selector}, which is said to be behind the peer of child net: its packets would go into the tunnel`;
    const inside = '10.1.0.0/24 on inside';
    assert.deepEqual(await found('10.9.0.0/24', '10.0.0.0/8'), [[inside, text('10.0.0.0/8')]]);
    assert.deepEqual(await found('fd00:f::/64', 'fd00::/8'), [['fd00:a::/64 on inside', text('fd00::/8')]]);
    // What is ours as well stays here; and who writes everything means it.
    assert.deepEqual(await found('10.1.0.0/24', '10.0.0.0/8'), []);
    assert.deepEqual(await found('10.1.0.0/24', '10.2.0.0/24'), []);
    assert.deepEqual(await found('10.9.0.0/24', '0.0.0.0/0'), []);
  }),
);
