import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VERSION } from '../../src/cli/about.ts';
import type { ConnectionStatus } from '../../src/daemon/status.ts';
import { folder, GW, line, NET, OK, REFUSED, SESSION, stage } from '../daemon/control/fake.ts';
import { until } from '../support/netns.ts';
import { espalier } from './terminal.ts';

const FAILED: ConnectionStatus = {
  name: 'branch',
  state: 'phase1-failed',
  reason: REFUSED,
  since: 12,
  remote: '192.0.2.7',
  children: [{ name: 'lan', state: 'down', reason: REFUSED }],
  suspicions: [],
};

test('status shows each connection and child with what is to be known of it', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.known = [GW, FAILED];
  const { code, out } = await espalier(['status', '--control', uri]);
  assert.equal(code, 0);
  assert.deepEqual(out.split('\n'), [
    'NAME     STATE          FOR    PEER       DETAIL',
    'gw       connected      1m 1s  10.71.0.2  IKEv2 AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048',
    '  net    connected      1s                10.71.1.0/24 === 10.71.2.0/24, 168 B in, 168 B out, ' +
      'ESP in UDP AES_CBC_128/HMAC_SHA2_256_128',
    '  voice  down                             taken down by command',
    'branch   phase1-failed  12s    192.0.2.7  the peer accepts none of our proposals',
    '  lan    down                             the peer accepts none of our proposals',
  ]);
});

test('status fits the terminal', async (t) => {
  const { uri } = await stage(t);
  const { out } = await espalier(['status', '--control', uri], { width: 72 });
  for (const row of out.split('\n')) assert.ok([...row].length <= 72, row);
  assert.match(out, /…/);
});

test('status NAME says why it is not up, with the evidence, where it is written and what to change', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.known = [GW, FAILED];
  const { code, out } = await espalier(['status', 'branch', '--control', uri]);
  assert.equal(code, 0);
  assert.deepEqual(out.split('\n').slice(3), [
    '',
    'branch: the peer accepts none of our proposals',
    '  peer:   10.71.0.2:500',
    '  notify: NO_PROPOSAL_CHOSEN (from peer)',
    '  want:   AES_GCM_16_256, CURVE_25519',
    '  got:    AES_CBC_128, MODP_2048',
    '  where:  /etc/espalier/gw.conf:14:5',
    '  remedy: add -modp2048 to proposals in gw.conf:14',
  ]);
});

test('status of a child shows its connection and that child', async (t) => {
  const { uri } = await stage(t);
  const { out } = await espalier(['status', 'net', '--control', uri]);
  assert.deepEqual(
    out.split('\n').map((row) => row.trim().split(/\s+/)[0]),
    ['NAME', 'gw', 'net'],
  );
});

test('status while a child is rekeyed shows the SA that is there to stay', async (t) => {
  const { uri, gateway } = await stage(t);
  const old = { ...NET, state: 'REKEYED' as const, bytesIn: 5_000_000 };
  gateway.running = [{ ...SESSION, children: [old, { ...NET, id: 2, bytesIn: 7 }] }];
  const { out } = await espalier(['status', 'net', '--control', uri]);
  assert.match(out, / 7 B in,/);
});

