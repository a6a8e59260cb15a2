import type { Send } from "../program/upstream.ts";
import type { Scene } from "../run-seed.ts";
import { beginning, type Life } from "../world/world.ts";
import { isRejected } from "./results.ts";

/** Calls of a batch by line, in the order in which they were made. */
export function sendsByLine({ upstream }: Scene, batchId: string): Map<number, Send[]> {
  const lines = new Map<number, Send[]>();
  for (const send of upstream.sends) {
    if (send.batchId !== batchId) continue;
    const known = lines.get(send.line);
    if (known === undefined) lines.set(send.line, [send]);
    else known.push(send);
  }
  return lines;
}

/** A life that lasts so long has taken up what the one before it had left. */
const takeUpMs = 10_000;

/**
 * Whether an answer was out of danger when the life that got it ended: a kill may take those of the turn in which
 * it strikes, a power cut those of one sync interval and of the syncs under way.
 */
export function isSettled({ world }: Scene, { answeredAt, life }: Send): boolean {
  if (answeredAt === null) return false;
  const { weather, deaths } = world;
  const end = life?.doubtedAt ?? life?.diedAt ?? Number.POSITIVE_INFINITY;
  if (weather.diskFull.some(({ from, until }) => from <= end && until + 1_000 >= answeredAt)) return false;
  if (answeredAt + 5 + 60 * weather.slowestDisk < end) return true;
  if (answeredAt >= end || life?.doubtedAt !== null) return false;
  // Killed before the sync: what it wrote is there until the power fails, or somebody has synced it. Once a sync has
  // failed nobody can any more, and nobody can tell.
  for (const death of deaths.slice(deaths.findIndex((one) => one.life === life))) {
    if (tookUp(death.life, end) && weather.storeDown.length + weather.pauses.length === 0) return true;
    if (death.kind === "power" || death.life.syncFailed) return false;
  }
  return true;
}

/** Whether a life has had the time to take up what was left at `leftAt`, and was the one to do it. */
function tookUp({ startedAt, doubtedAt, diedAt }: Life, leftAt: number): boolean {
  return startedAt >= leftAt && (doubtedAt ?? diedAt ?? 0) - startedAt > takeUpMs;
}

/** No line is sent again without a reason, none more often than was promised. */
export function checkSends(scene: Scene): void {
  for (const { id } of scene.ledger.batches.values()) {
    for (const [line, sends] of sendsByLine(scene, id)) {
      checkRepeats(scene, sends, (what) => scene.world.violation(`${id} line ${line}: ${what}`));
    }
  }
  checkAttempts(scene);
  checkLateSends(scene);
}

/** How long it may take until somebody notices that a batch was cancelled or its window is over. */
const noticeMs = 2_500;

/** Nothing new is sent for a batch that was cancelled or whose window is over. */
function checkLateSends({ world, upstream, ledger }: Scene): void {
  const { storeDown, pauses, takeovers, jumps, lostAnswers, diskFull } = world.weather;
  const troubles = [storeDown, pauses, takeovers, jumps, diskFull].reduce(
    (sum, { length }) => sum + length,
    0,
  );
  // Where nobody can look, or nobody can note it, it is noticed later.
  if (troubles > 0 || lostAnswers > 0) return;
  for (const { batchId, at, nr } of upstream.sends) {
    const { cancelledAt = null, seen = null } = ledger.batches.get(batchId) ?? {};
    if (cancelledAt !== null && at > cancelledAt + noticeMs) world.violation(`${nr} was sent after a cancel`);
    const end = seen?.expires_at === null || seen === null ? null : seen.expires_at * 1_000 - beginning;
    if (end !== null && at > end + noticeMs) world.violation(`${nr} was sent after the window of ${batchId}`);
  }
}

function checkRepeats(scene: Scene, sends: Send[], complain: (what: string) => void): void {
  let definite = 0;
  for (const [i, send] of sends.entries()) {
    for (const before of sends.slice(0, i)) {
      const open = before.answeredAt === null || before.answeredAt > send.at;
      if (isDoubtful(send)) continue;
      const isSame = before.life === send.life;
      if (open && isSame) complain(`${before.nr} was in flight when ${send.nr} was sent`);
      if (open) continue;
      const isFinal = before.answer?.ok === true || isRejected(before);
      if (isFinal && (isSame || isSettled(scene, before))) {
        complain(`${before.nr} had its answer, and ${send.nr} was sent`);
      }
    }
    const tries = Number(send.key.split(":")[2]);
    if (tries > definite) complain(`${send.nr} says that it had ${tries} answers, and had ${definite}`);
    if (send.answer !== null && (send.answer.ok || send.answer.status !== null)) definite += 1;
  }
}

/** Sent by a life from which another had taken over: it may not know what became of its lines. */
function isDoubtful({ life, at }: Send): boolean {
  return life !== null && life.doubtedAt !== null && at > life.doubtedAt;
}

/** Failures in a row after which a route may be taken to be in an outage, in which nothing is spent. */
const outageLines = 8;

/** Calls that must have spent an attempt, since no outage can have been seen, are not more than were allowed. */
function checkAttempts({ upstream, world }: Scene): void {
  const { maxAttempts, storeDown, lostAnswers, diskFull } = world.weather;
  // A batch that stumbled over its storage begins to count anew.
  if (storeDown.length > 0 || diskFull.length > 0 || lostAnswers > 0) return;
  const routes = new Map<string, { failing: Set<string>; doubtful: boolean }>();
  const spent = new Map<string, number>();
  const answered = upstream.sends
    // A life that was overtaken loses its leases, and begins to count anew.
    .filter((send) => send.answeredAt !== null && (send.life?.doubtedAt ?? null) === null)
    .sort((a, b) => a.answerNr - b.answerNr);
  for (const send of answered) {
    const route = `${nameOf(send.life)} ${send.endpoint} ${/"model":"([^"]*)"/.exec(send.body)?.[1]}`;
    const state = routes.get(route) ?? { failing: new Set<string>(), doubtful: false };
    routes.set(route, state);
    const { answer } = send;
    if (answer === null) continue;
    const line = `${send.batchId}:${send.line}`;
    if (answer.ok || (answer.reason === "rejected" && !state.doubtful)) {
      state.failing.clear();
      state.doubtful = false;
    } else if (answer.reason === "refused" || answer.reason === "account") state.doubtful = true;
    else if (["unavailable", "reset", "timeout"].includes(answer.reason)) {
      state.failing.add(line);
      if (state.doubtful || state.failing.size >= outageLines) continue;
      const key = `${nameOf(send.life)} ${pausesBefore(send)} ${line}`;
      const attempts = (spent.get(key) ?? 0) + 1;
      spent.set(key, attempts);
      if (attempts === maxAttempts + 1)
        world.violation(`${line} has spent ${attempts} of ${maxAttempts} attempts`);
    }
  }
}

function pausesBefore({ life, at }: Send): number {
  return life === null ? 0 : life.pauses.filter((pausedAt) => pausedAt < at).length;
}

function nameOf(life: Life | null): string {
  return String(life?.nr);
}
