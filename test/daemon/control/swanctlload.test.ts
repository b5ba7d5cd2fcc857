// What the stock swanctl loads and unloads: connections and secrets from a swanctl.conf of its own, and what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSwanctl } from '../../../src/config/swanctl.ts';
import { lacking } from '../../support/needs.ts';
import { stage } from './fake.ts';
import { confFile, swanctl } from './stock.ts';

const skip = lacking('swanctl');

const CONF = `
defaults {
  proposals = aes256gcm16-prfsha384-ecp384, aes128-sha256-modp2048
  rekey_time = 2h
}
connections {
  gw : defaults {
    version = 2
    local_addrs = 192.0.2.1
    remote_addrs = 192.0.2.2, 192.0.2.3
    dpd_delay = 30s
    local-1 {
      auth = psk
      id = gw1.example.org
    }
    remote-1 {
      auth = psk
      id = "gw2.example.org"
    }
    children {
      net {
        local_ts = 10.1.0.0/16, 10.9.0.0/24[tcp/http]
        remote_ts = 10.2.0.0/16
        esp_proposals = aes256gcm16-ecp384
        start_action = trap
        rekey_bytes = 1g
      }
    }
  }
  branch {
    remote_addrs = 198.51.100.1
    local { auth = psk
    }
    remote { auth = psk
    }
    children { lan { } }
  }
}
secrets {
  ike-1 {
    id-1 = gw1.example.org
    id-2 = gw2.example.org
    secret = "twenty random letters"
  }
  ike-hex {
    secret = 0x00ff10
  }
}
`;

test('swanctl --load-all loads connections and secrets, as reading the same file does', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  const file = confFile(uri, CONF);
  const done = await swanctl(uri, '--load-all', '--noprompt', '--file', file);
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(
    done.stdout.trimEnd().split('\n'),
    [
      "loaded ike secret 'ike-1'",
      "loaded ike secret 'ike-hex'",
      'no authorities found, 0 unloaded',
      'no pools found, 0 unloaded',
      "loaded connection 'gw'",
      "loaded connection 'branch'",
      'successfully loaded 2 connections, 0 unloaded',
    ].filter((row) => done.stdout.includes(row)),
  );
  const read = loadSwanctl([{ path: file, text: CONF }]);
  const without = (conn: unknown) =>
    JSON.parse(JSON.stringify(conn, (key, value) => (key === 'where' ? undefined : value)));
  assert.deepEqual(gateway.configuration.connections().map(without), read.connections.map(without));
  assert.deepEqual(
    gateway.configuration.secrets().map(({ id, owners, secret }) => [id, owners, secret.reveal()]),
    read.secrets.map(({ id, owners, secret }) => [id, owners, secret.reveal()]),
  );
});

test('loading what is there changes nothing: the places in the file stay', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  const file = confFile(uri, CONF);
  const { connections, secrets } = loadSwanctl([{ path: file, text: CONF }]);
  gateway.configuration.read(connections, secrets);
  const done = await swanctl(uri, '--load-all', '--noprompt', '--file', file);
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(
    gateway.configured().map(({ conn, origin }) => [conn, origin]),
    connections.map((conn) => [conn, 'file']),
  );
  assert.deepEqual(gateway.configuration.secrets(), secrets);
});

test('swanctl --load-conns unloads what its file has no more', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  const file = confFile(uri, CONF);
  await swanctl(uri, '--load-conns', '--file', file);
  confFile(uri, CONF.replace('  branch {', '  other {'));
  const done = await swanctl(uri, '--load-conns', '--file', file);
  assert.match(done.stdout, /successfully loaded 2 connections, 1 unloaded/);
  assert.deepEqual(
    gateway.configured().map(({ conn }) => conn.name),
    ['gw', 'other'],
  );
});

