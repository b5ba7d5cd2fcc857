// The IKEv2 SAs among those of an endpoint, with all that they keep.

import assert from 'node:assert/strict';
import type { Endpoint } from '../../src/ike/endpoint.ts';
import type { IkeSa } from '../../src/ike/sa.ts';
import { Session } from '../../src/ike/v2/session.ts';

export function v2(sa: IkeSa | undefined): Session {
  assert.ok(sa instanceof Session, 'no SA of IKEv2');
  return sa;
}

export function sessions2(endpoint: Endpoint): Session[] {
  return endpoint.sessions().map(v2);
}
