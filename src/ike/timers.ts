// The next deadline among many: a binary heap with one live entry a key. An entry that was replaced stays behind until
// it comes to the top, which keeps `set` cheap.

interface Entry {
  readonly at: number;
  readonly key: number;
}

export class Timers {
  readonly #heap: Entry[] = [];
  readonly #live = new Map<number, number>();

  set(key: number, at: number | undefined): void {
    if (at === undefined) {
      this.#live.delete(key);
    } else if (this.#live.get(key) !== at) {
      this.#live.set(key, at);
      this.#push({ at, key });
      if (this.#heap.length > 64 + 4 * this.#live.size) this.#rebuild();
    }
  }

  get size(): number {
    return this.#live.size;
  }

  next(): number | undefined {
    return this.#top()?.at;
  }

  /** Takes out one key whose time has come. */
  due(now: number): number | undefined {
    const top = this.#top();
    if (!top || top.at > now) return undefined;
    this.#pop();
    this.#live.delete(top.key);
    return top.key;
  }

  #top(): Entry | undefined {
    let top = this.#heap[0];
    while (top && this.#live.get(top.key) !== top.at) {
      this.#pop();
      top = this.#heap[0];
    }
    return top;
  }

  #rebuild(): void {
    this.#heap.length = 0;
    for (const [key, at] of this.#live) this.#push({ at, key });
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if ((heap[parent] as Entry).at <= entry.at) break;
      heap[i] = heap[parent] as Entry;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Entry).at < (heap[child] as Entry).at) child++;
      if ((heap[child] as Entry).at >= last.at) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
}
