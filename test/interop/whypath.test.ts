// Why nothing comes back: peers that are not there, firewalls, routes, and tunnels that stand and carry nothing. With
// strongSwan as the peer, in both roles where the role has a part in it.

import { test } from 'node:test';
import { Espalier } from '../support/espalier.ts';
import type { Gateway } from '../support/gateway.ts';
import { INTEROP, lacking } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { A, B } from '../support/sites.ts';
import {
  begin,
  type Cause,
  elsewhere,
  impair,
  inBoth,
  judge,
  mend,
  ours,
  planOf,
  type Role,
  rewritten,
  table,
  theirs,
  V1,
  V2,
} from './causes.ts';
import { Lab } from './scenario.ts';

const skip = lacking(...INTEROP);
const state = 'phase1-failed';

const SILENCE: readonly Cause[] = [
  ...inBoth((version, plan) => ({
    what: 'UDP 500 dropped on the way',
    plan,
    given: (lab) => impair(lab.net.gwb, 'udp dport 500 drop'),
    after: (lab) => mend(lab.net.gwb),
    says: {
      initiator: {
        ...{ code: 'no-answer', state, where: 'remote_addrs =' },
        text: /^no answer from 192\.0\.2\.2 on UDP 500 \(for \d+ s, sent 3 times\)$/,
        remedy: new RegExp(
          `^check that .* is the peer's address .*speaks IKEv${version}, and that UDP 500 and 4500 pass`,
        ),
      },
    },
  })),
  ...inBoth((_, plan) => ({
    what: 'a host without an IKE daemon',
    plan,
    given: (lab) => theirs(lab).kill(),
    says: {
      initiator: {
        ...{ code: 'not-listening', state, where: 'remote_addrs =' },
        text: /^UDP 500 of 192\.0\.2\.2 is told to be unreachable: nothing listens there, or a firewall on the way rejects it /,
        remedy:
          /^start the IKE daemon there, check that 192\.0\.2\.2 is the peer's address \(ours is in \S+:\d+\), or permit UDP/,
      },
    },
  })),
  {
    what: 'a firewall that says no',
    plan: V2,
    given: (lab) =>
      lab.net.gwb.nft(`
        table inet impaired {
          chain arriving {
            type filter hook input priority 0;
            udp dport 500 reject with icmpx type admin-prohibited
          }
        }`),
    after: (lab) => mend(lab.net.gwb),
    says: {
      initiator: {
        ...{ code: 'unreachable', state, where: 'remote_addrs =' },
        text: /^a firewall on the way to 192\.0\.2\.2 says that it forbids UDP 500 /,
        remedy: /^permit UDP 500 and 4500 in both directions/,
      },
    },
  },
  ...inBoth((version, plan) => ({
    what: 'UDP 4500 dropped on the way',
    plan,
    given: (lab) => impair(lab.net.gwb, 'udp dport 4500 drop'),
    after: (lab) => mend(lab.net.gwb),
    says: {
      initiator: {
        ...{ code: 'unanswered-4500', state, where: 'encap = yes' },
        text: /^192\.0\.2\.2 answered .* on UDP 500, and does not answer .* on UDP 4500: most likely that port is blocked/,
        remedy:
          version === 2
            ? /^permit UDP 4500 in both directions in every firewall between the gateways$/
            : /^permit UDP 4500 in both directions .*; if it passes, compare the pre-shared keys/,
      },
    },
  })),
  {
    what: 'UDP 4500 dropped on the way, aggressive mode',
    plan: { ...V1, conn: 'aggressive = yes' },
    given: (lab) => impair(lab.net.gwb, 'udp dport 4500 drop'),
    after: (lab) => mend(lab.net.gwb),
    says: {
      initiator: {
        ...{ code: 'unanswered-4500', state, where: 'encap = yes' },
        text: /^192\.0\.2\.2 answered message 1 of aggressive mode on UDP 500, and does not answer .* on UDP 4500/,
        remedy: /^permit UDP 4500 in both directions in every firewall between the gateways/,
      },
    },
  },
  {
    what: 'an address that nobody has',
    plan: { ...V2, differs: { a: { remote: '192.0.2.77', conn: 'retransmit {\n base = 5s\n }' } } },
    provoke: (lab) => ours(lab).cli('up', 'gw', '--no-wait'),
    says: {
      initiator: {
        ...{ code: 'unreachable', state: 'connecting', where: 'remote_addrs =' },
        text: /^a router, or our own kernel, says that 192\.0\.2\.77 cannot be reached \(for \d+ s\)$/,
        remedy: /^check that 192\.0\.2\.77 is the peer's address \(ours is in \S+:\d+\), that it is switched on/,
      },
    },
  },
  {
    what: 'no route to the peer',
    plan: { ...V2, differs: { a: { local: '%any', remote: '198.51.100.1' } } },
    says: {
      initiator: {
        ...{ code: 'no-route', state, where: 'remote_addrs =' },
        text: /^this host has no route to 198\.51\.100\.1$/,
        remedy:
          /^add a route \(ip route get 198\.51\.100\.1\), or check that 198\.51\.100\.1 is the peer's address \(ours is in \S+:\d+\)$/,
      },
    },
  },
  {
    what: 'an address that is not ours',
    plan: { ...V2, differs: { a: { local: '192.0.2.78' } } },
    says: {
      initiator: {
        ...{ code: 'not-our-address', state, where: 'local_addrs =' },
        text: /^192\.0\.2\.78 is not an address of this host$/,
        remedy: /^set `local_addrs` in \S+:\d+ to one of ours/,
      },
    },
  },
  ...(
    [
      ['a firewall of our own', 'drop'],
      ['a firewall of our own that rejects, in the name of the peer', 'reject'],
    ] as const
  ).map(
    ([what, verdict]): Cause => ({
      what,
      plan: V2,
      given: (lab) =>
        lab.net.gwa.nft(`
          table inet impaired {
            chain leaving {
              type filter hook output priority 0;
              udp dport { 500, 4500 } ${verdict}
            }
          }`),
      after: (lab) => mend(lab.net.gwa),
      says: {
        initiator: {
          ...{ code: 'not-sent', state, where: 'remote_addrs =' },
          text: /^a firewall of this host forbids what we send from 192\.0\.2\.1 to 192\.0\.2\.2 on UDP 500 /,
          remedy: /^permit UDP 500 and 4500 on the way out/,
        },
      },
    }),
  ),
  ...inBoth((_, plan) => ({
    what: 'a peer with another address than the one that is configured',
    plan: { ...plan, differs: { a: { remote: '192.0.2.79' } } },
    says: {
      responder: {
        ...{ code: 'no-connection', state: 'down', where: 'remote_addrs =' },
        text: /^somebody called for whom no connection is configured: 192\.0\.2\.2 \d+ s ago/,
        remedy:
          /^if that is the peer, set `remote_addrs` to its address \(ours is in \S+:\d+\); else pay no attention$/,
      },
    },
  })),
];