test('why tells what is wrong now, what is odd about what stands, and what went wrong last', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.known = [{ ...FAILED, failure: { reason: REFUSED, child: 'lan', ago: 12, times: 3 } }];
  const failed = await espalier(['why', 'branch', '--control', uri]);
  assert.equal(failed.code, 0);
  const lines = failed.out.split('\n');
  assert.deepEqual(lines.slice(0, 3), [
    'branch is phase1-failed (for 12s)',
    '',
    'child lan: the peer accepts none of our proposals [no-proposal] (3 times, the last 12s ago)',
  ]);
  assert.equal(lines.filter((row) => row.includes('[no-proposal]')).length, 1, 'once is enough');
  assert.match(failed.out, /where: {2}\S+:\d+:\d+/);
  assert.match(failed.out, /remedy: /);

  const odd = { code: 'esp-blocked', text: 'packets leave', remedy: 'permit them' } as const;
  const suspicions = [{ child: 'net', reason: odd }];
  gateway.known = [{ ...GW, suspicions, failure: { reason: REFUSED, ago: 3600, times: 3 } }];
  const stands = await espalier(['why', 'gw', '--control', uri]);
  assert.match(stands.out, /\n\nchild net: packets leave \[esp-blocked\]\n {2}remedy: permit them\n\n/);
  assert.match(stands.out, /last failure, 1h ago, 3 times: the peer accepts none of our proposals \[no-proposal\]/);
  const { findings } = JSON.parse((await espalier(['why', 'gw', '--json', '--control', uri])).out);
  const told = (findings as readonly { when: string; child?: string; reason: { code: string } }[]).map(
    ({ when, child, reason }) => [when, child, reason.code],
  );
  assert.deepEqual(told, [
    ['now', 'voice', 'requested'],
    ['now', 'net', 'esp-blocked'],
    ['last', undefined, 'no-proposal'],
  ]);
  gateway.known = [GW];
  const fine = await espalier(['why', 'net', '--control', uri]);
  assert.equal(fine.out, 'gw/net is connected\nnothing has gone wrong since the daemon started');
  gateway.known = [{ ...GW, state: 'waiting', reason: { code: 'ok', text: 'not started' }, children: [] }];
  assert.match(
    (await espalier(['why', 'gw', '--control', uri])).out,
    /^gw is waiting .*\nit waits for the first packet/,
  );
  const gone = { name: 'net', state: 'down', reason: { code: 'peer-deleted', text: 'closed by the peer' } } as const;
  gateway.known = [{ ...GW, state: 'phase1-failed', reason: REFUSED, children: [gone] }];
  assert.match(
    (await espalier(['why', 'gw', '--control', uri])).out,
    /^gw is phase1-failed .*\n\nthe peer accepts none of our proposals [\s\S]*\n\nchild net: closed by the peer/,
  );
  const hint = { code: 'no-connection', text: 'somebody called', remedy: 'set remote_addrs' } as const;
  gateway.known = [{ ...GW, state: 'down', suspicions: [{ reason: hint }] }];
  assert.match((await espalier(['why', 'gw', '--control', uri])).out, /\n\nsomebody called \[no-connection\]\n/);
});

test('admin sets the management status of a connection or of a child', async (t) => {
  const { uri, gateway } = await stage(t);
  assert.equal((await espalier(['admin', 'down', 'gw', '--control', uri])).out, 'gw: management status DOWN');
  assert.equal((await espalier(['admin', 'up', 'net', '--control', uri])).out, 'gw/net: management status UP');
  assert.deepEqual(gateway.asked, [
    { manage: { ike: 'gw' }, down: true },
    { manage: { ike: 'gw', child: 'net' }, down: false },
  ]);
  assert.equal((await espalier(['admin', 'off', 'gw', '--control', uri])).code, 2);
});

test('reload tells what has changed, or every mistake with its place', async (t) => {
  const { uri, gateway } = await stage(t);
  const done = await espalier(['reload', '--control', uri]);
  assert.deepEqual([done.code, done.out], [0, 'added: new\nchanged: gw\n1 connection untouched']);
  gateway.reloading = { ...gateway.reloading, added: [], changed: [], secrets: 2 };
  const secret = await espalier(['reload', '--control', uri]);
  const news = '2 secrets changed: from the next negotiation on, the new ones count';
  assert.equal(secret.out, `${news}\n1 connection untouched`);
  assert.equal(JSON.parse((await espalier(['reload', '--json', '--control', uri])).out).secrets, 2);
  const text = 'a.conf:3:5: unknown option "x"\na.conf:4:5: unknown option "y"';
  gateway.reloading = { ...gateway.reloading, ok: false, reason: { code: 'configuration', text, by: 'us' } };
  const wrong = await espalier(['reload', '--control', uri]);
  assert.deepEqual([wrong.code, wrong.err], [2, `${text}\nnothing has changed: the configuration stays as it was`]);
});

