import { type Spread, shown, spread } from "../measure/spread.ts";

export interface Goal {
  /** What is measured. */
  figure: string;
  /** Behind the numbers, such as "MiB". */
  unit?: string;
  /** Which side of `bound` is good. */
  sense: "at most" | "at least";
  bound: number;
  /** A further bound, once the first is reached. */
  further?: number;
  /** Over the rounds. The median decides. */
  measured: Spread;
}

export function goal(aim: Omit<Goal, "measured">, values: readonly number[]): Goal {
  return { ...aim, measured: spread(values) };
}

export type Verdict = "yes" | "the first" | "no";

/** "the first": the bound, but not the further one. */
export function verdict({ sense, bound, further, measured }: Goal): Verdict {
  const holds = (limit: number) =>
    sense === "at most" ? measured.median <= limit : measured.median >= limit;
  // A figure that is not a number has reached nothing.
  if (!holds(bound)) return "no";
  return further === undefined || holds(further) ? "yes" : "the first";
}

/** `at most 2, then 1.7` */
export function aimOf({ sense, bound, further, unit }: Goal): string {
  const more = further === undefined ? "" : `, then ${further}`;
  return `${sense} ${bound.toLocaleString("en-US")}${more}${unit === undefined ? "" : ` ${unit}`}`;
}

export function measuredOf({ measured, unit }: Goal): string {
  return `${shown(measured)}${unit === undefined ? "" : ` ${unit}`}`;
}
