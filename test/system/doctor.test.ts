// The doctor, in a namespace where each thing that a gateway needs is taken away for real: it says so, names what mends
// it, and once that has been run it is content. Here: the program, its rights, the device, ports, directories, others.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { clinic, complaint, complaints, config, mends } from '../support/clinic.ts';
import { Espalier, MAIN } from '../support/espalier.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { run, until } from '../support/netns.ts';
import { StrongSwan } from '../support/strongswan.ts';

const options = { skip: lacking(...NETWORK, 'tun', 'espalier'), timeout: 120_000 };

test('a host that lacks nothing is told so', options, () =>
  clinic(async (place) => {
    const { code, verdicts } = await place.look({ conf: config({ child: 'esp_proposals = aes256gcm16' }) });
    assert.equal(code, 0);
    assert.deepEqual(
      verdicts.filter(({ health }) => health === 'warning' || health === 'problem'),
      [],
    );
    const codes = new Set(verdicts.map((verdict) => verdict.code));
    for (const known of [
      'node-version',
      'addon',
      'cap-net-admin',
      'tun',
      'port',
      'forwarding',
      'rp-filter',
      'firewall',
      'peer-route',
      'mtu',
      'local-address',
      'rules',
      'table-220',
      'running',
      'state-dir',
      'control-dir',
      'open-files',
      'clock',
      'configuration',
      'redirects',
      'default-route',
      'offload',
    ]) {
      assert.ok(codes.has(known), known);
    }
    const mtu = verdicts.find((verdict) => verdict.code === 'mtu');
    assert.match(mtu?.text ?? '', /^peer takes 1500 bytes; packets of 1438 bytes fit inside, TCP segments of 1398$/);
    const table = await place.host.must(process.execPath, [
      MAIN,
      'doctor',
      '--config',
      join(place.folder, 'swanctl.conf'),
    ]);
    assert.match(table, /^\d+ in order/m);
  }),
);

test('a port that a process has', options, () =>
  clinic(async (place) => {
    const listener = place.host.spawn(process.execPath, [
      '-e',
      'require("dgram").createSocket("udp4").bind(4500); setInterval(() => {}, 1e6)',
    ]);
    await until(
      'somebody has the port',
      async () => (await place.host.must('cat', ['/proc/net/udp'])).includes(':1194 ') || undefined,
    );
    const found = complaint(await place.look(), 'port', 'problem', /^UDP port 4500 is taken by node \(process \d+\)$/);
    assert.equal(found.command, `kill ${listener.pid}`);
    assert.deepEqual(complaints(await place.look({ args: ['--nat-port', '4501'] })), []);
    await mends(place, { mend: 'port' }, 'problem', /4500/, /^kill/);
  }),
);

test(
  'a charon that runs here, and what it leaves in our places',
  { ...options, skip: options.skip || lacking('charon', 'swanctl', 'libipsec', 'openssl', 'chapoly') },
  () =>
    clinic(async (place) => {
      const charon = await StrongSwan.start(place.topology, place.host, { conf: 'connections { }' });
      const look = await place.look();
      const ports = complaints(look, 'port');
      assert.deepEqual(
        ports.map(({ text }) => text.replace(/\d+\)$/, 'N)')),
        [
          "UDP port 500 is taken by strongSwan's charon (process N)",
          "UDP port 4500 is taken by strongSwan's charon (process N)",
        ],
      );
      const rules = complaints(look, 'rules');
      assert.ok(rules.length >= 1);
      assert.match(rules[0]?.text ?? '', /^rule 220 for IPv4 leads into table 220, .*strongSwan/);
      await charon.kill();
      const { before, after } = await place.mended({ mend: 'rules' });
      assert.equal(complaints(before, 'port').length, 0);
      assert.ok(complaints(before, 'rules').length >= 1);
      assert.deepEqual(complaints(after), []);
    }),
);

test('no device', options, () =>
  clinic(async (place) => {
    const gone = 'mount -t tmpfs none /dev/net';
    await mends(
      place,
      { mend: 'tun', before: gone },
      'problem',
      /^there is no \/dev\/net\/tun, although the kernel has the driver$/,
      /^mkdir -p \/dev\/net && mknod \/dev\/net\/tun c 10 200 && chmod 0666/,
    );
    await mends(
      place,
      { mend: 'tun', before: `${gone} && : > /dev/net/tun` },
      'problem',
      /something else than the device/,
      /^rm -r \/dev\/net\/tun && mkdir/,
    );
    const number = 'mount -t tmpfs none /dev/net && mknod /dev/net/tun c 1 3';
    await mends(place, { mend: 'tun', before: number }, 'problem', /something else than the device/, /mknod/);
  }),
);