test('status --json has everything', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.known = [FAILED];
  const { code, out } = await espalier(['status', '--json', '--control', uri]);
  assert.equal(code, 0);
  const reason = { ...REFUSED, peer: '10.71.0.2:500' };
  assert.deepEqual(JSON.parse(out), [
    {
      name: 'branch',
      state: 'phase1-failed',
      reason,
      since: 12,
      remote: '192.0.2.7',
      children: [{ name: 'lan', state: 'down', reason }],
      suspicions: [],
      sessions: [],
    },
  ]);
  gateway.known = [GW];
  const shown = JSON.parse((await espalier(['status', '--json', '--control', uri])).out);
  assert.equal(shown[0].sessions[0]['child-sas']['net-1']['bytes-in'], '168');
});

test('status without any connection says so', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.known = [];
  assert.equal((await espalier(['status', '--control', uri])).out, 'No connection is configured.');
});

test('up NAME brings up all children of a connection, one after the other, and shows how it goes', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.initiating = async ({ child }, tell) => {
    tell(line(`establishing CHILD_SA ${child}`));
    return { ok: true, reason: OK };
  };
  const { code, out, err } = await espalier(['up', 'gw', '--timeout', '2.5', '--control', uri]);
  assert.deepEqual(out.split('\n'), [
    '[IKE] establishing CHILD_SA net',
    'gw/net: connected',
    '[IKE] establishing CHILD_SA voice',
    'gw/voice: connected',
  ]);
  assert.deepEqual([code, err], [0, '']);
  assert.deepEqual(gateway.asked, [
    { initiate: { ike: 'gw', child: 'net' }, timeout: 2500 },
    { initiate: { ike: 'gw', child: 'voice' }, timeout: 2500 },
  ]);
});

test('up of what fails ends with exit code 1 and the reason', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.initiating = async () => ({ ok: false, reason: REFUSED });
  const { code, err } = await espalier(['up', 'net', '--control', uri]);
  assert.equal(code, 1);
  assert.deepEqual(err.split('\n'), [
    'gw/net: failed: the peer accepts none of our proposals',
    '  peer:   10.71.0.2:500',
    '  notify: NO_PROPOSAL_CHOSEN (from peer)',
    '  want:   AES_GCM_16_256, CURVE_25519',
    '  got:    AES_CBC_128, MODP_2048',
    '  where:  /etc/espalier/gw.conf:14:5',
    '  remedy: add -modp2048 to proposals in gw.conf:14',
  ]);
});

test('a failure of the whole connection is not tried again for each child; that of one child is its own', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.initiating = async () => ({ ok: false, reason: REFUSED });
  assert.equal((await espalier(['up', 'gw', '--control', uri])).code, 1);
  assert.equal(gateway.asked.length, 1);
  for (const failure of ['ts-mismatch', 'mode-mismatch', 'ah-nat'] as const) {
    gateway.asked.length = 0;
    gateway.initiating = async ({ child }) =>
      child === 'net' ? { ok: false, reason: { code: failure, text: 'no common ground' } } : { ok: true, reason: OK };
    const { code, out, err } = await espalier(['up', 'gw', '--control', uri]);
    assert.deepEqual([code, out, err], [1, 'gw/voice: connected', 'gw/net: failed: no common ground']);
  }
});

test('up --no-wait begins and returns', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.initiating = () => new Promise(() => {});
  const { code, out } = await espalier(['up', 'gw/net', '--no-wait', '--control', uri]);
  assert.deepEqual([code, out], [0, 'gw/net: started']);
});

test('up --json prints results only', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.initiating = async (_, tell) => {
    tell(line('on the way'));
    return { ok: false, reason: { code: 'no-answer', text: 'the peer is silent' } };
  };
  const { code, out, err } = await espalier(['up', 'net', '--json', '--control', uri]);
  assert.deepEqual([code, err], [1, '']);
  const reason = { code: 'no-answer', text: 'the peer is silent' };
  assert.deepEqual(JSON.parse(out), [{ name: 'gw/net', ok: false, reason }]);
});

