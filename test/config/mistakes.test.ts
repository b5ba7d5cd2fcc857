// Broken swanctl.conf files: each error has its file, line and column, and names what was probably meant.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, ConfigErrors } from '../../src/config/error.ts';
import { loadSwanctl } from '../../src/config/swanctl.ts';

function errors(text: string): readonly ConfigError[] {
  try {
    loadSwanctl([{ path: 'gw.conf', text }]);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.errors;
  }
  return assert.fail(`nothing was wrong with ${text}`);
}

function only(text: string): string {
  const found = errors(text);
  assert.equal(found.length, 1, found.map(({ message }) => message).join('\n'));
  return (found[0] as ConfigError).message;
}

/** A connection that is right but for the given line, which is line 2 of the file. */
function inConnection(line: string): string {
  return only(`connections { c {\n${line}\nlocal { auth = psk }\nremote { auth = psk }\n} }`);
}

/** A child that is right but for the given line, which is line 2 of the file. */
function inChild(line: string): string {
  return only(`connections { c { children { net {\n${line}\n} }\nlocal { auth = psk }\nremote { auth = psk }\n} }`);
}

test('an unknown option names the nearest one of its section', () => {
  assert.equal(
    inConnection('    proposal = aes128'),
    'gw.conf:2:5: unknown option "proposal"; did you mean "proposals"?',
  );
  assert.match(
    inChild('  esp_proposal = aes1'),
    /^gw\.conf:2:3: unknown option "esp_proposal"; did you mean "esp_proposals"/,
  );
  assert.equal(
    inConnection('remote_adrs = 192.0.2.1'),
    'gw.conf:2:1: unknown option "remote_adrs"; did you mean "remote_addrs"?',
  );
  assert.equal(inConnection('dpd_dely = 3'), 'gw.conf:2:1: unknown option "dpd_dely"; did you mean "dpd_delay"?');
  assert.equal(
    only('connections { c {\nlocal { auth = psk\n ident = a }\nremote { auth = psk }\n} }').slice(0, 35),
    'gw.conf:3:2: unknown option "ident"',
  );
  assert.equal(
    only('secrets { ike { secret = abc\n secrt = def } }').slice(0, 59),
    'gw.conf:2:2: unknown option "secrt"; did you mean "secret"?',
  );
});

test('an option in the wrong section says where it belongs', () => {
  assert.equal(
    inConnection('esp_proposals = aes128'),
    'gw.conf:2:1: unknown option "esp_proposals"; it belongs into connections.<conn>.children.<child>',
  );
  assert.equal(
    inChild('dpd_delay = 30s'),
    'gw.conf:2:1: unknown option "dpd_delay"; it belongs into connections.<conn>',
  );
  assert.equal(only('version = 2'), 'gw.conf:1:1: unknown option "version"; it belongs into connections.<conn>');
});

test('an unknown section names the nearest one', () => {
  assert.equal(only('conections { }'), 'gw.conf:1:1: unknown section "conections"; did you mean "connections"?');
  assert.equal(inConnection('chidren { }'), 'gw.conf:2:1: unknown section "chidren"; did you mean "children"?');
  assert.equal(only('secrets { psk-1 { secret = x } }').slice(0, 38), 'gw.conf:1:11: unknown section "psk-1"');
});

test('a section written as an option, and the reverse, are told apart', () => {
  assert.equal(inConnection('children = net'), 'gw.conf:2:1: "children" is a section: write children { … }');
  assert.equal(inConnection('retransmit = huawei'), 'gw.conf:2:1: "retransmit" is a section: write retransmit { … }');
  assert.equal(inConnection('version { }'), 'gw.conf:2:1: "version" is an option: write version = …');
});

