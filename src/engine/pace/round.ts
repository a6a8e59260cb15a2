/** What became of the calls that were sent under one limit. Times are monotonic milliseconds. */
export interface Round {
  readonly answers: number;
  readonly failures: number;
  /** Whether the limit was used up nearly all the time: else the latency says nothing about the limit. */
  readonly wasFull: boolean;
  /** Mean milliseconds of an answer. */
  readonly latency: number;
  /** The standard error of the mean latency, as a share of it. */
  readonly uncertainty: number;
  /** Since when it runs. */
  readonly beganAt: number;
  begin(now: number): void;
  /** Counts a call that came back, unless it was sent before the round began. @returns whether it was counted */
  answered(sentAt: number, now: number, wasFull: boolean): boolean;
  failed(sentAt: number): boolean;
}

/** Share of the answers that must have come while the limit was used up. */
const fullShare = 0.8;

export function createRound(): Round {
  let beganAt = 0;
  let answers = 0;
  let fullAnswers = 0;
  let latencies = 0;
  let squares = 0;
  let failures = 0;
  return {
    get answers() {
      return answers;
    },
    get failures() {
      return failures;
    },
    get wasFull() {
      return fullAnswers >= answers * fullShare;
    },
    get latency() {
      // An answer within the resolution of the clock took some time all the same.
      return Math.max(latencies / answers, 0.01);
    },
    get uncertainty() {
      const mean = latencies / answers;
      if (answers < 2 || mean === 0) return answers < 2 ? 1 : 0;
      return Math.sqrt(Math.max(0, squares / answers - mean * mean) / answers) / mean;
    },
    get beganAt() {
      return beganAt;
    },
    begin(now) {
      beganAt = now;
      answers = fullAnswers = latencies = squares = failures = 0;
    },
    answered(sentAt, now, wasFull) {
      if (sentAt < beganAt) return false;
      answers += 1;
      const latency = now - sentAt;
      latencies += latency;
      squares += latency * latency;
      if (wasFull) fullAnswers += 1;
      return true;
    },
    failed(sentAt) {
      if (sentAt < beganAt) return false;
      failures += 1;
      return true;
    },
  };
}
