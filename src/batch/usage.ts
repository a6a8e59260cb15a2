/** Token usage, summed over the lines of a batch, in the shape of the OpenAI batch object. */
export interface Usage {
  input_tokens: number;
  input_tokens_details: { cached_tokens: number };
  output_tokens: number;
  output_tokens_details: { reasoning_tokens: number };
  total_tokens: number;
}

/** Usage as plain counters, which add up cheaply. */
export interface Tokens {
  input: number;
  cached: number;
  output: number;
  reasoning: number;
  total: number;
}

export function noTokens(): Tokens {
  return { input: 0, cached: 0, output: 0, reasoning: 0, total: 0 };
}

/** Adds `more` to `sum` in place. */
export function addTokens(sum: Tokens, more: Tokens): void {
  sum.input += more.input;
  sum.cached += more.cached;
  sum.output += more.output;
  sum.reasoning += more.reasoning;
  sum.total += more.total;
}

export function usageOf(tokens: Tokens): Usage {
  return {
    input_tokens: tokens.input,
    input_tokens_details: { cached_tokens: tokens.cached },
    output_tokens: tokens.output,
    output_tokens_details: { reasoning_tokens: tokens.reasoning },
    total_tokens: tokens.total,
  };
}

/**
 * Reads the `usage` of an answer: the names of chat, completions and embeddings (`prompt_tokens`) and those of
 * responses (`input_tokens`). Null when there is none; whatever is not a count is taken as 0.
 */
export function tokensOf(usage: unknown): Tokens | null {
  if (!isObject(usage)) return null;
  const input = count(usage.prompt_tokens ?? usage.input_tokens);
  const output = count(usage.completion_tokens ?? usage.output_tokens);
  const inputDetails = usage.prompt_tokens_details ?? usage.input_tokens_details;
  const outputDetails = usage.completion_tokens_details ?? usage.output_tokens_details;
  return {
    input,
    cached: isObject(inputDetails) ? count(inputDetails.cached_tokens) : 0,
    output,
    reasoning: isObject(outputDetails) ? count(outputDetails.reasoning_tokens) : 0,
    total: usage.total_tokens === undefined ? input + output : count(usage.total_tokens),
  };
}

function count(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
