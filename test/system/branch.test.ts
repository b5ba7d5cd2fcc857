// A branch whose head office has all of 10.0.0.0/8, the branch's own network included: what is its own stays there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inLab } from '../interop/scenario.ts';
import { INTEROP, lacking } from '../support/needs.ts';
import { A, B } from '../support/sites.ts';

const WIDE = '10.0.0.0/8';

test(
  'a network of ours inside the peer’s is reached as before, and the rest through the tunnel',
  {
    skip: lacking(...INTEROP),
  },
  () =>
    inLab(
      {
        ...{ a: 'espalier', b: 'espalier', ike: 'aes128gcm16-prfsha256-x25519', esp: 'aes128gcm16' },
        differs: { a: { localTs: A.net, remoteTs: WIDE }, b: { localTs: WIDE, remoteTs: A.net } },
      },
      async (lab) => {
        const { topology, hosta, gwa, hostb } = lab.net;
        // A second host of the branch, in a part of its network that the gateway routes to.
        const shed = await topology.space('shed');
        await topology.wire(gwa, ['10.1.0.129/30'], shed, ['10.1.0.130/30']);
        await shed.route('default', '10.1.0.129');
        await hosta.route('10.1.0.128/30', '10.1.0.1');
        await lab.up('a');
        await lab.pings();
        assert.ok(await gwa.ping(A.host), 'the gateway reaches its own network');
        assert.ok(await shed.ping(A.host), 'what is forwarded within the branch is not taken for a forgery');
        assert.ok(await shed.ping(B.host), 'and has the tunnel, too');
        assert.ok(await hostb.ping('10.1.0.130'), 'from the other side as well');
      },
    ),
);
