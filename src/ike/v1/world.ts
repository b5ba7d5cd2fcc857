// What an SA of IKEv1 sees of its endpoint.

import type { World as Worlds } from '../world.ts';
import type { Session } from './session.ts';
import type { SessionState } from './state.ts';

export interface World extends Worlds<Session, SessionState> {
  /** Every SA of IKEv1. */
  all(): readonly Session[];
}
