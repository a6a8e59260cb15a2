/** The metadata of a batch that says how its work may be made less. */
export const lessWorkKeys = { dedupe: "nerif_dedupe", groupByPrefix: "nerif_group_by_prefix" } as const;

export interface LessWork {
  /** Lines that ask for what an earlier one asks for get its answer, where equal requests have equal answers. */
  dedupe: boolean;
  /** Lines whose bodies begin alike run one after another. */
  groupByPrefix: boolean;
}

/** What a batch asked for when it was created; it stays with the batch, so that its plan can be written again. */
export function lessWorkOf(metadata: Readonly<Record<string, string>> | null): LessWork {
  return {
    dedupe: metadata?.[lessWorkKeys.dedupe] === "true",
    groupByPrefix: metadata?.[lessWorkKeys.groupByPrefix] === "true",
  };
}

/** The metadata that asks for it; null when nothing is asked for. */
export function lessWorkMetadata({ dedupe, groupByPrefix }: LessWork): Record<string, string> | null {
  if (!dedupe && !groupByPrefix) return null;
  return {
    ...(dedupe && { [lessWorkKeys.dedupe]: "true" }),
    ...(groupByPrefix && { [lessWorkKeys.groupByPrefix]: "true" }),
  };
}

/** Whether a pair of metadata is none of these, or has one of their values. */
export function isLessWorkPair(key: string, value: string): boolean {
  const isOurs = key === lessWorkKeys.dedupe || key === lessWorkKeys.groupByPrefix;
  return !isOurs || value === "true" || value === "false";
}
