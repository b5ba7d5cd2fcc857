// Peers that are given by name, to a real daemon: from /etc/hosts and from a name server, which a namespace has of its own.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Espalier } from '../support/espalier.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { A, B, inSites } from '../support/sites.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier');

const NAME = 'gw-b.espalier.test';
/** Where the peer is after it has moved. */
const ELSEWHERE = '192.0.2.3';
const SECRETS = 'secrets { ike { secret = "a shared word of some length" } }';

function side(local: string, remote: string, own: string, other: string, more = '', nets = [A.net, B.net]): string {
  return `
  gw {
    version = 2
    local_addrs = ${local}
    remote_addrs = ${remote}
    ${more}
    local { auth = psk
      id = ${own} }
    remote { auth = psk
      id = ${other} }
    children { net { local_ts = ${nets[0]}
      remote_ts = ${nets[1]} } }
  }`;
}

async function remoteOf(gateway: Espalier): Promise<string> {
  return until('an IKE SA', async () => {
    const [sa, more] = await gateway.sas();
    return sa?.state === 'ESTABLISHED' && !more ? sa.remoteHost : undefined;
  });
}

test('[G] a peer is called where its name is just then, and let in from there', { skip }, () =>
  inSites(async (net) => {
    await net.gwb.ip('address', 'add', `${ELSEWHERE}/24`, 'dev', 'gwa');
    const hosts = (ip: string) => net.gwa.etc('hosts', `127.0.0.1 localhost\n${ip} ${NAME} gw-b\n`);
    net.gwa.etc('hosts', '127.0.0.1 localhost\n');
    net.gwa.etc('resolv.conf', '');
    const conf = `connections {${side(A.outside, NAME, 'a.test', 'b.test', 'retry_interval = 1s')}}\n${SECRETS}`;
    const a = await Espalier.start(net.topology, net.gwa, { conf });
    const theirs = (local: string) =>
      `connections {${side(local, A.outside, 'b.test', 'a.test', '', [B.net, A.net])}}\n${SECRETS}`;
    const b = await Espalier.start(net.topology, net.gwb, { conf: theirs('%any') });

    const failed = await a.cli('up', 'gw');
    assert.equal(failed.code, 1);
    assert.match(
      failed.stdout + failed.stderr,
      /gw-b\.espalier\.test cannot be resolved: no name server can be reached/,
    );
    assert.match(failed.stdout + failed.stderr, /espalier\.conf:5:/);
    const status = JSON.stringify(await a.json('status'));
    assert.match(status, /name-unresolved/);

    hosts(B.outside);
    assert.equal(await remoteOf(a), B.outside);
    assert.ok(await net.hosta.ping(B.host, { count: 3, patience: 2 }));

    // What stands goes on; the next attempt goes to the new place.
    hosts(ELSEWHERE);
    await a.swanctl('--rekey', '--child', 'net');
    assert.equal(await remoteOf(a), B.outside);
    assert.equal((await a.cli('down', 'gw')).code, 0);
    // An answer counts for a second.
    await sleep(1100);
    assert.equal((await a.cli('up', 'gw')).code, 0);
    assert.equal(await remoteOf(a), ELSEWHERE);
    assert.ok(await net.hosta.ping(B.host, { count: 3, patience: 2 }));
    await a.line(
      'the new address',
      ({ event, msg }) => event === 'name-resolved' && `${msg}`.includes(`is ${ELSEWHERE}, and was ${B.outside}`),
    );
    assert.equal((await a.cli('down', 'gw')).code, 0);

    // The name is forgotten, and the last address counts in both directions: not the one before.
    net.gwa.etc('hosts', '127.0.0.1 localhost\n');
    await b.stop();
    await b.start(theirs(B.outside));
    assert.equal((await b.cli('up', 'gw', '--no-wait')).code, 0);
    await until('a refusal', async () => JSON.stringify(await b.json('status')).includes('phase1-failed') || undefined);
    await b.stop();
    await b.start(theirs(ELSEWHERE));
    assert.equal((await b.cli('up', 'gw')).code, 0);
    assert.equal(await remoteOf(a), ELSEWHERE);
    assert.equal((await b.cli('down', 'gw')).code, 0);
    assert.equal((await a.cli('up', 'gw')).code, 0);
    await a.line('the old address', ({ msg }) => `${msg}`.includes(`it is taken to be ${ELSEWHERE} still`));
  }),
);

test('a name server is asked for both families, and what it answers is told', { skip }, () =>
  inSites(async (net) => {
    const zone = join(net.topology.folder(), 'zone');
    const known = [
      `both.test ${B.outside6} ${B.outside}`,
      `four.test ${B.outside} 192.0.2.7`,
      'empty.test',
      'fails.test fails',
      'silent.test silent',
    ];
    writeFileSync(zone, known.join('\n'));
    const server = net.gwb.spawn(process.execPath, [
      join(import.meta.dirname, '../support/dnsmain.js'),
      B.outside,
      zone,
    ]);
    if (!server.stdout) throw new Error('no output');
    const listening = await createInterface(server.stdout)[Symbol.asyncIterator]().next();
    assert.equal(listening.value, 'listening');
    net.gwa.etc('hosts', '127.0.0.1 localhost\n');
    net.gwa.etc('resolv.conf', `nameserver ${B.outside}\n`);
    const names = ['both', 'four', 'empty', 'fails', 'silent', 'missing'];
    const conn = (name: string, local: string) =>
      side(local, `${name}.test`, 'a.test', `${name}.test`)
        .replace('gw {', `${name} {`)
        .replace('{ net {', `{ net-${name} {`);
    const conf = `connections {${names.map((name) => conn(name, '%any')).join('')}}\n${SECRETS}`;
    const a = await Espalier.start(net.topology, net.gwa, { conf });
    const said = async (name: string) => {
      const line = await a.line(
        `of ${name}.test`,
        ({ name: of, event }) => of === `${name}.test` && `${event}`.startsWith('name-'),
      );
      return `${line.msg}`;
    };
    assert.equal(await said('both'), `both.test is ${B.outside6}, ${B.outside}`);
    assert.equal(await said('four'), `four.test is ${B.outside}, 192.0.2.7`);
    assert.equal(await said('empty'), 'empty.test cannot be resolved: it has no address');
    assert.equal(await said('fails'), 'fails.test cannot be resolved: the name server cannot tell (SERVFAIL)');
    assert.equal(await said('missing'), 'missing.test cannot be resolved: there is no such name');
    assert.match(await said('silent'), /^silent\.test cannot be resolved: no (answer within 5 s|name server answers)$/);
    // The family is that of our own address where that has one.
    const other = side('%any', '%any', 'both.test', 'a.test', '', [B.net, A.net]);
    await Espalier.start(net.topology, net.gwb, { conf: `connections {${other}}\n${SECRETS}` });
    assert.equal((await a.cli('up', 'both')).code, 0);
    assert.equal(await remoteOf(a), B.outside6);
    await a.stop();
    await a.start(`connections {${conn('both', A.outside)}${conn('silent', '%any')}}\n${SECRETS}`);
    assert.equal((await a.cli('up', 'both')).code, 0);
    assert.equal(await remoteOf(a), B.outside);
    // A look-up that nobody answers does not keep the daemon from ending: that would be noticed after 10 s.
    assert.equal((await a.cli('up', 'silent', '--no-wait')).code, 0);
    await a.stop();
    server.kill();
  }),
);