test('swanctl --load-creds unloads secrets that its file has no more, and --clear all', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  const file = confFile(uri, CONF);
  await swanctl(uri, '--load-creds', '--noprompt', '--file', file);
  assert.deepEqual(gateway.sharedIds(), ['ike-1', 'ike-hex']);
  confFile(uri, CONF.replace('ike-hex', 'ike-2'));
  await swanctl(uri, '--load-creds', '--noprompt', '--file', file);
  assert.deepEqual(gateway.sharedIds(), ['ike-1', 'ike-2']);
  confFile(uri, 'connections { }\n');
  await swanctl(uri, '--load-creds', '--clear', '--noprompt', '--file', file);
  assert.deepEqual(gateway.sharedIds(), []);
});

test('what is wrong with a connection is told with its place in the message and what was probably meant', {
  skip,
}, async (t) => {
  const { uri, gateway } = await stage(t);
  const file = confFile(
    uri,
    `connections {
  bad {
    dpd_dealy = 3s
    version = 7
    local { auth = pubkey
    }
    remote { auth = psk
      groups = admins
    }
    children { net { local_ts = 10.1.0.0/99
    } }
  }
}
`,
  );
  const done = await swanctl(uri, '--load-conns', '--file', file);
  assert.equal(done.code, 22);
  const mistakes = [
    'vici bad: unknown option "dpd_dealy"; did you mean "dpd_delay"?',
    'vici bad: version: "7" is none of 0, 1, 2; did you mean "0", "1" or "2"?',
    'vici bad.children.net: local_ts: "10.1.0.0/99" is no traffic selector; write 10.1.0.0/16 or 10.1.0.0/16[tcp/80]',
    'vici bad.local: auth: "pubkey" is refused: certificates and public keys are not supported yet; only psk is',
    'vici bad.remote: option "groups" is refused: not supported yet',
  ];
  assert.deepEqual(done.stderr.trimEnd().split('\n'), [
    `loading connection 'bad' failed: ${mistakes.join('; ')}`,
    'loaded 0 of 1 connections, 1 failed to load, 0 unloaded',
  ]);
  assert.deepEqual(gateway.configured(), []);
});

test('an option that has no effect is a warning in the log, and the connection is loaded', { skip }, async (t) => {
  const { uri, warnings, gateway } = await stage(t);
  const file = confFile(uri, CONF.replace('version = 2', 'version = 2\n    mobike = yes'));
  assert.equal((await swanctl(uri, '--load-conns', '--file', file)).code, 0);
  assert.deepEqual(warnings, ['gw: vici gw: option "mobike" has no effect: not supported yet']);
  assert.equal(gateway.configured().length, 2);
});

test('pools, authorities and secrets of other kinds are refused by name', { skip }, async (t) => {
  const { uri } = await stage(t);
  const file = confFile(
    uri,
    `pools { guests { addrs = 10.3.0.0/24
      dns = 192.0.2.53
    } }
authorities { corp { crl_uris = http://example.org/crl
    } }
secrets { eap-joe { id = joe
      secret = sesame
    }
    ppk-q { secret = sesame
    } }
`,
  );
  const pools = await swanctl(uri, '--load-pools', '--file', file);
  assert.notEqual(pools.code, 0);
  assert.match(pools.stderr, /pool "guests" is refused: virtual addresses are not supported yet/);
  const authorities = await swanctl(uri, '--load-authorities', '--file', file);
  assert.notEqual(authorities.code, 0);
  assert.match(authorities.stderr, /authority "corp" is refused: certificates and public keys are not supported yet/);
  const secrets = await swanctl(uri, '--load-creds', '--noprompt', '--file', file);
  assert.match(secrets.stderr, /a secret of type eap is refused: EAP and XAuth are not supported yet/);
  assert.match(secrets.stderr, /a secret of type ppk is refused: post-quantum pre-shared keys are not supported yet/);
  assert.doesNotMatch(`${secrets.stdout}${secrets.stderr}`, /sesame/);
});
