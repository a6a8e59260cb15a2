import { type OptionName, specOf } from "./options.ts";

const mostShown = 80;

/** What was given for an option, as messages repeat it: nothing where it may be a key, or where the reason names it. */
export function shownValue(name: OptionName, { value, reason }: { value: unknown; reason: string }): string {
  const text = JSON.stringify(value) ?? "";
  if (specOf(name).secret === true || reason.includes(text)) return "";
  return ` ${text.length > mostShown ? `${text.slice(0, mostShown)}…` : text}`;
}
