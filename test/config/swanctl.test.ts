// What swanctl.conf means: a realistic gateway in full, then the rules for each kind of value.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, utf8 } from '../../src/bytes/bytes.ts';
import { formatPrefix } from '../../src/bytes/ip.ts';
import { formatWarning } from '../../src/config/error.ts';
import { parseSettings } from '../../src/config/settings.ts';
import { loadConnection, loadSwanctl } from '../../src/config/swanctl.ts';
import { type AddressPattern, type Connection, RETRANSMIT, RETRANSMIT_HUAWEI } from '../../src/ike/connection.ts';
import { describeIdentity, formatIdentity } from '../../src/ike/identity.ts';
import { transformName } from '../../src/ike/transforms.ts';

const GATEWAY = `# The gateway of the branch office
connections {
  hq {
    version = 2
    local_addrs = 192.0.2.1
    remote_addrs = 198.51.100.1, 198.51.100.0/28, 2001:db8::1-2001:db8::ff
    proposals = aes256gcm16-prfsha384-ecp384, aes256-sha256-modp2048
    dpd_delay = 30s
    encap = yes
    keyingtries = 0
    local { auth = psk
      id = gw1.example.org }
    remote { auth = psk
      id = gw2.example.org }
    children {
      office {
        local_ts = 10.1.0.0/16
        remote_ts = 10.2.0.0/16, 10.3.0.0/16[tcp/80]
        esp_proposals = aes256gcm16-ecp384
        rekey_time = 4h
        rekey_bytes = 10g
        start_action = start
        dpd_action = restart
      }
      voice {
        local_ts = 10.1.5.0/24
        remote_ts = 10.2.5.0/24
        start_action = trap
        replay_window = 1024
      }
    }
  }
  roaming : defaults {
    remote { id = %any }
    children {
      host { remote_ts = dynamic }
    }
  }
}
defaults {
  local { auth = psk
    id = keyid:branch }
  remote { auth = psk }
  rekey_time = 24h
}
secrets {
  ike-hq {
    id-1 = gw1.example.org
    id-2 = gw2.example.org
    secret = "a quite long secret, with spaces # and signs"
  }
  ike-any { secret = 0x00ff1080 }
}
`;

const SKELETON = 'local { auth = psk }\nremote { auth = psk }';

function load(text: string) {
  return loadSwanctl([{ path: 'gw.conf', text }]);
}

function connection(options: string, child?: string): Connection {
  const children = child === undefined ? '' : `children { net {\n${child}\n} }`;
  const loaded = load(`connections { c {\n${options}\n${SKELETON}\n${children}\n} }`);
  return loaded.connections[0] as Connection;
}

function warnings(text: string): string[] {
  return load(text).warnings.map(formatWarning);
}

