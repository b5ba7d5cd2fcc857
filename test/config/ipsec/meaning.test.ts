// What the keywords of ipsec.conf mean. Where strongSwan's answer is not in its manual it was asked: charon 5.9.8 with
// its stroke plugin, and `swanctl --list-conns`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp, formatPrefix } from '../../../src/bytes/ip.ts';
import type { AddressPattern, Connection } from '../../../src/ike/connection.ts';
import { formatIdentity } from '../../../src/ike/identity.ts';
import { formatSelector } from '../../../src/ike/ts.ts';
import { conn, mistakes, one, onlyChild, read } from './read.ts';

const BASE = 'authby=psk\n  auto=add';
const MINUTE = 60_000;

function addresses(patterns: readonly AddressPattern[]): string {
  return patterns
    .map((pattern) => {
      if (pattern.kind === 'any') return '%any';
      if (pattern.kind === 'name') return pattern.name;
      if (pattern.kind === 'range') return `${formatIp(pattern.start)}-${formatIp(pattern.end)}`;
      return formatPrefix(pattern.prefix).replace(/\/(32|128)$/, '');
    })
    .join();
}

/** As strongSwan shows it: `local[id]...remote[id]`. */
function shown({ localAddrs, remoteAddrs, localId, remoteId }: Connection): string {
  const local = localId ? `[${formatIdentity(localId)}]` : '';
  const remote = remoteId.kind === 'is' ? `[${formatIdentity(remoteId.id)}]` : '';
  return `${addresses(localAddrs)}${local}...${addresses(remoteAddrs)}${remote}`;
}

function selectors(connection: Connection): string {
  const { localTs, remoteTs } = onlyChild(connection);
  const [local, remote] = [localTs, remoteTs].map((all) =>
    all
      .map((source) => {
        if (source.kind === 'fixed') return formatSelector(source.selector);
        const here = { ...source, start: new Uint8Array(4), end: new Uint8Array(4) };
        return formatSelector(here).replace('0.0.0.0/32', 'dynamic');
      })
      .join(' '),
  );
  return `${local} === ${remote}`;
}

/** This host has 192.0.2.1 and 192.0.2.5. */
const own = ['192.0.2.1', '192.0.2.5', '2001:db8::1'];

function ends(...lines: readonly string[]): string {
  return shown(one(`conn c\n  ${BASE}\n${lines.map((line) => `  ${line}\n`).join('')}`, { own }));
}

test('ours is the right end if it is an address of this host, otherwise the left one', () => {
  for (const [left, right, expected] of [
    ['192.0.2.1', '198.51.100.1', '192.0.2.1[192.0.2.1]...198.51.100.1[198.51.100.1]'],
    ['198.51.100.1', '192.0.2.1', '192.0.2.1[192.0.2.1]...198.51.100.1[198.51.100.1]'],
    ['192.0.2.1', '192.0.2.5', '192.0.2.5[192.0.2.5]...192.0.2.1[192.0.2.1]'],
    ['203.0.113.1', '203.0.113.2', '203.0.113.1[203.0.113.1]...203.0.113.2[203.0.113.2]'],
    ['192.0.2.1', '%any', '192.0.2.1[192.0.2.1]...%any'],
    ['%any', '192.0.2.1', '192.0.2.1[192.0.2.1]...%any'],
    ['203.0.113.1', '192.0.2.0/24', '203.0.113.1[203.0.113.1]...192.0.2.0/24'],
    ['198.51.100.1', '%192.0.2.5', '192.0.2.5,0.0.0.0/0,::/0[192.0.2.5]...198.51.100.1[198.51.100.1]'],
    ['0.0.0.0', '0.0.0.0', '0.0.0.0/0...0.0.0.0/0'],
    ['%defaultroute', '198.51.100.1', '%any...198.51.100.1[198.51.100.1]'],
    ['%any6', '%any4', '::/0...0.0.0.0/0'],
    ['2001:db8:0::0:2', '2001:0db8::1', '2001:db8::1[2001:db8::1]...2001:db8::2[2001:db8::2]'],
  ] as const) {
    assert.equal(ends(`left=${left}`, `right=${right}`), expected, `${left} ${right}`);
  }
  // A name is not looked up to find out whose it is, and an identity unless another is written.
  assert.equal(ends('right=gw-1.example.org'), '%any...gw-1.example.org[gw-1.example.org]');
  assert.equal(ends('right=%GW.example.org'), '%any...gw.example.org,0.0.0.0/0,::/0[GW.example.org]');
  assert.deepEqual(
    mistakes(() => conn('left=gw.example.org')),
    ['ipsec.conf:4:8: left: "gw.example.org" is a host name, and only the peer may be given by one; write the address'],
  );
  // Where there are several, none of them is the identity. (strongSwan makes one name of the whole list.)
  assert.equal(
    ends('left=198.51.100.1,198.51.100.2', 'right=203.0.113.9, 192.0.2.5'),
    '203.0.113.9,192.0.2.5...198.51.100.1,198.51.100.2',
  );
  assert.equal(ends('left=%any', 'right=198.51.100.8-198.51.100.9'), '%any...198.51.100.8-198.51.100.9');
});