test('wrong values are reported where they stand', () => {
  assert.equal(
    inConnection('dpd_delay = soon'),
    'gw.conf:2:13: dpd_delay: "soon" is not a time such as 30s, 10m, 4h or 1d',
  );
  assert.equal(
    inConnection('dpd_delay = 1h30m'),
    'gw.conf:2:13: dpd_delay: "1h30m" is not a time such as 30s, 10m, 4h or 1d',
  );
  assert.equal(inConnection('rekey_time = 99999d'), 'gw.conf:2:14: rekey_time: "99999d" is longer than ten years');
  assert.equal(
    inConnection('version = 3'),
    'gw.conf:2:11: version: "3" is none of 0, 1, 2; did you mean "0", "1" or "2"?',
  );
  assert.equal(
    inConnection('unique = "replce"'),
    'gw.conf:2:11: unique: "replce" is none of no, never, keep, replace; did you mean "replace"?',
  );
  assert.equal(
    inConnection('local_port = 70000'),
    'gw.conf:2:14: local_port: "70000" is not a whole number from 1 to 65535',
  );
  assert.equal(
    inChild('rekey_bytes = 10x'),
    'gw.conf:2:15: rekey_bytes: "10x" is not a number of bytes such as 500m or 10g',
  );
  assert.equal(
    inConnection('local_addrs = 10.0.0.1, 10.0.0.300'),
    'gw.conf:2:25: local_addrs: "10.0.0.300" is no address, prefix or range',
  );
  assert.equal(
    inConnection('remote_addrs = 10.0.0.9-10.0.0.1'),
    'gw.conf:2:16: remote_addrs: the range "10.0.0.9-10.0.0.1" ends before it begins',
  );
  assert.equal(
    inChild('local_ts = 10.0.0.0/8, 10.0.0.0/99'),
    'gw.conf:2:24: local_ts: "10.0.0.0/99" is no traffic selector; write 10.1.0.0/16 or 10.1.0.0/16[tcp/80]',
  );
  assert.equal(
    inChild('replay_window = 4097'),
    'gw.conf:2:17: replay_window: "4097" is not a whole number from 0 to 4096',
  );
  assert.equal(inChild(' copy_df = perhaps'), 'gw.conf:2:12: copy_df: "perhaps" is neither yes nor no');
  assert.equal(
    inChild('copy_dscp = ot'),
    'gw.conf:2:13: copy_dscp: "ot" is none of out, in, yes, no; did you mean "out"?',
  );
  assert.equal(inChild('copy_ec = no'), 'gw.conf:2:1: unknown option "copy_ec"; did you mean "copy_ecn"?');
  assert.equal(
    inChild('mss = atuo'),
    'gw.conf:2:7: mss: "atuo" is neither auto nor no nor a whole number from 128 to 65495; did you mean "auto"?',
  );
  for (const mss of ['0', '127', '65496', '1360.5', '-1'])
    assert.match(inChild(`mss = ${mss}`), /^gw\.conf:2:7: mss: /);
  assert.match(
    inConnection('retransmit { factor = 0.5 }'),
    /^gw\.conf:2:23: factor: "0\.5" is not a number from 1 to 10$/,
  );
  assert.match(inConnection('rand_time = 5h'), /^gw\.conf:2:13: rand_time: it has to be shorter than/);
  assert.match(inChild('rand_time = 1h'), /^gw\.conf:2:13: rand_time: it has to be less than rekey_time$/);
});

