/**
 * Metadata as it is stored: JSON with each pair on a line of its own. A string in JSON never holds a raw newline, so
 * one stands in front of a pair and nowhere else, and a pair can be searched for as text: exactly, with what every
 * database has. Without the newlines the text of a pair may also begin at the end of a value: `{"a":"x,",":":"y"}`
 * holds `,",":":"`, which is how the pair `","` and `":"` would be written.
 */
export function metadataText(metadata: Readonly<Record<string, string>>): string {
  return JSON.stringify(metadata, null, 1);
}

/** What the stored text holds if, and only if, the metadata has this pair. */
export function pairText(key: string, value: string): string {
  return `\n ${JSON.stringify(key)}: ${JSON.stringify(value)}`;
}