test('a word with a "%" that is no address is refused by its name, and not taken for a host', () => {
  const wrong = (line: string) => mistakes(() => conn(line));
  for (const word of ['%config', '%config4', '%config6', '%cfg', '%modeconfig', '%modecfg']) {
    const text = `"${word}" asks for a virtual address, and belongs into rightsourceip`;
    assert.deepEqual(wrong(`right=${word}`), [`ipsec.conf:4:9: right: ${text}`]);
  }
  const shared = 'is for encryption with whomever (opportunistic), which is not supported';
  const words = '%any, %any4, %any6, %defaultroute';
  const host = (end: string) =>
    `is neither an address nor one of ${words}; for a host of one word and any other: ${end}allowany=yes`;
  for (const [line, column, text] of [
    ['right=%dynamic', 9, 'right: "%dynamic" belongs into rightsubnet'],
    ['left=192.0.2.1, %dynamic', 19, 'left: "%dynamic" belongs into leftsubnet'],
    ['right=%group', 9, `right: "%group" ${shared}`],
    ['right=%opportunistic', 9, `right: "%opportunistic" ${shared}`],
    ['right=%opportunisticgroup', 9, `right: "%opportunisticgroup" ${shared}`],
    ['right=%direct', 9, 'right: "%direct" belongs into rightnexthop'],
    ['right=198.51.100.1,%Config', 22, 'right: "%Config" asks for a virtual address, and belongs into rightsourceip'],
    ['left=%gw', 8, `left: "%gw" ${host('left')}`],
    ['right=%', 9, `right: "%" ${host('right')}`],
    ['right=%anny', 9, `right: "%anny" ${host('right')}; did you mean "%any"?`],
    ['right=%ANY', 9, `right: "%ANY" ${host('right')}; did you mean "%any", "%any4" or "%any6"?`],
  ] as const) {
    assert.deepEqual(wrong(line), [`ipsec.conf:4:${column}: ${text}`]);
  }
  assert.equal(ends('right=gw', 'rightallowany=yes'), '%any...gw,0.0.0.0/0,::/0[gw]');
});

