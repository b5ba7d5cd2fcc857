// Algorithms that are for old peers only, and how long they may be used (SECURITY C5).

import { ENCR } from '../../crypto/ids.ts';
import type { Child, Connection, Offer, Place } from '../../ike/connection.ts';
import { transformName, weakOf } from '../../ike/transforms.ts';
import { TRANSFORM } from '../../ike/wire/constants.ts';
import { advice, type Finding, placeOf } from './finding.ts';

const GIB = 2 ** 30;
/** The data plane renews the keys of a cipher with blocks of 64 bits here (Sweet32), whatever is configured. */
const SMALL_BLOCK_SOFT = GIB;
const SMALL_BLOCKS: readonly number[] = [ENCR.DES, ENCR.DES3];

export function lintAlgorithms(connections: readonly Connection[]): Finding[] {
  return connections.flatMap((connection) => [
    ...weak(`connection ${connection.name}`, connection.offers, placeOf(connection, 'proposals')),
    ...connection.children.flatMap((child) => [
      ...weak(`child ${child.name}`, child.offers, placeOf(child, `${child.protocol}_proposals`)),
      ...volume(child),
    ]),
  ]);
}

function weak(what: string, offers: readonly Offer[], place: Place): Finding[] {
  const names = weakOf(offers.flatMap(({ transforms }) => transforms)).map(transformName);
  if (names.length === 0) return [];
  const text = `${what} offers weak algorithms: ${[...new Set(names)].join(', ')}`;
  const remedy = 'leave them out as soon as the peer takes others: aes256-sha256-modp2048 is the least to ask for';
  return [{ place, severity: 'warning', code: 'weak-algorithm', text, remedy }];
}

function volume(child: Child): Finding[] {
  const { rekeyBytes, lifeBytes } = child.lifetime;
  const small = child.offers.some(({ transforms }) =>
    transforms.some(({ type, id }) => type === TRANSFORM.ENCR && SMALL_BLOCKS.includes(id)),
  );
  const largest = Math.max(rekeyBytes, lifeBytes);
  if (!small || largest <= SMALL_BLOCK_SOFT) return [];
  const much = largest >= GIB ? `${Math.floor(largest / GIB)} GiB` : `${largest} bytes`;
  return [
    {
      place: placeOf(child, 'rekey_bytes', 'life_bytes'),
      severity: 'warning',
      code: 'small-block-volume',
      text: `child ${child.name} allows ${much} under one key, and offers a cipher with blocks of 64 bits: that leaks what it hides, so the key is renewed at 1 GiB all the same`,
      remedy: advice(
        child,
        'set rekey_bytes = 1g and leave life_bytes out, or offer AES alone',
        'set lifebytes=1073741824 and marginbytes=107374182, or offer AES alone',
      ),
    },
  ];
}