test('a gateway with two connections, three children and two secrets loads as it is written', () => {
  const loaded = load(GATEWAY);
  assert.deepEqual(loaded.warnings.map(formatWarning), []);
  assert.deepEqual(
    loaded.connections.map(({ name, children }) => [name, children.map((child) => child.name)]),
    [
      ['hq', ['office', 'voice']],
      ['roaming', ['host']],
    ],
  );
  const [hq, roaming] = loaded.connections as [Connection, Connection];

  assert.equal(hq.version, 2);
  assert.deepEqual(hq.localAddrs.map(shown), ['192.0.2.1/32']);
  assert.deepEqual(hq.remoteAddrs.map(shown), [
    '198.51.100.1/32',
    '198.51.100.0/28',
    '20010db8000000000000000000000001-20010db80000000000000000000000ff',
  ]);
  assert.deepEqual(
    hq.offers.map(({ text }) => text),
    ['aes256gcm16-prfsha384-ecp384', 'aes256-sha256-modp2048'],
  );
  assert.equal(hq.encap, 'yes');
  assert.equal(hq.keyingTries, 0);
  assert.equal(hq.dpdDelay, 30_000);
  assert.equal(hq.localId && formatIdentity(hq.localId), 'gw1.example.org');
  assert.equal(hq.remoteId.kind === 'is' && formatIdentity(hq.remoteId.id), 'gw2.example.org');

  const [office, voice] = hq.children;
  assert.equal(office?.offers[0]?.text, 'aes256gcm16-ecp384');
  assert.equal(office?.startAction, 'start');
  assert.equal(office?.dpdAction, 'restart');
  assert.deepEqual(office?.lifetime, {
    rekeyTime: 4 * 3_600_000,
    lifeTime: 15_840_000,
    randTime: 0.4 * 3_600_000,
    rekeyBytes: 10 * 1024 ** 3,
    lifeBytes: 11 * 1024 ** 3,
    randBytes: 1024 ** 3,
    rekeyPackets: 0,
    lifePackets: 0,
    randPackets: 0,
  });
  const [, web] = office?.remoteTs ?? [];
  assert.ok(web?.kind === 'fixed');
  assert.deepEqual([web.selector.protocol, web.selector.startPort, hex(web.selector.start)], [6, 80, '0a030000']);
  assert.equal(voice?.startAction, 'trap');
  assert.equal(voice?.replayWindow, 1024);

  assert.equal(roaming.version, 0);
  assert.deepEqual(roaming.remoteAddrs, [{ kind: 'any' }]);
  assert.deepEqual(roaming.remoteId, { kind: 'any' });
  assert.equal(roaming.localId && describeIdentity(roaming.localId), 'ID_KEY_ID branch');
  assert.equal(roaming.rekeyTime, 86_400_000);
  assert.equal(roaming.children[0]?.remoteTs[0]?.kind, 'dynamic');

  const [first, second] = loaded.secrets;
  assert.deepEqual(first?.owners.map(formatIdentity), ['gw1.example.org', 'gw2.example.org']);
  assert.deepEqual(first?.secret.reveal(), utf8('a quite long secret, with spaces # and signs'));
  assert.deepEqual(first?.place, { file: 'gw.conf', line: 50, column: 5 });
  assert.deepEqual(second?.owners, []);
  assert.deepEqual(second?.secret.reveal(), Uint8Array.of(0, 0xff, 0x10, 0x80));
  assert.deepEqual([...loaded.secretFiles.keys()], ['gw.conf']);
});

test('each option says on which line it stands, an inherited one where it was written', () => {
  const { connections } = load(GATEWAY);
  const at = (place: { line: number; column: number } | undefined) => place && [place.line, place.column];
  const hq = connections[0]?.where;
  assert.deepEqual(at(hq?.get('')), [3, 3]);
  assert.deepEqual(at(hq?.get('proposals')), [7, 5]);
  assert.deepEqual(at(hq?.get('remote_addrs')), [6, 5]);
  assert.deepEqual(at(hq?.get('local.id')), [12, 7]);
  assert.deepEqual(at(hq?.get('remote.id')), [14, 7]);
  assert.equal(hq?.get('version')?.file, 'gw.conf');
  assert.equal(hq?.get('rekey_time'), undefined);
  const office = connections[0]?.children[0]?.where;
  assert.deepEqual(at(office?.get('')), [16, 7]);
  assert.deepEqual(at(office?.get('esp_proposals')), [19, 9]);
  assert.deepEqual(at(office?.get('remote_ts')), [18, 9]);
  assert.deepEqual(at(connections[1]?.where.get('rekey_time')), [44, 3]);
});

test('what is not written has the default of the reference', () => {
  const plain = connection('', '');
  const { children, where, offers, ...rest } = plain;
  assert.deepEqual(rest, {
    name: 'c',
    version: 0,
    aggressive: false,
    deleteRekeyed: false,
    dpdOnDemand: false,
    localAddrs: [{ kind: 'any' }],
    remoteAddrs: [{ kind: 'any' }],
    remotePort: 500,
    localId: undefined,
    remoteId: { kind: 'any' },
    encap: 'auto',
    fragmentation: 'yes',
    fragmentSize: 1280,
    childless: 'allow',
    unique: 'no',
    dpdDelay: 0,
    dpdTimeout: 0,
    rekeyTime: 4 * 3_600_000,
    reauthTime: 0,
    overTime: 0.4 * 3_600_000,
    randTime: 0.4 * 3_600_000,
    keyingTries: 3,
    retryInterval: 12_000,
    retransmit: RETRANSMIT,
    natKeepalive: 20_000,
  });
  assert.ok(offers.length > 0 && where.has(''));
  const child = children[0];
  assert.deepEqual(child?.localTs, [{ kind: 'dynamic', protocol: 0, startPort: 0, endPort: 65535 }]);
  assert.deepEqual(
    [child?.lifetime.rekeyTime, child?.lifetime.lifeTime, child?.lifetime.randTime],
    [3_600_000, 3_960_000, 360_000],
  );
  assert.deepEqual(
    [child?.mode, child?.protocol, child?.startAction, child?.dpdAction, child?.closeAction, child?.replayWindow],
    ['tunnel', 'esp', 'none', 'clear', 'none', 128],
  );
});