test('with the ends everything changes sides that belongs to them, and a warning says so', () => {
  const lines = ['left=198.51.100.1', 'leftid=@left', 'leftsubnet=10.1.0.0/16', 'leftikeport=501'];
  const mirror = lines.map((line) => line.replace('left', 'right').replace('=198.51.100.1', '=192.0.2.1'));
  const text = `conn c\n  ${BASE}\n${[...lines, ...mirror].map((line) => `  ${line}\n`).join('')}`;
  const { connections, warnings } = read(text.replace('rightsubnet=10.1', 'rightsubnet=10.2'), { own });
  const [connection] = connections as [Connection];
  assert.equal(shown(connection), '192.0.2.1[left]...198.51.100.1[left]');
  assert.equal(selectors(connection), '10.2.0.0/16 === 10.1.0.0/16');
  assert.equal(connection.remotePort, 501);
  assert.deepEqual(warnings, [
    'ipsec.conf:8:9: the right end of "c" is an address of this host: right is us, and left is the peer',
    'ipsec.conf:11:3: option "rightikeport" has no effect: the ports of all connections are those of the daemon: --port and --nat-port',
  ]);
  assert.deepEqual(connection.where.get('remote.id'), { file: 'ipsec.conf', line: 5, column: 3, option: 'leftid' });
  assert.equal(onlyChild(connection).where.get('local_ts')?.option, 'rightsubnet');
});

test('identities are those that are written, or the addresses', () => {
  const id = (line: string) => ends('left=192.0.2.1', 'right=198.51.100.1', line);
  assert.equal(id('leftid=@gw.example.org'), '192.0.2.1[gw.example.org]...198.51.100.1[198.51.100.1]');
  assert.equal(id('leftid=%any'), '192.0.2.1...198.51.100.1[198.51.100.1]');
  assert.equal(id('rightid=%any'), '192.0.2.1[192.0.2.1]...198.51.100.1');
  assert.equal(id('rightid=user@example.org'), '192.0.2.1[192.0.2.1]...198.51.100.1[user@example.org]');
  const { connections, warnings } = read(`conn c\n  ${BASE}\n  rightid=%gw.example.org\n`);
  assert.equal(shown(connections[0] as Connection), '%any...%any[gw.example.org]');
  assert.deepEqual(warnings, [
    'ipsec.conf:4:11: "%" before the identity in rightid has no effect: the peer is told whom it is taken for',
  ]);
});

test('allowany lets any address in beside the one that is written', () => {
  const [written, sign] = [
    ends('left=192.0.2.1', 'right=198.51.100.1', 'rightallowany=yes'),
    ends('left=192.0.2.1', 'right=%198.51.100.1'),
  ];
  assert.equal(written, '192.0.2.1[192.0.2.1]...198.51.100.1,0.0.0.0/0,::/0[198.51.100.1]');
  assert.equal(sign, written);
});

test('subnets have protocols and ports of their own, or those of protoport; without any it is the end itself', () => {
  const ts = (...lines: readonly string[]) => selectors(conn(...lines));
  assert.equal(ts(), 'dynamic === dynamic');
  assert.equal(
    ts('leftprotoport=tcp/80', 'leftsubnet=10.1.0.0/16[udp/53],10.2.0.1,%dynamic', 'rightprotoport=icmp'),
    '10.1.0.0/16[udp/domain] 10.2.0.1/32[tcp/http] dynamic[tcp/http] === dynamic[icmp]',
  );
  assert.equal(
    ts('rightsubnet=fec1::1[udp/%any], 10.0.0.0/16[%any/53]'),
    'dynamic === fec1::1/128[udp] 10.0.0.0/16[domain]',
  );
  assert.equal(ts('leftsubnetwithin=0.0.0.0/0', 'rightprotoport=udp/%opaque'), '0.0.0.0/0 === dynamic[udp/OPAQUE]');
  assert.equal(ts('rightsubnet=%dynamic[tcp/1024-65535]'), 'dynamic === dynamic[tcp/1024-65535]');
  assert.deepEqual(
    mistakes(() => conn('rightsubnet=10.1.0.0/16, %any')),
    [
      'ipsec.conf:4:28: rightsubnet: "%any" is the one address 0.0.0.0 to strongSwan; write 0.0.0.0/0 or ::/0 for everything',
    ],
  );
  assert.deepEqual(
    mistakes(() => conn('leftprotoport=foo/80', 'rightsubnet=10.1.0.0/16,10.2/16')),
    [
      'ipsec.conf:4:17: leftprotoport: "foo/80" is no protocol and port; write tcp/80',
      'ipsec.conf:5:27: rightsubnet: "10.2/16" is no traffic selector; write 10.1.0.0/16 or 10.1.0.0/16[tcp/80]',
    ],
  );
});