/** What takes half a minute each, since that is how long a peer has to go on: all of it at once. */
const HALF_OPEN: readonly Cause[] = [
  ...inBoth((_, plan) => ({
    what: 'UDP 4500 dropped on the way',
    plan,
    given: (lab) => impair(lab.net.gwa, 'udp dport 4500 drop'),
    says: {
      responder: {
        ...{ code: 'unanswered-4500', state, where: 'remote_addrs =' },
        text: /did not come on UDP 4500: either that port is blocked on the way to us, or the peer did not go on$/,
        remedy:
          /^permit UDP 4500 in both directions in every firewall between the gateways; if it passes, the peer's log/,
      },
    },
  })),
  ...inBoth((_, plan) => ({
    what: 'our answers dropped on the way',
    plan,
    given: (lab) => impair(lab.net.gwb, 'udp sport 500 ip saddr 192.0.2.1 drop'),
    says: {
      responder: {
        ...{ code: 'half-open', state, where: 'remote_addrs =' },
        text: /^192\.0\.2\.2 asks again and again, and does not hear our answer to /,
        remedy: /^permit UDP 500 from here to 192\.0\.2\.2 in every firewall between the gateways$/,
      },
    },
  })),
  {
    what: 'a peer without a secret for us, IKEv2',
    plan: V2,
    given: (lab) => rewritten(lab, theirs(lab), elsewhere),
    says: {
      responder: {
        ...{ code: 'unanswered-4500', state, where: 'remote_addrs =' },
        text: /IKE_AUTH did not come on UDP 4500: either that port is blocked on the way to us, or the peer did not go on$/,
        remedy: /the peer's log says why it stopped \(a missing pre-shared key, for one\)$/,
      },
    },
  },
];

test('nothing comes back', { skip }, (t) => table(t, SILENCE));

