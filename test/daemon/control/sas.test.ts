import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, unhex } from '../../../src/bytes/bytes.ts';
import { sessionSection } from '../../../src/daemon/control/sas.ts';
import { sections, subsection } from '../../../src/daemon/control/section.ts';
import { encodePacket, type Section, type Value } from '../../../src/daemon/control/vici.ts';
import type { ChildStatus, SessionStatus } from '../../../src/daemon/status.ts';
import { transformsOf } from '../../../src/ike/select.ts';
import { NET, SESSION } from './fake.ts';

// A `list-sa` event of charon 5.9.8 (Debian 12, kernel-libipsec) between two gateways in namespaces; IKE with
// aes256gcm16-prfsha384-ecp384, ESP with chacha20poly1305, the moment it was established.
const CHARON = unhex(
  '07076c6973742d7361010267770308756e697175656964000131030776657273696f6e00013203057374617465000b45535441424c4953484544' +
    '030a6c6f63616c2d686f7374000931302e37312e302e31030a6c6f63616c2d706f727400043435303003086c6f63616c2d6964000b6777312e' +
    '70662e74657374030b72656d6f74652d686f7374000931302e37312e302e32030b72656d6f74652d706f7274000434353030030972656d6f74' +
    '652d6964000b6777322e70662e746573740309696e69746961746f720003796573030d696e69746961746f722d737069001066333063663937' +
    '646666643132363332030d726573706f6e6465722d737069001063333430356264313966616533326233030a6e61742d72656d6f7465000379' +
    '657303076e61742d616e7900037965730308656e63722d616c67000a4145535f47434d5f3136030c656e63722d6b657973697a650003323536' +
    '03077072662d616c6700115052465f484d41435f534841325f333834030864682d67726f757000074543505f333834030b65737461626c6973' +
    '686564000130030a72656b65792d74696d650005313430353501096368696c642d73617301056e65742d3103046e616d6500036e6574030875' +
    '6e697175656964000131030572657169640001310305737461746500' +
    '09494e5354414c4c454403046d6f6465000654554e4e454c030870726f746f636f6c00034553500305656e636170000379657303067370692d' +
    '696e0008383066303736333003077370692d6f7574000831393331343634360308656e63722d616c67001143484143484132305f504f4c5931' +
    '333035030862797465732d696e000130030a7061636b6574732d696e000130030962797465732d6f7574000130030b7061636b6574732d6f75' +
    '74000130030a72656b65792d74696d650005313332353603096c6966652d74696d6500053135383430030c696e7374616c6c2d74696d650001' +
    '3004086c6f63616c2d747305000c31302e37312e312e302f323406040972656d6f74652d747305000c31302e37312e322e302f323406020202',
);

test("a session encodes to the very bytes of charon's event for the same facts", () => {
  const child: ChildStatus = {
    ...NET,
    spiIn: 0x80f07630,
    spiOut: 0x19314646,
    transforms: [{ type: 1, id: 28 }],
    bytesIn: 0,
    packetsIn: 0,
    bytesOut: 0,
    packetsOut: 0,
    useIn: undefined,
    useOut: undefined,
    rekeyIn: 13_256,
    lifeIn: 15_840,
    installedSince: 0,
  };
  const session: SessionStatus = {
    ...SESSION,
    spiI: 'f30cf97dffd12632',
    spiR: 'c3405bd19fae32b3',
    transforms: [
      { type: 1, id: 20, keyBits: 256 },
      { type: 2, id: 6 },
      { type: 4, id: 20 },
    ],
    establishedSince: 0.2,
    rekeyIn: 14_055,
    children: [child],
  };
  const event = encodePacket({ type: 'event', name: 'list-sa', message: sessionSection(session, [child]) });
  assert.equal(hex(event.subarray(4)), hex(CHARON));
});

function keys(section: Section | undefined): string[] {
  return [...(section ?? new Map<string, Value>()).keys()];
}

test('a half-open session shows its tasks and nothing that is not negotiated', () => {
  // The keys of charon 5.9.8 while its peer was silent.
  const session: SessionStatus = {
    ...SESSION,
    state: 'CONNECTING',
    localId: '%any',
    remoteId: '%any',
    spiR: '0000000000000000',
    natRemote: false,
    transforms: [],
    establishedSince: undefined,
    rekeyIn: undefined,
    tasksActive: ['IKE_INIT', 'IKE_AUTH'],
    children: [],
  };
  const shown = subsection(sessionSection(session, []), 'gw');
  assert.deepEqual(keys(shown), [
    'uniqueid',
    'version',
    'state',
    'local-host',
    'local-port',
    'local-id',
    'remote-host',
    'remote-port',
    'remote-id',
    'initiator',
    'initiator-spi',
    'responder-spi',
    'tasks-active',
    'child-sas',
  ]);
  assert.deepEqual(shown?.get('tasks-active'), ['IKE_INIT', 'IKE_AUTH']);
});

test('ages of a session are shown while it is established only, as charon does', () => {
  const shown = subsection(sessionSection({ ...SESSION, state: 'REKEYING', initiator: false }, []), 'gw');
  for (const key of ['established', 'rekey-time', 'initiator']) assert.equal(shown?.has(key), false, key);
});

test('PFS and ESN are shown, a group or integrity of "none" is not, and a child in the making has no SPIs', () => {
  const full: ChildStatus = {
    ...NET,
    esn: true,
    transforms: [
      { type: 1, id: 20, keyBits: 128 },
      { type: 3, id: 0 },
      { type: 4, id: 31 },
    ],
  };
  const bare: ChildStatus = { ...NET, id: 2, state: 'CREATED', udp: false };
  const shown = subsection(sessionSection(SESSION, [full, bare]), 'gw');
  const [first, second] = sections(shown ?? new Map(), 'child-sas');
  assert.deepEqual(first?.[0], 'net-1');
  assert.equal(first?.[1].get('dh-group'), 'CURVE_25519');
  assert.equal(first?.[1].get('esn'), '1');
  assert.equal(first?.[1].has('integ-alg'), false);
  assert.equal(second?.[0], 'net-2');
  assert.deepEqual(keys(second?.[1]), ['name', 'uniqueid', 'reqid', 'state', 'mode', 'local-ts', 'remote-ts']);
});

test('a child of AH in transport mode shows its integrity and no encryption', () => {
  const suite = { encr: 0, keyBits: undefined, integ: 12, prf: 0, ke: 0, esn: true };
  const child: ChildStatus = {
    ...NET,
    mode: 'transport',
    protocol: 'ah',
    udp: false,
    esn: true,
    transforms: transformsOf(suite),
  };
  const shown = subsection(sessionSection(SESSION, [child]), 'gw');
  const [[, fields] = []] = sections(shown ?? new Map(), 'child-sas');
  assert.deepEqual(
    ['mode', 'protocol', 'encap', 'encr-alg', 'encr-keysize', 'integ-alg', 'esn'].map((key) => fields?.get(key)),
    ['TRANSPORT', 'AH', undefined, undefined, undefined, 'HMAC_SHA2_256_128', '1'],
  );
});