test('a child of AH, in transport mode, with extended sequence numbers', () => {
  const [child] = connection(
    'local_addrs = 192.0.2.1\nremote_addrs = 192.0.2.0/24',
    'ah_proposals = sha256-esn-noesn, sha1\nmode = transport\ntunnel_fallback = no\nsha256_96 = yes\nremote_ts = 192.0.2.9[gre]',
  ).children;
  assert.deepEqual(
    [child?.protocol, child?.mode, child?.tunnelFallback, child?.shortSha256],
    ['ah', 'transport', false, true],
  );
  assert.deepEqual(
    child?.offers.map(({ transforms }) => transforms.map(transformName).join('/')),
    ['HMAC_SHA2_256_128/EXT_SEQ/NO_EXT_SEQ', 'HMAC_SHA1_96/NO_EXT_SEQ'],
  );
  const [plain] = connection('', 'mode = transport').children;
  assert.deepEqual(
    [plain?.protocol, plain?.mode, plain?.tunnelFallback, plain?.shortSha256],
    ['esp', 'transport', true, false],
  );
});

test('what is copied between the headers, and the largest segment', () => {
  const child = (options: string) => {
    const [one] = connection(`children { net {\n${options}\n} }`).children;
    return [one?.copyDf, one?.copyEcn, one?.copyDscp, one?.mss];
  };
  assert.deepEqual(child(''), [true, true, 'out', 'auto']);
  assert.deepEqual(child('copy_df = no\ncopy_ecn = no\ncopy_dscp = in\nmss = 1360'), [false, false, 'in', 1360]);
  assert.deepEqual(child('copy_df = yes\ncopy_dscp = yes\nmss = No'), [true, true, 'yes', 'no']);
  assert.deepEqual(child('copy_dscp = no\nmss = 0x500'), [true, true, 'no', 1280]);
});

test('the times of an IKE SA follow from each other as in strongSwan', () => {
  const times = (options: string) => {
    const { rekeyTime, reauthTime, overTime, randTime } = connection(options);
    return [rekeyTime, reauthTime, overTime, randTime].map((time) => time / 1000);
  };
  assert.deepEqual(times('reauth_time = 10h'), [0, 36_000, 3600, 3600]);
  assert.deepEqual(times('reauth_time = 10h\nrekey_time = 1h'), [3600, 36_000, 3600, 1800]);
  assert.deepEqual(times('rekey_time = 0'), [0, 0, 0, 0]);
  assert.deepEqual(times('rekey_time = 1h\nover_time = 5m'), [3600, 0, 300, 300]);
  assert.deepEqual(times('rekey_time = 1h\nover_time = 5m\nrand_time = 0'), [3600, 0, 300, 0]);
});

test('the limits of a child follow from each other, and zero is no limit', () => {
  const time = (options: string) => {
    const { rekeyTime, lifeTime, randTime } = connection('', options).children[0]?.lifetime ?? assert.fail();
    return [rekeyTime, lifeTime, randTime].map((value) => value / 1000);
  };
  assert.deepEqual(time('rekey_time = 0'), [0, 0, 0]);
  assert.deepEqual(time('rekey_time = 0\nlife_time = 1h'), [0, 3600, 0]);
  assert.deepEqual(time('life_time = 2h'), [3600, 7200, 1800]);
  assert.deepEqual(time('rekey_time = 1d\nlife_time = 25h'), [86_400, 90_000, 3600]);
  const packets = connection('', 'rekey_packets = 1000\nrand_packets = 5').children[0]?.lifetime;
  assert.deepEqual([packets?.rekeyPackets, packets?.lifePackets, packets?.randPackets], [1000, 1100, 5]);
});

