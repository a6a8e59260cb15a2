/** The first answer to a creation that a client named with a key of its own. */
export interface StoredAnswer {
  project: string;
  /** As the client sent it. */
  key: string;
  /** Tells whether the same was asked for; see `service/answer-once.ts`. */
  fingerprint: string;
  answer_json: string;
  /** Unix seconds. */
  created_at: number;
}

/**
 * Answers under idempotency keys. They are written together with what they speak of: `insertFile`, `insertBatch`
 * and `insertUpload` take one. A key is free again when its answer is a day old, whether it was swept or not.
 */
export interface IdempotencyRecords {
  /** Null when there is none, or it is too old at `now` (Unix seconds). */
  getAnswer(project: string, key: string, now: number): Promise<StoredAnswer | null>;
  /** Removes the answers of every project that are too old at `now`. */
  removeOldAnswers(now: number): Promise<void>;
}