test('SAs are renewed a margin before they end, less a random part of it', () => {
  const times = (...lines: readonly string[]) => {
    const connection = conn(...lines);
    const { lifetime } = onlyChild(connection);
    const { reauthTime, rekeyTime, overTime, randTime } = connection;
    return {
      ike: [reauthTime, rekeyTime, overTime, randTime].map((time) => time / MINUTE),
      child: [lifetime.rekeyTime, lifetime.lifeTime, lifetime.randTime].map((time) => time / MINUTE),
    };
  };
  assert.deepEqual(times(), { ike: [171, 0, 9, 9], child: [51, 60, 9] });
  assert.deepEqual(times('reauth=no'), { ike: [0, 171, 9, 9], child: [51, 60, 9] });
  assert.deepEqual(times('ikelifetime=1h', 'keylife=40m', 'rekeymargin=4m', 'rekeyfuzz=50%'), {
    ike: [56, 0, 4, 2],
    child: [36, 40, 2],
  });
  assert.deepEqual(times('rekeyfuzz=0%', 'lifetime=1d'), { ike: [171, 0, 9, 0], child: [1431, 1440, 0] });
  assert.deepEqual(times('rekey=no'), { ike: [0, 0, 0, 0], child: [0, 0, 0] });
  assert.deepEqual(times('lifetime=20m'), { ike: [171, 0, 9, 9], child: [11, 20, 9] });
  assert.deepEqual(times('ikelifetime=0', 'lifetime=0'), { ike: [0, 0, 0, 0], child: [0, 0, 0] });
});