test('down takes down a connection as a whole, or one child; what is down already is no failure', async (t) => {
  const { uri, gateway } = await stage(t);
  assert.deepEqual(await espalier(['down', 'gw', '--control', uri]), { code: 0, out: 'gw: down', err: '' });
  assert.deepEqual(await espalier(['down', 'net', '--control', uri]), { code: 0, out: 'gw/net: down', err: '' });
  assert.deepEqual(gateway.asked, [
    { terminate: { ike: 'gw', force: false }, timeout: 0 },
    { terminate: { ike: 'gw', child: 'net', force: false }, timeout: 0 },
  ]);
  gateway.terminating = async () => ({ ok: false, reason: OK, matches: 0, terminated: 0 });
  assert.deepEqual(await espalier(['down', 'gw', '--control', uri]), { code: 0, out: 'gw: was not up', err: '' });
  gateway.terminating = async () => ({ ok: false, reason: REFUSED, matches: 2, terminated: 1 });
  const { code, err } = await espalier(['down', 'gw', '--control', uri]);
  assert.equal(code, 1);
  assert.match(err, /^gw: failed: the peer accepts none/);
});

test('rekey renews one child, or all children of a connection and then its IKE SA', async (t) => {
  const { uri, gateway } = await stage(t);
  assert.deepEqual(await espalier(['rekey', 'net', '--control', uri]), {
    code: 0,
    out: 'gw/net: one SA is being renewed',
    err: '',
  });
  assert.equal((await espalier(['rekey', 'gw', '--control', uri])).out, 'gw: 3 SAs are being renewed');
  const children = ['net', 'net', 'voice'].map((child) => ({ rekey: { ike: 'gw', child } }));
  assert.deepEqual(gateway.asked, [...children, { rekey: { ike: 'gw' } }]);
  gateway.running = [];
  const idle = await espalier(['rekey', 'net', '--json', '--control', uri]);
  assert.deepEqual([idle.code, JSON.parse(idle.out)], [1, { name: 'gw/net', ok: false, matches: 0 }]);
  assert.match((await espalier(['rekey', 'net', '--control', uri])).err, /is not up/);
});

test('counters shows what is not zero, and with --all the rest', async (t) => {
  const { uri } = await stage(t);
  const { code, out } = await espalier(['counters', '--control', uri]);
  assert.equal(code, 0);
  assert.deepEqual(
    out.split('\n').map((row) => row.trim()),
    [
      'IKE messages that went no further  COUNT',
      'bad-icv                            3',
      '',
      'packets that went no further  COUNT',
      'replay                        2',
      '',
      'how packets came and went  COUNT',
      'tun-reads                  1,000,000',
    ],
  );
  assert.match((await espalier(['counters', '--all', '--control', uri])).out, /^policy +0$/m);
  assert.deepEqual(JSON.parse((await espalier(['counters', '--json', '--control', uri])).out), {
    ike: { 'bad-icv': 3 },
    drops: { replay: 2 },
    io: { 'tun-reads': 1_000_000 },
  });
});

test('a NAME that is none, or that several connections have, is wrong usage and says what there is', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.known = [GW, { ...FAILED, children: GW.children }];
  const unknown = await espalier(['up', 'x', '--control', uri]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /named "x": there are gw, gw\/net, gw\/voice, branch, branch\/net/);
  const twice = await espalier(['down', 'net', '--control', uri]);
  assert.equal(twice.code, 2);
  assert.match(twice.err, /say which \(gw\/net, branch\/net\)/);
  assert.deepEqual(gateway.asked, []);
  assert.equal((await espalier(['up', 'branch/net', '--control', uri])).out, 'branch/net: connected');
});

test('a name like a number is a name', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.known = [{ ...GW, name: '007', children: [] }];
  await espalier(['up', '007', '--control', uri]);
  assert.deepEqual(gateway.asked, [{ initiate: { ike: '007' }, timeout: 0 }]);
});

test('without a daemon client verbs fail with a sentence', async (t) => {
  const uri = `unix://${folder(t)}/vici.sock`;
  for (const args of [['status'], ['up', 'gw'], ['down', 'gw'], ['rekey', 'gw']]) {
    const { code, out, err } = await espalier([...args, '--control', uri]);
    assert.deepEqual([code, out], [1, '']);
    assert.equal(err, `espalier: cannot reach the daemon at ${uri}: there is no such socket (is the daemon running?)`);
  }
});

