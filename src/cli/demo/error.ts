// What stands in the demonstration's way, in words that are all the reader needs.

export class DemoError extends Error {
  override readonly name = 'DemoError';
}