test('numbers have their units as the starter of strongSwan reads them, and nothing between', () => {
  const wrong = (line: string) => mistakes(() => conn(line)).join();
  const time = 'is not a time such as 30s, 10m, 4h or 1d';
  const share = 'is not a share from 0% to 1000%';
  const amount = `is not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;
  for (const [line, text] of [
    ['lifetime=1 h', `4:12: lifetime: "1 h" ${time}; did you mean "1h"?`],
    ['lifetime="1h "', `4:13: lifetime: "1h " ${time}; did you mean "1h"?`],
    ['ikelifetime=3H', `4:15: ikelifetime: "3H" ${time}; did you mean "3h"?`],
    ['keylife=90\tm', `4:11: keylife: "90 m" ${time}; did you mean "90m"?`],
    ['margintime=1hh', `4:14: margintime: "1hh" ${time}`],
    ['margintime=500ms', `4:14: margintime: "500ms" ${time}`],
    ['rekeyfuzz=100 %', `4:13: rekeyfuzz: "100 %" ${share}; did you mean "100%"?`],
    ['rekeyfuzz=50', `4:13: rekeyfuzz: "50" ${share}; did you mean "50%"?`],
    ['rekeyfuzz=2000%', `4:13: rekeyfuzz: "2000%" ${share}`],
    ['lifebytes=1g', `4:13: lifebytes: "1g" ${amount}`],
    ['marginbytes=1 000', `4:15: marginbytes: "1 000" ${amount}`],
  ] as const) {
    assert.ok(wrong(line).startsWith(`ipsec.conf:${text}`), `${line}: ${wrong(line)}`);
  }
  assert.ok(wrong('dpddelay=30 s\n  dpdaction=clear').startsWith('ipsec.conf:4:12: dpddelay: "30 s" is not a time'));
  for (const life of ['7200', '7200s', '120m', '2h']) {
    assert.equal(onlyChild(conn(`lifetime=${life}`)).lifetime.lifeTime, 120 * MINUTE, life);
  }
});

test('a margin that does not fit into a lifetime is a mistake, or made shorter where nobody wrote it', () => {
  assert.deepEqual(
    mistakes(() => conn('lifetime=15m', 'margintime=9m')),
    ['ipsec.conf:5:14: margintime: with rekeyfuzz it has to be less than lifetime'],
  );
  assert.deepEqual(mistakes(() => conn('keylife=1h', 'rekeymargin=0')).slice(0, 1), [
    'ipsec.conf:5:15: rekeymargin: it cannot be 0: renewal takes time',
  ]);
  const { connections, warnings } = read(`conn c\n  ${BASE}\n  lifetime=10m\n`);
  const { rekeyTime, lifeTime, randTime } = onlyChild(connections[0] as Connection).lifetime;
  assert.deepEqual([rekeyTime, lifeTime, randTime], [9 * MINUTE, 10 * MINUTE, MINUTE]);
  assert.deepEqual(warnings, [
    'ipsec.conf:4:12: margintime is not written, and the usual 9m are too long for this lifetime: 60s are taken',
  ]);
});

test('bytes and packets limit a child as time does', () => {
  const { lifetime } = onlyChild(
    conn('lifebytes=10000', 'marginbytes=1000', 'lifepackets=500', 'marginpackets=100', 'rekeyfuzz=50%'),
  );
  assert.deepEqual([lifetime.rekeyBytes, lifetime.lifeBytes, lifetime.randBytes], [9000, 10_000, 500]);
  assert.deepEqual([lifetime.rekeyPackets, lifetime.lifePackets, lifetime.randPackets], [400, 500, 50]);
  const { warnings } = read(`conn c\n  ${BASE}\n  lifebytes=10000\n  marginpackets=5\n`);
  assert.deepEqual(warnings, [
    'ipsec.conf:4:13: child "c" gets no new keys before it ends after its lifebytes: write marginbytes too',
  ]);
  assert.deepEqual(
    mistakes(() => conn('lifepackets=100', 'marginpackets=50')),
    ['ipsec.conf:5:17: marginpackets: with rekeyfuzz it has to be less than lifepackets'],
  );
});

test('dead peers are looked for only where something is to be done then', () => {
  const dpd = (...lines: readonly string[]) => {
    const connection = conn(...lines);
    return [connection.dpdDelay, connection.dpdTimeout, onlyChild(connection).dpdAction];
  };
  assert.deepEqual(dpd(), [0, 0, 'clear']);
  assert.deepEqual(dpd('dpddelay=8s', 'dpdtimeout=13s'), [0, 0, 'clear']);
  assert.deepEqual(dpd('dpdaction=clear'), [30_000, 150_000, 'clear']);
  assert.deepEqual(dpd('dpdaction=hold', 'dpddelay=8s', 'dpdtimeout=13s'), [8000, 13_000, 'trap']);
  assert.deepEqual(dpd('dpdaction=restart', 'dpddelay=2m'), [120_000, 150_000, 'restart']);
  const close = (line: string) => onlyChild(conn(line)).closeAction;
  assert.deepEqual(
    ['none', 'clear', 'hold', 'restart'].map((word) => close(`closeaction=${word}`)),
    ['none', 'none', 'trap', 'start'],
  );
});

test('proposals are followed by the defaults, but for a "!" at the end', () => {
  const texts = (...lines: readonly string[]) => {
    const connection = conn(...lines);
    return [connection.offers, onlyChild(connection).offers].map((offers) => offers.map(({ text }) => text));
  };
  const [ike, esp] = texts();
  const [more, moreEsp] = texts('ike=aes128-sha1-modp1024', 'esp=aes128-sha1-modp1024,3des-md5');
  assert.deepEqual(more, ['aes128-sha1-modp1024', ...(ike ?? [])]);
  assert.deepEqual(moreEsp, ['aes128-sha1-modp1024', '3des-md5', ...(esp ?? [])]);
  assert.deepEqual(texts('ike=aes128-sha1-modp1024, aes256-sha1-modp1024!', 'esp=aes128-sha1 !'), [
    ['aes128-sha1-modp1024', 'aes256-sha1-modp1024'],
    ['aes128-sha1'],
  ]);
  assert.deepEqual(texts('ike=aes128-sha1-modp1024,default')[0], more, 'no default twice');
  const ah = onlyChild(conn('ah=sha1!'));
  assert.deepEqual([ah.protocol, ah.offers.map(({ text }) => text)], ['ah', ['sha1']]);
  assert.ok(onlyChild(conn('ah=sha1')).offers.length > 1);
  assert.deepEqual(
    mistakes(() => conn('ike=aes128-sha1-modp1024!,aes256-sha1-modp2048', 'esp=aes128-sha265!')),
    [
      'ipsec.conf:4:7: ike: "!" belongs to the end of the whole value: it means that nothing else will do',
      'ipsec.conf:5:14: esp: "sha265" is not an algorithm; did you mean "sha256"?',
    ],
  );
  assert.deepEqual(
    mistakes(() => conn('ah=sha1', 'esp=aes128-sha1')),
    ['ipsec.conf:4:6: ah: it cannot stand beside esp: a child has AH or ESP; write one conn for each'],
  );
});

test('the rest is as it is called', () => {
  const connection = conn(
    ...['keyexchange=ike', 'keyingtries=%forever', 'forceencaps=yes', 'aggressive=no', 'fragmentation=accept'],
    ...['type=transport', 'replay_window=64', 'sha256_96=yes', 'mobike=no', 'compress=no', 'installpolicy=yes'],
  );
  assert.deepEqual(
    [connection.version, connection.keyingTries, connection.encap, connection.fragmentation],
    [0, 0, 'yes', 'accept'],
  );
  const child = onlyChild(connection);
  assert.deepEqual([child.mode, child.replayWindow, child.shortSha256], ['transport', 64, true]);
  assert.equal(onlyChild(conn('replay_window=-1')).replayWindow, 128);
  assert.deepEqual([conn().keyingTries, conn('keyingtries=7').keyingTries], [3, 7]);
  const unique = (word: string) => one(`config setup\n  uniqueids=${word}\nconn c\n  ${BASE}\n`).unique;
  assert.deepEqual(['yes', 'no', 'never', 'replace', 'keep'].map(unique), [
    'replace',
    'no',
    'never',
    'replace',
    'keep',
  ]);
  assert.equal(conn().unique, 'replace');
  const start = (auto: string) =>
    onlyChild(one(`conn c\n  authby=secret\n  right=192.0.2.9\n  auto=${auto}\n`)).startAction;
  assert.deepEqual(['add', 'route', 'start'].map(start), ['none', 'trap', 'start']);
});

test('the program to run is that of our own end', () => {
  const { updown, hostAccess } = onlyChild(
    conn('leftupdown="/etc/espalier/up.sh one"', 'rightupdown=/etc/theirs.sh', 'lefthostaccess=yes'),
  );
  assert.deepEqual([updown, hostAccess], [['/etc/espalier/up.sh', 'one'], true]);
  assert.match(
    mistakes(() => conn('leftupdown="ipsec _updown"')).join(),
    /^ipsec\.conf:4:15: leftupdown: "ipsec" is not an absolute path/,
  );
});

test('a conn without "auto" is not loaded; a warning says so, unless others take over from it', () => {
  const { connections, warnings } = read(
    'conn a\n  authby=psk\nconn b\n  right=192.0.2.9\nconn c\n  also=b\n  auto=ignore\n',
  );
  assert.deepEqual(connections, []);
  assert.deepEqual(warnings, [
    'ipsec.conf:1:1: "a" is not loaded, because it has no "auto"; write auto=add, auto=route or auto=start',
  ]);
});

test('authentication is by pre-shared key on both sides, or it is said what is missing', () => {
  const wrong = (...lines: readonly string[]) =>
    mistakes(() => read(`conn c\n  auto=add\n${lines.map((line) => `  ${line}\n`).join('')}`));
  assert.equal(read('conn c\n  auto=add\n  leftauth=psk\n  rightauth=secret\n').connections.length, 1);
  assert.deepEqual(wrong(), [
    'ipsec.conf:1:1: authby is "pubkey" when it is not written, and certificates are not supported yet; write "authby=psk"',
  ]);
  assert.deepEqual(wrong('authby=rsasig'), [
    'ipsec.conf:3:10: authby: certificates and public keys are not supported yet',
  ]);
  assert.deepEqual(wrong('authby=xauthpsk'), ['ipsec.conf:3:10: authby: EAP and XAuth are not supported yet']);
  assert.deepEqual(wrong('leftauth=psk', 'authby=psk'), [
    'ipsec.conf:1:1: rightauth is "pubkey" beside leftauth, and certificates are not supported yet; write "rightauth=psk"',
  ]);
  assert.deepEqual(wrong('leftauth=psk', 'rightauth=eap-mschapv2'), [
    'ipsec.conf:4:13: rightauth: "eap-mschapv2" is refused: EAP and XAuth are not supported yet; only psk is',
  ]);
  assert.deepEqual(wrong('authby=pks'), [
    'ipsec.conf:3:10: authby: "pks" is none of psk, secret, pubkey, rsa, rsasig, ecdsa, ecdsasig, xauthpsk, xauthrsasig, never; did you mean "psk"?',
  ]);
});

test('conns that agree in all that concerns IKE share a connection, whatever their children are', () => {
  const text = `
conn %default
  authby=psk
  auto=add
  left=192.0.2.1
  right=198.51.100.20
conn p1
  rightsubnet=192.168.0.0/24
conn other
  rightsubnet=192.168.9.0/24
  ike=aes128-sha256-modp2048!
conn p2
  rightsubnet=192.168.2.0/24
  ikelifetime=10800
  dpdaction=none
  type=tunnel
`;
  assert.deepEqual(
    read(text).connections.map(({ name, children }) => [name, children.map((child) => child.name)]),
    [
      ['p1', ['p1', 'p2']],
      ['other', ['other']],
    ],
  );
});

test('messages and places have the words of ipsec.conf', () => {
  const { where } = conn('keylife=2h');
  assert.deepEqual(where.get('proposals'), { file: 'ipsec.conf', line: 1, column: 1, option: 'ike' });
  assert.deepEqual(onlyChild(conn('keylife=2h')).where.get('life_time')?.option, 'keylife');
  assert.equal(where.get('')?.option, undefined);
  assert.deepEqual(
    mistakes(() =>
      conn(
        'right=192.0.2.300',
        'leftid=a*',
        'dpdaction=hold',
        'dpddelay=soon',
        'type=transport',
        'rightsubnet=10.0.0.0/8',
      ),
    ),
    [
      'ipsec.conf:4:9: right: "192.0.2.300" is no address, prefix or range',
      'ipsec.conf:5:10: leftid: "a*" is a pattern, which is not supported yet; write one identity or %any',
      'ipsec.conf:7:12: dpddelay: "soon" is not a time such as 30s, 10m, 4h or 1d',
    ],
  );
  assert.deepEqual(
    mistakes(() => conn('right=192.0.2.3', 'type=transport', 'rightsubnet=10.0.0.0/8')),
    [
      'ipsec.conf:6:3: rightsubnet: in transport mode it is for the gateway itself, and no address of right lies in it; leave it out',
    ],
  );
  assert.deepEqual(
    mistakes(() => conn('ah=sha256!', 'forceencaps=yes')),
    ['ipsec.conf:4:3: ah: AH does not go in UDP, which "forceencaps=yes" asks for'],
  );
  const { warnings } = read('conn c\n  authby=psk\n  auto=start\n');
  assert.deepEqual(warnings, [
    'ipsec.conf:3:3: "c" cannot begin by itself: right of connection "c" has no single address',
  ]);
});
