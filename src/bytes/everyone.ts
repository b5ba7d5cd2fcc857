// To take back several things: whatever becomes of one, the others have their turn.

/** What one of them fails at keeps none of the others back. The first failure is told. */
export function everyOne(acts: readonly (() => void)[]): void {
  const errors: unknown[] = [];
  for (const act of acts) {
    try {
      act();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
