/** Keys that must not come back in an answer, whatever the upstream echoes. */
export interface Secret {
  /** Overwrites the keys with asterisks, in place; the length stays. */
  blank(bytes: Buffer, options: { ok: boolean }): void;
  blankText(text: string): string;
}

/**
 * Keys of local servers are often words such as `none` or `not-needed`. Blanking those would damage what a model
 * wrote, and they are no secrets; so a short key is left alone in answers that succeeded, where an echo of the
 * request's headers is not to be expected, and a very short one everywhere.
 */
const shortest = { ok: 12, failed: 6 };

export function createSecret(keys: readonly string[]): Secret {
  // Of keys that hold one another the longest has to be looked for first.
  const known = keys
    .filter((key) => key.length >= shortest.failed)
    .sort((a, b) => b.length - a.length)
    .map((key) => ({ key, needles: spellings(key).map((text) => Buffer.from(text)) }));
  return {
    blank(bytes, { ok }) {
      for (const { key, needles } of known) {
        if (ok && key.length < shortest.ok) continue;
        for (const needle of needles) overwrite(bytes, needle);
      }
    },
    blankText(text) {
      return known.reduce((blanked, { key }) => blanked.replaceAll(key, "*".repeat(key.length)), text);
    },
  };
}

function overwrite(bytes: Buffer, needle: Buffer): void {
  for (let at = bytes.indexOf(needle); at !== -1; at = bytes.indexOf(needle, at + needle.length)) {
    bytes.fill("*", at, at + needle.length);
  }
}

/** The key as JSON writers put it: plain, with `\/`, and with everything but letters and digits as `\u002b` or `\u002B`. */
function spellings(key: string): string[] {
  const escaped = (digits: (code: string) => string) =>
    key.replace(/[^\w.-]/g, (char) => `\\u${digits(char.charCodeAt(0).toString(16).padStart(4, "0"))}`);
  return [
    ...new Set([
      key,
      key.replaceAll("/", "\\/"),
      escaped((code) => code),
      escaped((code) => code.toUpperCase()),
    ]),
  ];
}