test('the peer begins, and does not go on', { skip, concurrency: true }, async (t) => {
  const tried = HALF_OPEN.map((cause) =>
    t.test(`${cause.what}, Espalier is the responder`, async () => {
      const lab = await Lab.start(planOf(cause));
      try {
        if (cause.says.responder) await judge(lab, cause, 'responder', cause.says.responder);
      } finally {
        await lab.dispose();
      }
    }),
  );
  await Promise.all(tried);
});

async function up(lab: Lab, role: Role): Promise<void> {
  await begin(lab, role);
  await lab.agreed();
}

/** Something happens to a tunnel that stands. */
function then(what: (lab: Lab) => Promise<unknown>) {
  return async (lab: Lab, role: Role) => {
    await up(lab, role);
    await what(lab);
  };
}

const deleted = {
  ...{ code: 'peer-deleted', state: 'down', where: 'net {' },
  text: /^closed by the peer$/,
  remedy:
    /^it was taken down at 192\.0\.2\.2, where the log says why; to begin it anew by itself, set `close_action = start`/,
};

const ENDS: readonly Cause[] = [
  ...inBoth((_, plan) => ({
    what: 'taken down by hand at the peer',
    plan,
    provoke: then((lab) => theirs(lab).swanctl('--terminate', '--ike', 'gw')),
    says: { initiator: deleted, responder: deleted },
  })),
  {
    what: 'the peer stopped in good order',
    plan: V2,
    provoke: then((lab) => theirs(lab).stop()),
    says: { initiator: deleted },
  },
  ...inBoth((_, plan) => {
    const dead = {
      ...{ code: 'peer-dead', state: 'down', where: 'dpd_delay = 1s' },
      text: /^no answer from 192\.0\.2\.2 on UDP 4500 \(for \d+ s/,
      remedy: /^check the path to 192\.0\.2\.2 and whether the peer still runs; `dpd_action = restart` begins/,
    };
    return {
      what: 'a peer that is cut off',
      plan: { ...plan, differs: { a: { conn: 'dpd_delay = 1s' } } },
      provoke: then((lab) => impair(lab.net.gwb, 'ip saddr 192.0.2.1 drop')),
      after: (lab) => mend(lab.net.gwb),
      says: { initiator: dead, responder: dead },
    };
  }),
  {
    what: 'a peer whose daemon was killed',
    plan: { ...V2, differs: { a: { conn: 'dpd_delay = 1s' } } },
    provoke: then((lab) => theirs(lab).kill()),
    says: {
      initiator: {
        ...{ code: 'peer-dead', state: 'down', where: 'dpd_delay = 1s' },
        text: /^no answer from 192\.0\.2\.2 on UDP 4500: UDP 4500 of 192\.0\.2\.2 is told to be unreachable: nothing listens/,
        remedy: /^start the IKE daemon there/,
      },
    },
  },
];

/** Some packets from one host to the other, whether an answer comes or not. */
function pings(lab: Lab, from: Role, count = 7): Promise<boolean> {
  const [host, to] = from === 'initiator' ? [lab.net.hosta, B.host] : [lab.net.hostb, A.host];
  return host.ping(to, { count, patience: 1 });
}

const blocked = {
  ...{ code: 'esp-blocked', state: 'connected', where: 'net {' },
  text: /^packets leave \(\d+ so far\), and not one has ever come back through this SA: either ESP is blocked on the way, or/,
  remedy: /^permit UDP port 4500 in both directions .*; then check that hosts in 10\.2\.0\.0\/24 are up and let us in/,
};

const TRAFFIC: readonly Cause[] = [
  {
    what: 'ESP in UDP dropped on the way, where IKE passes',
    plan: V2,
    given: (lab) => impair(lab.net.gwb, 'udp dport 4500 @th,64,32 != 0 drop'),
    provoke: then((lab) => pings(lab, 'initiator')),
    after: (lab) => mend(lab.net.gwb),
    says: { initiator: blocked, responder: blocked },
  },
  {
    what: 'a host behind the peer that does not answer',
    plan: V2,
    given: (lab) => impair(lab.net.hostb, 'icmp type echo-request drop'),
    provoke: then((lab) => pings(lab, 'initiator')),
    after: (lab) => mend(lab.net.hostb),
    says: { initiator: blocked, responder: blocked },
  },
  {
    what: 'a host behind us that does not answer',
    plan: V2,
    given: (lab) => impair(lab.net.hosta, 'icmp type echo-request drop'),
    provoke: then((lab) => pings(lab, 'responder')),
    after: (lab) => mend(lab.net.hosta),
    says: {
      responder: {
        ...{ code: 'no-traffic-out', state: 'connected', where: 'net {' },
        text: /^packets come from the peer \(\d+ so far\), and not one goes back: nothing here answers them$/,
        remedy:
          /^check that hosts in 10\.1\.0\.0\/24 are up and let 10\.2\.0\.0\/24 in, .* and that it forwards \(sysctl/,
      },
    },
  },
  {
    what: 'a host behind the peer that answers no more',
    plan: V2,
    provoke: then(async (lab) => {
      await pings(lab, 'initiator');
      await impair(lab.net.hostb, 'icmp type echo-request drop');
      await until(
        'a silence that is long enough',
        async () => {
          await pings(lab, 'initiator', 5);
          return /no-traffic-back/.test((await ours(lab).cli('why', 'gw')).stdout) || undefined;
        },
        30_000,
      );
    }),
    after: (lab) => mend(lab.net.hostb),
    says: {
      initiator: {
        ...{ code: 'no-traffic-back', state: 'connected', where: 'net {' },
        text: /^packets leave \(\d+ so far\), and none have come back for \d+ s$/,
        remedy: /^check that hosts in 10\.2\.0\.0\/24 are up, let us in, and send their answers to the peer's gateway$/,
      },
    },
  },
];

test('a tunnel that ends', { skip }, (t) => table(t, ENDS));
test('a tunnel that stands and carries nothing', { skip }, (t) => table(t, TRAFFIC));

/** Two of our own, which put ESP in UDP only where a NAT is, and know a management status. */
const BOTH_OURS = { ...V2, b: 'espalier' } as const;

const down = {
  ...{ code: 'admin-down', state: 'down', where: null },
  text: /^its management status is DOWN$/,
  remedy: /^run: espalier admin up gw$/,
};

const ESPALIER: readonly Cause[] = [
  {
    what: 'a peer that falls silent behind IKE_SA_INIT, on the same port',
    plan: BOTH_OURS,
    // IKE_AUTH by the exchange type in its header.
    given: (lab) => impair(lab.net.gwb, 'udp dport 500 @th,208,8 == 35 drop'),
    after: (lab) => mend(lab.net.gwb),
    says: {
      initiator: {
        ...{ code: 'stopped-answering', state, where: 'gw {' },
        text: /^192\.0\.2\.2 on UDP 500 answered IKE_SA_INIT, and does not answer IKE_AUTH /,
        remedy: /^the peer's log should say what it dislikes; .*: lower `fragment_size` \(ours is in \S+:\d+\)$/,
      },
    },
  },
  {
    what: 'IP protocol 50 dropped on the way',
    plan: BOTH_OURS,
    given: (lab) => impair(lab.net.gwb, 'ip protocol esp drop'),
    provoke: then((lab) => pings(lab, 'initiator')),
    after: (lab) => mend(lab.net.gwb),
    says: {
      initiator: { ...blocked, remedy: /^permit IP protocol 50 \(ESP\) in both directions .*, or set `encap = yes`/ },
      responder: { ...blocked, remedy: /^permit IP protocol 50 \(ESP\) in both directions .*, or set `encap = yes`/ },
    },
  },
  {
    what: 'the peer set to DOWN under a tunnel',
    plan: BOTH_OURS,
    provoke: then((lab) => manage(lab.b, 'down')),
    after: (lab) => manage(lab.b, 'up'),
    says: { initiator: deleted },
  },
  {
    what: 'the peer set to DOWN before',
    plan: BOTH_OURS,
    given: (lab) => manage(lab.b, 'down'),
    after: (lab) => manage(lab.b, 'up'),
    says: {
      initiator: {
        ...{ code: 'no-proposal', state, where: 'proposals =' },
        text: /^the peer accepts none of our IKE proposals$/,
        remedy: /a peer that knows no connection for our address, .* may answer so, too$/,
      },
    },
  },
  {
    what: 'set to DOWN here',
    plan: BOTH_OURS,
    given: (lab) => manage(lab.a, 'down'),
    after: (lab) => manage(lab.a, 'up'),
    says: { initiator: down, responder: down },
  },
];

function manage(gateway: Gateway, status: 'up' | 'down'): Promise<unknown> {
  if (!(gateway instanceof Espalier)) throw new Error('not an Espalier');
  return gateway.cli('admin', status, 'gw');
}

test('a peer of our own', { skip }, (t) => table(t, ESPALIER));