test('a host name that cannot be one is told from a wrong address, and ours is no name', () => {
  const remote = (word: string) =>
    inConnection(`remote_addrs = 192.0.2.9, ${word}`).replace('gw.conf:2:27: remote_addrs: ', '');
  assert.equal(remote('gw..test'), '"gw..test" is no host name: there is nothing between two dots');
  assert.equal(remote('gw-.test'), '"gw-.test" is no host name: "gw-" begins or ends with a hyphen');
  assert.match(remote(`${'g'.repeat(64)}.test`), /^"g+\.test" is no host name: "g+" has more than 63 characters$/);
  assert.equal(remote(`${'gw.'.repeat(85)}test`), 'the host name has more than 253 characters');
  assert.equal(remote('grün.test'), '"grün.test" is no host name: write it in ASCII, as xn--…');
  assert.equal(remote('any'), '"any" is no address, prefix or range; did you mean "%any"?');
  for (const word of [
    '192.0.2.1x',
    '192.0.2.256',
    'gw.1',
    'gw.test:500',
    'gw.test/24',
    'g*.test',
    '2001:db8::g',
    '192.0.2',
    '$(id).test',
  ]) {
    assert.equal(remote(word), `"${word}" is no address, prefix or range`);
  }
  assert.equal(
    inConnection('local_addrs = 192.0.2.1, gw.test'),
    'gw.conf:2:26: local_addrs: "gw.test" is a host name, and only the peer may be given by one; write the address',
  );
});

test('an updown program is named by its absolute path, and no shell is expected to read it', () => {
  assert.equal(
    inChild('updown = updown.sh'),
    'gw.conf:2:10: updown: "updown.sh" is not an absolute path; write /etc/espalier/updown.sh, say',
  );
  assert.match(inChild('updown = ipsec _updown'), /^gw\.conf:2:10: updown: "ipsec" is not an absolute path/);
  for (const [word, sign] of [
    ['/bin/logger $PLUTO_VERB', '$'],
    ['/bin/a; /bin/b', ';'],
    ['/bin/a | /bin/b', '|'],
    ["/bin/a 'b c'", "'"],
    ['/bin/a > /tmp/b', '>'],
    ['/bin/a `id`', '`'],
    ['/bin/a *', '*'],
  ] as const) {
    const text = `there is no shell that would understand ${sign}; write a script, and its path here`;
    assert.equal(inChild(`updown = ${word}`), `gw.conf:2:10: updown: ${text}`);
  }
  assert.equal(inChild('updown = "/bin/a\\nb"'), 'gw.conf:2:10: updown: there is a control character in it');
  assert.equal(inChild('hostaccess = perhaps'), 'gw.conf:2:14: hostaccess: "perhaps" is neither yes nor no');
});

test('a wrong algorithm is named with its own column and the nearest keywords', () => {
  const [error] = errors(
    'connections { c {\nproposals = aes256-sha256-modp2048, aes256-sha265-modp2048\nlocal { auth = psk }\nremote { auth = psk }\n} }',
  );
  assert.deepEqual([error?.line, error?.column], [2, 44]);
  assert.match(error?.message ?? '', /sha265/);
  assert.ok(error?.near.includes('sha256'));
  assert.match(inChild('esp_proposals = aes999'), /^gw\.conf:2:17: esp_proposals: /);
});

test('what would change security or traffic is refused by name', () => {
  const refused: readonly (readonly [string, string])[] = [
    ['vips = 0.0.0.0', 'option "vips" is refused: virtual addresses are not supported yet'],
    ['ppk_required = yes', 'option "ppk_required" is refused: not supported yet'],
    ['if_id_in = 42', 'option "if_id_in" is refused: no kernel IPsec is involved'],
    ['pools = a', 'option "pools" is refused: virtual addresses are not supported yet'],
  ];
  for (const [line, text] of refused) assert.equal(inConnection(line), `gw.conf:2:1: ${text}`);
  const child: readonly (readonly [string, string])[] = [
    ['mode = transport_proxy', '8: mode: transport mode for others is not supported yet'],
    ['mode = pass', '8: mode: policies that let traffic pass in the clear are not supported yet'],
    ['mark_in = 42', '1: option "mark_in" is refused: no kernel IPsec is involved'],
    ['policies = no', '1: option "policies" is refused: not supported yet'],
    ['start_action = trap|start', '16: start_action: both at once is not supported yet; write trap or start'],
  ];
  for (const [line, text] of child) assert.equal(inChild(line), `gw.conf:2:${text}`);
  assert.match(inChild('ipcomp = maybe'), /^gw\.conf:2:10: ipcomp: "maybe" is neither yes nor no$/);
});

