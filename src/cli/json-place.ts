/** Where a text is no JSON, for people: `line 3, column 12`. Nothing of the text is repeated: keys may stand in it. */
export function placeOfJsonError(text: string, message: string): string {
  const before = text.slice(0, offsetIn(text, message));
  return `line ${before.split("\n").length}, column ${before.length - before.lastIndexOf("\n")}`;
}

function offsetIn(text: string, message: string): number {
  if (isUnexpected(message)) return unexpectedIn(text);
  const [, position] = /at position (\d+)/.exec(message) ?? [];
  // Without one it ends too soon.
  return position === undefined ? text.length : Number(position);
}

/**
 * Of a token that it did not expect V8 names no position, and prints the text around it instead. The shortest beginning
 * that it refuses for that reason ends there.
 */
function unexpectedIn(text: string): number {
  let [sound, refused] = [0, text.length];
  while (refused - sound > 1) {
    const middle = Math.floor((sound + refused) / 2);
    if (isUnexpected(refusalOf(text.slice(0, middle)))) refused = middle;
    else sound = middle;
  }
  return sound;
}

function isUnexpected(message: string): boolean {
  return message.startsWith("Unexpected token");
}

function refusalOf(text: string): string {
  try {
    JSON.parse(text);
    return "";
  } catch (reason) {
    return (reason as SyntaxError).message;
  }
}