test('times, volumes, numbers and choices may be spelled as strongSwan allows', () => {
  const spelled = connection(
    'dpd_delay = 90\ndpd_timeout = 2 M\nunique = Replace\nremote_port = 0x1F5\nencap = TRUE\nretry_interval = 1500ms',
    'rekey_bytes = 500 m\ndpd_action = hold\nstart_action = route\nclose_action = restart',
  );
  assert.equal(spelled.dpdDelay, 90_000);
  assert.equal(spelled.dpdTimeout, 120_000);
  assert.equal(spelled.unique, 'replace');
  assert.equal(spelled.remotePort, 501);
  assert.equal(spelled.encap, 'yes');
  assert.equal(spelled.retryInterval, 1500);
  const child = spelled.children[0];
  assert.equal(child?.lifetime.rekeyBytes, 500 * 1024 ** 2);
  assert.deepEqual([child?.dpdAction, child?.startAction, child?.closeAction], ['trap', 'trap', 'start']);
  assert.equal(connection('encap = no').encap, 'auto');
});

test('retransmission is a profile, each value of which can be changed', () => {
  assert.deepEqual(connection('retransmit { profile = huawei }').retransmit, RETRANSMIT_HUAWEI);
  assert.deepEqual(
    connection('retransmit { base = 500ms\n tries = 3\n factor = 1.8\n limit = 5s\n jitter = 20% }').retransmit,
    {
      base: 500,
      factor: 1.8,
      transmissions: 3,
      limit: 5000,
      jitter: 0.2,
    },
  );
});

test('addresses may be any, single, prefixes or ranges', () => {
  const patterns = (text: string) => connection(`remote_addrs = ${text}`).remoteAddrs.map(shown);
  assert.deepEqual(patterns('%any'), ['any']);
  assert.deepEqual(patterns('0.0.0.0, ::'), ['0.0.0.0/0', '::/0']);
  assert.deepEqual(patterns('2001:db8::/32 , 10.0.0.1-10.0.0.9'), ['2001:db8::/32', '0a000001-0a000009']);
});

test('a peer may be given by name, which a connection that begins by itself needs no address beside', () => {
  const patterns = (text: string) => connection(`remote_addrs = ${text}`).remoteAddrs.map(shown);
  assert.deepEqual(patterns('GW.Example.org, 192.0.2.1, gw_2'), ['gw.example.org', '192.0.2.1/32', 'gw_2']);
  assert.deepEqual(patterns('xn--grn-hoa.test., 3com.test'), ['xn--grn-hoa.test.', '3com.test']);
  const { remoteId, remoteAddrs } = connection('remote_addrs = gw.test');
  assert.deepEqual([remoteId, remoteAddrs], [{ kind: 'any' }, [{ kind: 'name', name: 'gw.test' }]]);
  const children = 'children { net { start_action = start\n mode = transport\n remote_ts = 192.0.2.7 } }';
  assert.deepEqual(warnings(`connections { gw { remote_addrs = gw.test\n${SKELETON}\n${children} } }`), []);
});

test('an updown program is its path and its arguments', () => {
  const updown = (text: string) => connection(`children { net { ${text} } }`).children[0];
  assert.deepEqual(updown('updown = /etc/espalier/up.sh'), {
    ...updown(''),
    updown: ['/etc/espalier/up.sh'],
    where: updown('updown = /etc/espalier/up.sh')?.where,
  });
  assert.deepEqual(updown('updown = "/etc/espalier/up.sh  office \\t 1"')?.updown, [
    '/etc/espalier/up.sh',
    'office',
    '1',
  ]);
  assert.deepEqual([updown('updown =')?.updown, updown('')?.updown, updown('')?.hostAccess], [[], [], false]);
  assert.equal(updown('hostaccess = yes')?.hostAccess, true);
});

test('secrets are text, hexadecimal or base64', () => {
  const secret = (written: string) => {
    const { secrets } = load(`secrets { ike { secret = ${written}\n id = %any } }`);
    return hex(secrets[0]?.secret.reveal() ?? new Uint8Array());
  };
  assert.equal(secret('0xDEADbeef'), 'deadbeef');
  assert.equal(secret('0sAAEC/w=='), '000102ff');
  assert.equal(secret('0sAAEC/w'), '000102ff');
  assert.equal(secret('"0x00"'), '00');
  assert.equal(secret('grün 密'), hex(utf8('grün 密')));
  assert.equal(secret('two  words'), hex(utf8('two words')));
  assert.equal(secret('"two  words"'), hex(utf8('two  words')));
});

