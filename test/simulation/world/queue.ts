/** Something that will happen at a moment of virtual time. */
export interface Task {
  /** In milliseconds since the world began. */
  at: number;
  /** Decides between tasks of one moment: the earlier made goes first. */
  nr: number;
  run: () => void;
  cancelled: boolean;
}

/** A heap of tasks, the next one on top. */
export interface TaskQueue {
  push(task: Task): void;
  pop(): Task | undefined;
}

export function createTaskQueue(): TaskQueue {
  const heap: Task[] = [];

  function isBefore(a: Task, b: Task): boolean {
    return a.at < b.at || (a.at === b.at && a.nr < b.nr);
  }

  return {
    push(task) {
      let at = heap.length;
      heap.push(task);
      while (at > 0) {
        const above = (at - 1) >> 1;
        const parent = heap[above] as Task;
        if (!isBefore(task, parent)) break;
        heap[at] = parent;
        at = above;
      }
      heap[at] = task;
    },
    pop() {
      const top = heap[0];
      const last = heap.pop();
      if (top === undefined || last === undefined || heap.length === 0) return top;
      let at = 0;
      for (;;) {
        let below = 2 * at + 1;
        if (below >= heap.length) break;
        if (below + 1 < heap.length && isBefore(heap[below + 1] as Task, heap[below] as Task)) below += 1;
        const child = heap[below] as Task;
        if (!isBefore(child, last)) break;
        heap[at] = child;
        at = below;
      }
      heap[at] = last;
      return top;
    },
  };
}