test('AH stands for itself, without ESP, encryption or UDP', () => {
  assert.equal(
    inChild('ah_proposals = sha256-modp2048, aes128-sha256'),
    'gw.conf:2:33: ah_proposals: AH does not encrypt: "aes128" has no place in it',
  );
  assert.equal(
    inChild('  ah_proposals = x25519'),
    'gw.conf:2:18: ah_proposals: "x25519" names no integrity algorithm, which AH needs',
  );
  assert.match(inChild('ah_proposals = sah256'), /^gw\.conf:2:16: ah_proposals: .*; did you mean "sha256"/);
  assert.equal(
    inChild('esp_proposals = aes128gcm16\n ah_proposals = sha256'),
    'gw.conf:3:17: ah_proposals: it cannot stand beside esp_proposals: a child has AH or ESP; write one child for each',
  );
  assert.equal(
    only(
      'connections { c {\nencap = yes\nlocal { auth = psk }\nremote { auth = psk }\nchildren { a {\n  ah_proposals = sha256 } } } }',
    ),
    'gw.conf:6:3: ah_proposals: AH does not go in UDP, which "encap = yes" asks for',
  );
});

test('extended sequence numbers need a replay window', () => {
  for (const line of ['esp_proposals = aes128gcm16-esn-noesn', 'ah_proposals = sha256-esn']) {
    assert.match(inChild(`${line}\nreplay_window = 0`), /^gw\.conf:3:17: replay_window: it cannot be 0 with "esn": /);
  }
});

test('transport mode is for the two gateways', () => {
  const hosts = (local: string, remote: string, child: string) =>
    only(
      `connections { c {\nlocal_addrs = ${local}\nremote_addrs = ${remote}\nlocal { auth = psk }\nremote { auth = psk }\nchildren { n { mode = transport\n${child}\n} } } }`,
    );
  assert.equal(
    hosts('192.0.2.1', '198.51.100.1', 'local_ts = 10.1.0.0/16'),
    'gw.conf:7:1: local_ts: in transport mode it is for the gateway itself, and no address of local_addrs lies in it; leave it out',
  );
  assert.equal(
    hosts('%any', '198.51.100.1, 198.51.100.64-198.51.100.80', 'local_ts = 10.1.0.0/16\nremote_ts = 198.51.100.96/28'),
    'gw.conf:8:1: remote_ts: in transport mode it is for the gateway itself, and no address of remote_addrs lies in it; leave it out',
  );
  assert.match(hosts('%any', 'fd00::1', 'remote_ts = 10.2.0.0/16'), /^gw\.conf:7:1: remote_ts: /);
  assert.equal(
    inChild('tunel_fallback = no'),
    'gw.conf:2:1: unknown option "tunel_fallback"; did you mean "tunnel_fallback"?',
  );
  assert.equal(
    inChild('mode = tansport'),
    'gw.conf:2:8: mode: "tansport" is none of tunnel, transport, transport_proxy, beet, iptfs, pass, drop; did you mean "transport"?',
  );
});

test('authentication other than by pre-shared key is refused, also when it is the default', () => {
  const round = (local: string) => only(`connections { c {\nlocal { ${local} }\nremote { auth = psk }\n} }`);
  assert.match(round('auth = pubkey'), /^gw\.conf:2:16: auth: "pubkey" is refused: certificates and public keys/);
  assert.match(round('auth = rsa-4096-sha256'), /certificates and public keys are not supported yet; only psk is/);
  assert.match(round('auth = eap-mschapv2'), /EAP and XAuth are not supported yet/);
  assert.match(round('auth = pks'), /"pks" is no kind of authentication; did you mean "psk"/);
  assert.match(round('id = a'), /^gw\.conf:2:1: auth is "pubkey" when it is not written.*write "auth = psk"$/);
  assert.match(round('auth = psk\n certs = a.pem'), /^gw\.conf:3:2: option "certs" is refused: certificates/);
  assert.match(round('auth = psk }\nlocal-2 { auth = psk'), /^gw\.conf:3:1: more than one round/);
  const missing = errors('connections {\n c { } }').map(({ message }) => message);
  assert.deepEqual(missing, [
    'gw.conf:2:2: connection "c" needs a section local { auth = psk }',
    'gw.conf:2:2: connection "c" needs a section remote { auth = psk }',
  ]);
});

