/** What an operator may set about execution. Durations are in milliseconds. */
export interface EngineSettings {
  /** Longest input line in bytes. Default 10 MiB. */
  maxLineBytes: number;
  /** Attempts per line. Default 5. What spends one is told in `retry.ts`. */
  maxAttempts: number;
  /** OpenAI's own refusals and limits: one endpoint, one model, 50,000 lines, 200 MiB. Default false. */
  strict: boolean;
  /** How long calls in flight may go on after a cancel. Default 30 s. */
  cancelGraceMs: number;
  /** Completion windows that are admitted beside `24h`, in seconds. Default none. */
  completionWindows: { min: number; max: number } | null;
}

export const defaultSettings: EngineSettings = {
  maxLineBytes: 10 * 1024 * 1024,
  maxAttempts: 5,
  strict: false,
  cancelGraceMs: 30_000,
  completionWindows: null,
};