test('with --json what fails says so in JSON, too, with the same exit code', async (t) => {
  const nowhere = `unix://${folder(t)}/vici.sock`;
  const text = `cannot reach the daemon at ${nowhere}: there is no such socket (is the daemon running?)`;
  for (const verb of [
    'status',
    'statusall',
    'up gw',
    'down gw',
    'rekey gw',
    'why gw',
    'admin up gw',
    'log',
    'reload',
    'counters',
  ]) {
    const { code, out, err } = await espalier([...verb.split(' '), '--json', '--control', nowhere]);
    assert.deepEqual([code, err], [1, ''], verb);
    assert.deepEqual(JSON.parse(out), { ok: false, reason: { code: 'unreachable', text } }, verb);
  }
  const { uri } = await stage(t);
  const unknown = await espalier(['up', 'x', '--json', '--control', uri]);
  assert.deepEqual([unknown.code, unknown.err, JSON.parse(unknown.out).reason.code], [2, '', 'usage']);
});

test('version tells both versions, and its own without a daemon', async (t) => {
  const { uri } = await stage(t);
  assert.match(
    (await espalier(['version', '--control', uri])).out,
    new RegExp(`^espalier ${VERSION}\ndaemon: espalier 1.2.3 `),
  );
  const alone = await espalier(['version', '--json', '--control', `unix://${folder(t)}/none`]);
  assert.equal(alone.code, 0);
  assert.equal(JSON.parse(alone.out).version, VERSION);
  assert.deepEqual(await espalier(['--version']), { code: 0, out: VERSION, err: '' });
});

test('help lists the commands and the exit codes', async () => {
  for (const args of [['--help'], ['-h']]) {
    const { code, out } = await espalier(args);
    assert.equal(code, 0);
    for (const word of [
      'daemon',
      'status [name]',
      'up <name>',
      'down <name>',
      'rekey <name>',
      'check',
      'counters',
      'version',
      'Exit codes',
    ]) {
      assert.ok(out.includes(word), word);
    }
  }
  const daemon = await espalier(['daemon', '--help']);
  assert.equal(daemon.code, 0);
  for (const option of ['--config', '--control', '--state-dir', '--tun', '--io-without', '--log-level', '--port']) {
    assert.ok(daemon.out.includes(option), option);
  }
});

test('wrong usage has exit code 2 and says what is wrong', async () => {
  for (const [args, why] of [
    [[], /name a command/],
    [['frobnicate'], /frobnicate/],
    [['statu'], /did you mean status\?/],
    [['status', '--frobnicate'], /frobnicate/],
    [['up'], /the NAME of a connection or a child is missing/],
    [['up', 'a', 'b'], /b/],
    [['up', 'gw', '--timeout', 'soon'], /"soon" is not a number of seconds/],
    [['status', '--control', 'tcp://1'], /not a unix:\/\/ address/],
    [['status', '--control'], /--control needs a value/],
    [['status', '--control', 'unix:///a', '--control', 'unix:///b'], /more than once/],
  ] as const) {
    const { code, out, err } = await espalier(args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, why);
  }
});

test('log follows the daemon’s log until the daemon ends, in sentences or as JSON, for one connection or all', async (t) => {
  const { uri, log, server } = await stage(t);
  const following = [
    espalier(['log', '--control', uri]),
    espalier(['log', 'gw', '--json', '--control', uri]),
    espalier(['log', 'other', '--control', uri]),
  ];
  await until('all of them follow', () => server.clients === 3 && log.reading.size > 0);
  // Each is registered when it has had an answer; the last to come registers last.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const record = { level: 40, time: 0, conn: 'gw', remedy: 'do this', msg: 'it failed' };
  log.line(record);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await server.close();
  const [people, programs, others] = await Promise.all(following);
  assert.match(people?.out ?? '', /^\d\d:\d\d:\d\d WARN {2}gw: it failed\n {9}remedy: do this$/);
  assert.deepEqual(JSON.parse(programs?.out ?? ''), record);
  assert.equal(others?.out, '');
  assert.deepEqual(
    [people, programs, others].map((done) => done?.code),
    [1, 1, 1],
  );
});