test('identities that would be read as something else are refused', () => {
  const id = (text: string) =>
    only(`connections { c {\nlocal { auth = psk }\nremote { auth = psk\n id = ${text} } } }`);
  assert.match(id('*.example.org'), /^gw\.conf:4:7: id: "\*\.example\.org" is a pattern/);
  for (const network of ['192.0.2.0/24', '0.0.0.0/0', '192.0.2.1-192.0.2.9', 'fe80::/10']) {
    assert.match(id(network), /^gw\.conf:4:7: id: "[^"]*" is a pattern/);
  }
  assert.match(id('C=CN, CN=gw'), /is a distinguished name/);
  assert.match(
    only('secrets { ike { secret = s\n id-1 = ipv4:nonsense } }'),
    /^gw\.conf:2:9: id-1: "ipv4:nonsense" is no identity$/,
  );
});

test('a mistake in a secret never repeats the secret', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['secrets { ike { secret = 0xHUSHHUSH } }', /^gw\.conf:1:26: after 0x a secret has pairs of hexadecimal digits$/],
    ['secrets { ike { secret = 0sHUSH*HUSH } }', /^gw\.conf:1:26: after 0s a secret is written in base64$/],
    ['secrets { ike { secret = "HUSH } }', /^gw\.conf:1:26: this quoted string never ends$/],
    ['secrets { ike { secret "HUSH" } }', /^gw\.conf:1:24: a quoted string can only be a value/],
    ['secrets { ike { secret = "HUSH\n } }\nx = "HUSH"\n} }', /^gw\.conf:/],
    ['secrets { ike { secret HUSH } }', /^gw\.conf:1:17: this name is followed by neither/],
    ['secrets { ike { secret = "" } }', /^gw\.conf:1:27: the secret is empty$/],
    ['secrets { ike-1 { id = a } }', /^gw\.conf:1:11: section "ike-1" has no secret$/],
  ];
  for (const [text, expected] of cases) {
    const message = only(text);
    assert.match(message, expected);
    assert.doesNotMatch(message, /HUSH/);
  }
});

test('names that JavaScript objects have are unknown like any other', () => {
  assert.equal(inConnection('__proto__ = 1'), 'gw.conf:2:1: unknown option "__proto__"');
  assert.equal(inConnection('constructor { }'), 'gw.conf:2:1: unknown section "constructor"');
  assert.equal(
    errors('connections { __proto__ { } }')[0]?.text,
    'connection "__proto__" needs a section local { auth = psk }',
  );
});

test('all mistakes are told at once, in order, and no more than twenty', () => {
  const text =
    'connections { c {\nversion = 9\nencap = perhaps\nlocal { auth = psk }\nremote { auth = psk }\nfoo = bar\n} }';
  const found = errors(text);
  assert.deepEqual(
    found.map(({ line }) => line),
    [2, 3, 6],
  );
  const many = `connections { c {\n${'x'.repeat(3)} = 1\n${Array.from({ length: 100 }, (_, i) => `zz${i} = 1`).join('\n')}\n} }`;
  assert.equal(errors(many).length, 20);
  assert.throws(
    () => loadSwanctl([{ path: 'gw.conf', text }]),
    (error) => error instanceof ConfigErrors && error.message.split('\n').length === 3 && error.line === found[0]?.line,
  );
});