test('what is harmless and has no effect is said once, with its place', () => {
  const conn = (name: string, more = '') => `${name} {\n mobike = yes\n send_cert = always\n${SKELETON}\n${more}}\n`;
  assert.deepEqual(
    warnings(
      `connections {\n${conn('a', 'children { x { ipcomp = yes\n reqid = 5 } }')}${conn('b')}}\npools { p { addrs = 10.9.0.0/24 } }`,
    ),
    [
      'gw.conf:3:2: option "mobike" has no effect: not supported yet (2 times)',
      'gw.conf:4:2: option "send_cert" has no effect: certificates and public keys are not supported yet (2 times)',
      'gw.conf:7:16: option "ipcomp" has no effect: not supported yet',
      'gw.conf:8:2: option "reqid" has no effect: no kernel IPsec is involved',
      'gw.conf:16:1: section "pools" has no effect: virtual addresses are not supported yet',
    ],
  );
  assert.deepEqual(warnings('spare-template { x = 1 }'), ['gw.conf:1:1: section "spare-template" is not used']);
});

test('defaults that are written out are no matter', () => {
  const written = `mobike = no\npull = yes\naggressive = no\nvips =\nif_id_in = 0\nppk_required = no\n${SKELETON}
    children { x { mode = tunnel\n ipcomp = no\n mark_in = 0/0x00000000\n hw_offload = auto\n copy_dscp = out\n policies = yes } }`;
  assert.deepEqual(warnings(`connections { c { ${written} } }\nsecrets { }\npools { }\nauthorities { }`), []);
});

test('a secret that a comment sign cuts short is pointed out', () => {
  assert.deepEqual(warnings('secrets { ike { secret = pass#word\n } }'), [
    'gw.conf:1:26: the secret ends before "#", which begins a comment; put a secret that contains # in double quotes',
  ]);
  assert.deepEqual(warnings('secrets { ike { secret = password # mine\n } }'), []);
});

test('a key that is written twice between the same braces is pointed out, and the last one counts', () => {
  const text = 'secrets { ike {\n id = a\n id = b\n secret = one } }\nsecrets { ike { secret = two } }';
  assert.deepEqual(warnings(text), ['gw.conf:3:2: option "id" is written twice: what line 2 says no longer counts']);
  const [key] = load(text).secrets;
  assert.deepEqual(key?.owners.map(formatIdentity), ['b']);
  assert.deepEqual(key?.secret.reveal(), utf8('two'));
});

test('a child that would end before it is renewed, and a start without an address, are pointed out', () => {
  const text = `connections { c {\n${SKELETON}\nchildren { n {\nlife_time = 30m\nstart_action = start\n} } } }`;
  assert.deepEqual(warnings(text), [
    'gw.conf:5:13: child "n" ends before it is renewed: life_time is not more than rekey_time',
    'gw.conf:6:1: "n" cannot begin by itself: remote_addrs of connection "c" has no single address',
  ]);
});

test('an empty file, or one of comments, is a configuration', () => {
  for (const text of ['', '\n', '# nothing\n', 'connections { }\nsecrets {\n}\n', '\ufeff']) {
    const { connections, secrets, warnings: none } = load(text);
    assert.deepEqual([connections, secrets, none], [[], [], []]);
  }
});

test('several files make one configuration', () => {
  const first = { path: 'a.conf', text: `connections { a { ${SKELETON} } }` };
  const second = { path: 'b.conf', text: `connections { b { ${SKELETON} }\n a { dpd_delay = 5 } }` };
  const { connections } = loadSwanctl([first, second]);
  assert.deepEqual(
    connections.map(({ name, dpdDelay }) => [name, dpdDelay]),
    [
      ['a', 5000],
      ['b', 0],
    ],
  );
  assert.equal(connections[0]?.where.get('dpd_delay')?.file, 'b.conf');
});

test('a section made elsewhere becomes a connection by the same rules', () => {
  const section = parseSettings([{ path: 'vici', text: `version = 2\nmobike = yes\n${SKELETON}` }]);
  const { connection: made, warnings: said } = loadConnection({ ...section, name: 'net' });
  assert.deepEqual([made.name, made.version, said.length], ['net', 2, 1]);
});

function shown(pattern: AddressPattern): string {
  switch (pattern.kind) {
    case 'any':
      return 'any';
    case 'prefix':
      return formatPrefix(pattern.prefix);
    case 'range':
      return `${hex(pattern.start)}-${hex(pattern.end)}`;
    case 'name':
      return pattern.name;
  }
}
