/** Guesses beforehand how many tokens a call will take, from the bytes of its body and from earlier calls. */
export interface TokenEstimate {
  /** So many tokens at most, very probably. */
  of(bytes: number): number;
  /** @param tokens what the upstream reported for a body of so many bytes */
  learn(bytes: number, tokens: { input: number; output: number }): void;
}

/** Weight of the newest call in the means. */
const weight = 0.05;
/** Deviations above the mean. */
const caution = 2;
/** Calls after which the means are worth more than the bound. */
const enough = 8;

/**
 * At first a bound: no tokenizer makes more than one token of a byte. Soon the means of tokens per byte read and of tokens
 * written, each with two mean deviations on top. What is guessed is corrected when the upstream says what it was.
 */
export function createTokenEstimate(): TokenEstimate {
  let samples = 0;
  let perByte = 0;
  let perByteDeviation = 0;
  let written = 0;
  let writtenDeviation = 0;

  return {
    of(bytes) {
      if (samples < enough) return bytes;
      const read = bytes * Math.min(1, perByte + caution * perByteDeviation);
      return Math.ceil(read + written + caution * writtenDeviation);
    },
    learn(bytes, { input, output }) {
      const ratio = input / Math.max(1, bytes);
      samples += 1;
      const share = Math.max(weight, 1 / samples);
      perByteDeviation += share * (Math.abs(ratio - perByte) - perByteDeviation);
      perByte += share * (ratio - perByte);
      writtenDeviation += share * (Math.abs(output - written) - writtenDeviation);
      written += share * (output - written);
    },
  };
}
