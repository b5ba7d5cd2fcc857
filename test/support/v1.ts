// The IKEv1 SAs among those of an endpoint, with all that they keep.

import assert from 'node:assert/strict';
import type { Endpoint } from '../../src/ike/endpoint.ts';
import type { IkeSa } from '../../src/ike/sa.ts';
import { Session } from '../../src/ike/v1/session.ts';

export function v1(sa: IkeSa | undefined): Session {
  assert.ok(sa instanceof Session, 'no SA of IKEv1');
  return sa;
}

export function sessions1(endpoint: Endpoint): Session[] {
  return endpoint.sessions().map(v1);
}
