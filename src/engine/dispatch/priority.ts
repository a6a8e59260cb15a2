/** The metadata of a batch that says how much of a lane it gets beside other batches of its project. */
export const priorityKey = "nerif_priority";

const usual = 10;

/**
 * The share of a batch, from 1 to 100: one with 20 gets twice the calls of one with 10, which is the default. The service
 * refuses other values; what got in before it did counts as the default.
 */
export function priorityOf(metadata: Readonly<Record<string, string>> | null): number {
  const text = metadata?.[priorityKey];
  return text !== undefined && isPriority(text) ? Number(text) : usual;
}

export function isPriority(text: string): boolean {
  return /^(?:[1-9]\d?|100)$/.test(text);
}
