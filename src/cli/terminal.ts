import { styleText } from "node:util";

/** Writes one line for people to stderr. Whatever the text quotes, it stays one line and moves no cursor. */
export function say(text: string): void {
  process.stderr.write(`${escapeControls(text)}\n`);
}

/** As `say`, in a colour when stderr is a terminal that has some. */
export function sayIn(format: "red" | "yellow" | "green" | "dim" | "bold", text: string): void {
  process.stderr.write(`${styleText(format, escapeControls(text), { stream: process.stderr })}\n`);
}

/** Whether a person sees what is said. */
export function isTerminal(): boolean {
  return process.stderr.isTTY === true;
}

/**
 * Makes control characters visible, and those that turn the direction of writing round: text from a file or from
 * an upstream could otherwise clear the screen, retitle the window or hide what really stands there.
 */
export function escapeControls(text: string): string {
  return text.replace(controls, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

const controls = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Whole numbers with their thousands apart: `50,000`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** `1 line`, `2 lines`. */
export function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}
