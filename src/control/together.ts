/**
 * Lets what is asked for in one turn of the event loop be done as one: each commit costs a sync, each statement a way
 * to the database and back.
 *
 * @param work does all, and answers in their order
 */
export function together<T, R>(work: (items: T[]) => Promise<R[]>): (item: T) => Promise<R | undefined> {
  let next: { items: T[]; done: Promise<R[]> } | null = null;

  function atEndOfTurn() {
    const items: T[] = [];
    const done = new Promise(setImmediate).then(() => {
      next = null;
      return work(items);
    });
    return { items, done };
  }

  return async (item) => {
    next ??= atEndOfTurn();
    const { items, done } = next;
    const at = items.push(item) - 1;
    return (await done)[at];
  };
}