test('capabilities that are not there', { ...options, skip: options.skip || lacking('setpriv') }, () =>
  clinic(async (place) => {
    const without = (cap: string) => ({ by: ['setpriv', '--bounding-set', `-${cap}`] });
    const admin = complaint(await place.look(without('net_admin')), 'cap-net-admin', 'problem', /need CAP_NET_ADMIN/);
    assert.match(admin.advice ?? '', /--cap-add NET_ADMIN$/);
    const raw = complaint(await place.look(without('net_raw')), 'cap-net-raw', 'warning', /all ESP goes in UDP/);
    assert.match(raw.advice ?? '', /--cap-add NET_RAW$/);
    complaint(
      await place.look({ ...without('net_raw'), conf: config({ child: 'ah_proposals = sha256' }) }),
      'cap-net-raw',
      'problem',
      /^AH, which the configuration asks for/,
    );
    await place.host.sysctl({ 'net.ipv4.ip_unprivileged_port_start': 1024 });
    await mends(
      place,
      { mend: 'cap-net-bind-service', ...without('net_bind_service') },
      'problem',
      /^UDP port 500 needs CAP_NET_BIND_SERVICE/,
      /^sysctl -w net\.ipv4\.ip_unprivileged_port_start=500$/,
    );
  }),
);

test('what the service would be allowed to do', options, () =>
  clinic(async (place) => {
    const units = join(place.folder, 'units');
    mkdirSync(units);
    const unit = (text: string) => writeFileSync(join(units, 'espalier.service'), `[Service]\n${text}\n`);
    const before = `mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && mkdir /run/systemd/system && mount --bind ${units} /run/systemd/system && mount --bind ${units} /etc/systemd/system`;
    unit('User=espalier\nAmbientCapabilities=CAP_NET_ADMIN');
    const found = complaint(
      await place.look({ before }),
      'service',
      'problem',
      /runs as espalier without CAP_NET_BIND_SERVICE$/,
    );
    assert.match(
      found.advice ?? '',
      /^add CAP_NET_BIND_SERVICE to AmbientCapabilities in \/etc\/systemd\/system\/espalier\.service/,
    );
    unit('User=espalier\nAmbientCapabilities=CAP_NET_ADMIN CAP_NET_BIND_SERVICE');
    assert.deepEqual(complaints(await place.look({ before })), []);
    unit('ExecStart=/usr/bin/espalier daemon\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE');
    complaint(await place.look({ before }), 'service', 'problem', /runs as root without CAP_NET_ADMIN$/);
  }),
);

test('an Espalier that runs here already', options, () =>
  clinic(async (place) => {
    const daemon = await Espalier.start(place.topology, place.host, { conf: config(), tun: 'esp7' });
    const look = await place.look({ args: ['--tun', 'esp7'] });
    assert.deepEqual(complaints(look), []);
    const texts = look.verdicts.map(({ text }) => text);
    assert.ok(texts.includes('an Espalier runs here, with the device esp7'));
    assert.ok(texts.includes(`UDP port 500 is this gateway's (process ${daemon.pid})`));
    const other = complaint(
      await place.look(),
      'running',
      'problem',
      /^another Espalier runs here, with the device esp7/,
    );
    assert.match(other.advice ?? '', /--tun esp7/);
    await daemon.kill();
    const left = await place.look();
    assert.deepEqual(complaints(left), []);
    const { health, text, advice } = left.verdicts.find(({ code }) => code === 'running') ?? assert.fail();
    assert.equal(health, 'note');
    assert.match(text, /keeps 10\.2\.0\.0\/24 blocked until the next begins$/);
    assert.match(advice ?? '', /ip route flush table 220 protocol 220$/);
  }),
);

