// Explains refusals. Stands here as types first; the functions that fill them are `explainProposals` and friends.

import type { TransformKind } from './transforms.ts';

/** Why one (ours, theirs) pairing of proposals failed: enough to tell the operator what to change. */
export interface Miss {
  /** Index of our offer and number of theirs. */
  readonly ours: number;
  readonly theirs: number;
  readonly kind: TransformKind;
  readonly want: readonly string[];
  readonly got: readonly string[];
}
