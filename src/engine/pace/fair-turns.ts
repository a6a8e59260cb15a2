/** Who sends the next call of a lane. */
export interface FairTurns<E extends Entrant> {
  readonly entrants: readonly E[];
  enter(entrant: E): void;
  leave(entrant: E): void;
  /** The one whose turn it is among those that have a line to send at `now`, or null. */
  next(now: number): E | null;
  /** A line of the one that `next` told last goes out. @param limit calls that may be in flight */
  served(limit: number): void;
}

/** One route of one batch. */
export interface Entrant {
  /** Whose batch it is. */
  readonly project: string;
  /** Its share against other batches of the same project. */
  readonly weight: number;
  /** Earlier ones go first where nothing else decides. Unix seconds; Infinity: none. */
  readonly deadline: number;
  /** Bytes of the line that it would send at `now`; -1: it has none. */
  bytes(now: number): number;
}

/** What a batch, or a project, has had. */
interface Account {
  /** What was sent, divided by the weight. */
  passed: number;
  sent: number;
}

interface Seat<E> {
  entrant: E;
  account: Account;
  project: Account;
}

/** A batch that begins gets ahead: so many calls for each that may be in flight count only a part. */
const beginning = { calls: 5, part: 0.25 };

/**
 * Shares a lane evenly between projects, and within a project between batches by their weights: whoever has had the
 * least goes next. A newcomer starts level with the others, and its first calls count a quarter: a small batch is not
 * held up by a huge one, and the huge one still gets a fifth.
 */
export function createFairTurns<E extends Entrant>(): FairTurns<E> {
  const entrants: E[] = [];
  const seats: Seat<E>[] = [];
  /** Kept when a project has nothing left, or each of its batches would begin with a credit. */
  const projects = new Map<string, Account>();
  let chosen: Seat<E> | null = null;

  /** A project that has had nothing for a while has saved up nothing. */
  function projectOf(name: string): Account {
    const known = projects.get(name);
    const project = known ?? { passed: 0, sent: 0 };
    if (known === undefined) projects.set(name, project);
    if (!seats.some((seat) => seat.project === project)) {
      project.passed = Math.max(project.passed, least(seats.map((seat) => seat.project)));
    }
    return project;
  }

  return {
    entrants,
    enter(entrant) {
      const project = projectOf(entrant.project);
      const mates = seats.filter((seat) => seat.project === project);
      seats.push({
        entrant,
        project,
        account: { passed: least(mates.map(({ account }) => account)), sent: 0 },
      });
      entrants.push(entrant);
    },
    leave(entrant) {
      const at = entrants.indexOf(entrant);
      if (at < 0) return;
      entrants.splice(at, 1);
      seats.splice(at, 1);
      chosen = null;
    },
    next(now) {
      chosen = null;
      for (const seat of seats) {
        if (chosen !== null && !isBefore(seat, chosen)) continue;
        if (seat.entrant.bytes(now) >= 0) chosen = seat;
      }
      return chosen === null ? null : chosen.entrant;
    },
    served(limit) {
      if (chosen === null) return;
      const { account, project, entrant } = chosen;
      const cost = account.sent < beginning.calls * limit ? beginning.part : 1;
      account.sent += 1;
      account.passed += cost / entrant.weight;
      project.passed += cost;
    },
  };
}

function isBefore(one: Seat<Entrant>, other: Seat<Entrant>): boolean {
  if (one.project !== other.project && one.project.passed !== other.project.passed) {
    return one.project.passed < other.project.passed;
  }
  if (one.account.passed !== other.account.passed) return one.account.passed < other.account.passed;
  return one.entrant.deadline < other.entrant.deadline;
}

function least(accounts: readonly Account[]): number {
  let passed = Number.POSITIVE_INFINITY;
  for (const account of accounts) passed = Math.min(passed, account.passed);
  return passed === Number.POSITIVE_INFINITY ? 0 : passed;
}