test('a peer given by a name that has an address, and by one that has none', options, () =>
  clinic(async (place) => {
    const named = (name: string) => config().replace('remote_addrs = 192.0.2.2', `remote_addrs = ${name}`);
    const hosts = join(place.folder, 'hosts');
    writeFileSync(hosts, '192.0.2.2 gw.example.org\n');
    const before = `mount --bind ${hosts} /etc/hosts`;
    const known = await place.look({ before, conf: named('gw.example.org') });
    assert.deepEqual(complaints(known), []);
    const texts = known.verdicts.map(({ about, text }) => `${about} ${text}`);
    assert.ok(texts.includes('gw.example.org is 192.0.2.2'));
    assert.ok(texts.includes('peer 192.0.2.2 is reached by peer, from 192.0.2.1'));
    complaint(await place.look({ before, conf: named('none.invalid') }), 'peer-name', 'problem', /^has no address/);
  }),
);

test('directories that cannot be written to', options, () =>
  clinic(async (place) => {
    const sealed = join(place.folder, 'sealed');
    const before = `mkdir -p ${sealed} && mount -t tmpfs -o ro none ${sealed}`;
    const look = await place.look({ before, stateDir: `${sealed}/state` });
    const found = complaint(
      look,
      'state-dir',
      'problem',
      /sealed\/state is not there and cannot be made: .*read-only$/,
    );
    assert.match(found.advice ?? '', /--state-dir/);
    complaint(
      await place.look({ before, control: `unix://${sealed}/vici.sock` }),
      'control-dir',
      'problem',
      /cannot be written to: .*read-only$/,
    );
    complaint(await place.look({ stateDir: '/dev/null' }), 'state-dir', 'problem', /^\/dev\/null is no directory$/);
  }),
);

test('directories that belong to somebody else', { ...options, skip: options.skip || lacking('setpriv') }, () =>
  clinic(async (place) => {
    const other = join(place.folder, 'other');
    const before = `rm -rf ${other} && mkdir -p ${other}/run && chown -R 65534 ${other}`;
    // Root that minds permissions as everybody does.
    const by = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'];
    const state = { mend: 'state-dir', before, by, stateDir: `${other}/state` };
    await mends(
      place,
      state,
      'problem',
      /is not there and cannot be made: .* is not writable for this user$/,
      /^install -d -m 0750 -o 0 .*state$/,
    );
    const control = { mend: 'control-dir', before, by, control: `unix://${other}/run/vici.sock` };
    await mends(place, control, 'problem', /cannot be written to: .* is not writable for this user$/, /^install -d/);
  }),
);

test('too few open files', options, () =>
  clinic(async (place) => {
    // Node raises the soft limit by itself; only who may raise the hard one can mend that.
    const look = await place.look({ before: 'ulimit -n 64' });
    const found = complaint(
      look,
      'open-files',
      'warning',
      /^only 64 files may be open; with \d+ workers? and all clients/,
    );
    assert.equal(found.command, 'ulimit -n 4096');
    assert.equal(look.code, 0);
    assert.equal(
      complaints(await place.look({ before: 'ulimit -n 1024', args: ['--workers', '44'] }), 'open-files').length,
      0,
    );
    assert.equal(
      complaints(await place.look({ before: 'ulimit -n 1024', args: ['--workers', '45'] }), 'open-files').length,
      1,
    );
  }),
);

test('an addon that does not load, and all the rest that can be said without it', options, () =>
  clinic(async (place) => {
    await place.host.sysctl({ 'net.ipv4.ip_unprivileged_port_start': 0 });
    const look = await place.look({ env: { ESPALIER_ADDON: '/nowhere/espalier.node' } });
    const found = complaint(look, 'addon', 'problem', /the native addon \/nowhere\/espalier\.node cannot be loaded/);
    assert.equal(found.command, 'npm run build:native');
    assert.ok(look.verdicts.some(({ code }) => code === 'port'));
    assert.ok(!look.verdicts.some(({ code }) => code === 'peer-route'));
  }),
);

test('a configuration that does not load', options, () =>
  clinic(async (place) => {
    const look = await place.look({ conf: 'connections {\n office {\n remote_adrs = 192.0.2.2\n' });
    const found = complaint(look, 'configuration', 'problem', /swanctl\.conf:2:2: this section never ends/);
    assert.match(found.command ?? '', /^espalier check --config .*swanctl\.conf$/);
    const checked = await run('sh', ['-c', (found.command ?? '').replace('espalier', `${process.execPath} ${MAIN}`)]);
    assert.equal(checked.code, 2);
  }),
);
