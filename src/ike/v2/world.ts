// What a session sees of its endpoint.

import type { World as Worlds } from '../world.ts';
import type { Session } from './session.ts';
import type { SessionState } from './state.ts';

export type World = Worlds<Session, SessionState>;
