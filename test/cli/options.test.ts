import assert from 'node:assert/strict';
import { test } from 'node:test';
import yargs from 'yargs';
import { VERSION } from '../../src/cli/about.ts';
import { DAEMON, daemonOptions } from '../../src/cli/options.ts';
import type { DaemonOptions } from '../../src/daemon/run.ts';
import { espalier } from './terminal.ts';

async function parse(...args: readonly string[]): Promise<DaemonOptions> {
  const parser = yargs().parserConfiguration({ 'greedy-arrays': false }).options(DAEMON).exitProcess(false);
  return daemonOptions(await parser.parseAsync([...args]));
}

test('without options the daemon has the defaults of the contract', async () => {
  const { config, ...rest } = await parse();
  assert.ok(Array.isArray(config));
  assert.deepEqual(rest, {
    control: 'unix:///run/espalier/vici.sock',
    stateDir: '/var/lib/espalier',
    tun: 'esp0',
    roles: {},
    keepBlocks: false,
    logLevel: 'info',
    port: 500,
    natPort: 4500,
    version: VERSION,
  });
});

test('every option arrives', async () => {
  const args =
    '--config a.conf --config b.conf --secrets x.secrets --control unix:///c --state-dir /s --tun vpn1 --io-without vnet,raw --keep-blocks';
  const groups = ['--user', 'me', '--metrics', '[::1]:9100', '--control-read', '1234', '--control-operate', 'root'];
  const parsed = await parse(
    ...args.split(' '),
    '--log-level',
    'debug',
    '--port',
    '1500',
    '--nat-port',
    '14500',
    ...groups,
  );
  assert.deepEqual(parsed, {
    config: ['a.conf', 'b.conf'],
    secrets: 'x.secrets',
    control: 'unix:///c',
    stateDir: '/s',
    user: 'me',
    tun: 'vpn1',
    ioWithout: 'vnet,raw',
    roles: { read: 1234, operate: 0 },
    keepBlocks: true,
    metrics: { host: '::1', port: 9100 },
    logLevel: 'debug',
    port: 1500,
    natPort: 14_500,
    version: VERSION,
  });
});

test('what the daemon cannot honour ends with exit code 2 before anything is started', async () => {
  for (const [args, why] of [
    [['--secrets', 'x', '--secrets', 'y'], /--secrets is given more than once/],
    [['--metrics', 'gw:9100'], /--metrics: "gw:9100" is neither a port nor an address/],
    [['--metrics', '::1:9100'], /is neither a port nor an address/],
    [['--metrics', '0'], /is neither/],
    [['--workers', '0'], /--workers: "0" is not a number of threads \(1 to 64\)/],
    [['--workers', 'many'], /--workers: "many" is not a number of threads/],
    [['--tun', 'a-name-too-long-x'], /cannot be the name of a device/],
    [['--tun', 'a/b'], /cannot be the name of a device/],
    [['--io-without', 'vnet,tcp'], /"tcp" is none of vnet, uso, udpgso, udpgro, mmsg, raw, nftables/],
    [['--log-level', 'loud'], /loud/],
    [['--control-read', 'rooot'], /there is no group "rooot"; did you mean "root"\?/],
    [['--port', '0'], /"0" is not a UDP port/],
    [['--port', '65536'], /not a UDP port/],
    [['--nat-port', '4500x'], /not a UDP port/],
    [['--port', '4500'], /both 4500/],
    [['--control', '/run/x'], /not a unix:\/\/ address/],
    [['--tun', 'a', '--tun', 'b'], /--tun is given more than once/],
    [['--nonsense'], /nonsense/],
  ] as const) {
    const { code, err } = await espalier(['daemon', ...args]);
    assert.equal(code, 2, args.join(' '));
    assert.match(err, why);
  }
});

test('metrics are of the loopback where only a port is given', async () => {
  assert.deepEqual((await parse('--metrics', '9100')).metrics, { host: '127.0.0.1', port: 9100 });
  assert.deepEqual((await parse('--metrics', '0.0.0.0:9100')).metrics, { host: '0.0.0.0', port: 9100 });
});
