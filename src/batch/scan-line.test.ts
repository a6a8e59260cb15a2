import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { at, type LineKey, lineKeys, newLineScan, scanLine } from "./scan-line.ts";

describe("scanLine()", () => {
  test("finds the values that JSON.parse finds, whatever the order, the escapes and the decoys", () => {
    fc.assert(
      fc.property(lineText, (text) => {
        const bytes = Buffer.from(text);
        const parsed = JSON.parse(text);
        const found = scan(bytes);
        expect(found.verdict).toBe("object");
        const inBody = found.repeated.some((key) => key.startsWith("body."));
        for (const key of ["custom_id", "method", "url", "body"] as const) {
          if (found.repeated.includes(key) || (key === "body" && inBody)) continue;
          expect(found.values[key]).toEqual(own(parsed, key));
        }
        if (found.repeated.includes("body")) return;
        for (const key of ["model", "stream"] as const) {
          if (found.repeated.includes(`body.${key}`)) continue;
          expect(found.values[`body.${key}`]).toEqual(own(own(parsed, "body"), key));
        }
      }),
      { numRuns: 1_500 },
    );
  });

  test("knows which keys are repeated, as a count of the members tells", () => {
    const name = fc.constantFrom("custom_id", "method", "url", "body", "model", "x");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, json), { maxLength: 7 }),
        fc.infiniteStream(fc.boolean()),
        (members, coin) => {
          const text = `{${members.map(([key, value]) => `${writeString(key, coin)}:${value}`).join()}}`;
          const keys: string[] = members.map(([key]) => key);
          const expected = lineKeys.filter((key) => keys.indexOf(key) !== keys.lastIndexOf(key));
          const topLevel = scan(Buffer.from(text)).repeated.filter((key) => !key.includes("."));
          expect(topLevel).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("accepts the objects that JSON.parse accepts and nothing else, after any change to a few bytes", () => {
    const byte = fc.oneof(
      fc.constantFrom(...Buffer.from('{}[]",:\\/ \t\r\n0123456789.-+eEtruefalsn')),
      fc.nat(0x7f),
    );
    const edit = fc.record({ where: fc.nat(), cut: fc.nat(3), put: fc.array(byte, { maxLength: 3 }) });
    fc.assert(
      fc.property(lineText, fc.array(edit, { minLength: 1, maxLength: 3 }), (text, edits) => {
        const ascii = Buffer.from(text.replace(/[^ -~]/g, "."));
        const bytes = edits.reduce((before, { where, cut, put }) => {
          const start = where % (before.length + 1);
          return Buffer.concat([before.subarray(0, start), Buffer.from(put), before.subarray(start + cut)]);
        }, ascii);
        expect(scan(bytes).verdict).toBe(isObject(bytes.toString()) ? "object" : "invalid");
      }),
      { numRuns: 2_500 },
    );
  });

  test("agrees with JSON.parse about strings that are longer than what is looked at together", () => {
    const piece = fc.constantFrom("a", "\\n", "\\u00e9", "\\\\", '\\"', '"', "\\", "\t", "\\x", '","b":"');
    const near = fc.tuple(fc.integer({ min: 65_500, max: 65_540 }), fc.array(piece, { maxLength: 8 }));
    fc.assert(
      fc.property(near, ([before, pieces]) => {
        const text = `{"a":"${"x".repeat(before)}${pieces.join("")}${"y".repeat(70_000)}"}`;
        expect(scan(Buffer.from(text)).verdict).toBe(isObject(text) ? "object" : "invalid");
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    "{}",
    ' \t\r\n{ "a" : [ ] , "b" : { } } \n',
    '{"a":[1,-0,0.5,1e5,1E+5,-1.25e-7,123456789012345678901234567890]}',
    '{"a":[true,false,null,"",[],{},[[[]]]]}',
    String.raw`{"a":"\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00\ud800"}`,
    '{"":1,"":2}',
    '{"a":"\u007f\u2028\ufeff😀"}',
    `{"a":"${"x".repeat(200)}"}`,
    '{"__proto__":{"body":1},"constructor":2}',
  ])("accepts %j", (text) => {
    expect(isObject(text)).toBe(true);
    expect(scan(Buffer.from(text)).verdict).toBe("object");
  });

  const inLongString = (middle: string) => `{"a":"${"x".repeat(21)}${middle}${"y".repeat(9)}"}`;
  test.each([
    "",
    " ",
    "{",
    "}",
    "[]",
    '"{}"',
    "null",
    "5",
    "{}{}",
    "{} x",
    "{,}",
    '{"a"}',
    '{"a":}',
    '{"a" 1}',
    '{"a":1,}',
    '{"a":1 "b":2}',
    "{a:1}",
    "{'a':1}",
    '{"a":01}',
    '{"a":-}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":+1}',
    '{"a":1e}',
    '{"a":1e+}',
    '{"a":0x10}',
    '{"a":NaN}',
    '{"a":tru}',
    '{"a":nulll}',
    '{"a":[1,]}',
    '{"a":[1}',
    '{"a":{"b":1]}',
    '{"a":"b',
    '{"a":"b\\"}',
    '{"a":"\\x"}',
    '{"a":"\\u12g4"}',
    '{"a":"\\u12"}',
    '{"a":"\t"}',
    '{"a":"\0"}',
    "{\0}",
    '\ufeff{"a":1}',
    '{"a":1}\u00a0',
    ...["\x1f", "\0", "\n", "\\q"].map(inLongString),
  ])("refuses %j", (text) => {
    expect(isObject(text)).toBe(false);
    expect(scan(Buffer.from(text)).verdict).toBe("invalid");
  });

  test.each(['{"a":', '{"body":{"model":', '{"body":[', "["])(
    "refuses 200,000 levels of %j without falling over",
    (open) => {
      const verdict = scan(Buffer.from(`{"x":${open.repeat(200_000)}`)).verdict;
      expect(verdict).toBe("too_deep");
    },
  );

  test("allows exactly as many levels as it is told to", () => {
    const nested = (levels: number) =>
      Buffer.from(`{"body":{"a":${"[".repeat(levels - 2)}${"]".repeat(levels - 2)}}}`);
    expect(scan(nested(512)).verdict).toBe("object");
    expect(scan(nested(513)).verdict).toBe("too_deep");
  });

  test("looks into the first of two bodies only", () => {
    const found = scan(Buffer.from('{"body":{"model":"a"},"body":{"model":"b","stream":true}}'));
    expect(found.repeated).toEqual(["body"]);
    expect(found.values).toMatchObject({ "body.model": "a", "body.stream": undefined });
  });
});

/** Any JSON value as text, with white space, escapes and keys that look like the ones that are wanted. */
const decoy = fc.constantFrom(
  "body",
  "model",
  "stream",
  "custom_id",
  "url",
  '{"body":{}}',
  '"model":',
  "\\",
  '\\"',
  "}",
  "]",
);
const someString = fc.oneof(
  decoy,
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ maxLength: 12 }),
);
const space = fc.constantFrom("", "", "", " ", "\t", "\r", "  ");
const flags = fc.infiniteStream(fc.boolean());
const stringText = fc.tuple(someString, flags).map(([text, coin]) => writeString(text, coin));
const numberText = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => JSON.stringify(n)),
  fc.constantFrom("0", "-0", "1E400", "9007199254740993", "123456789012345678901234567890", "1e-7", "0.10"),
);
const { value: json } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("true", "false", "null"),
    stringText,
    numberText,
    fc
      .tuple(fc.array(tie("value"), { maxLength: 4 }), space)
      .map(([items, s]) => `[${s}${items.join(`${s},${s}`)}${s}]`),
    objectText(fc.tuple(stringText, tie("value"))),
  ),
}));

/**
 * Keys are repeated only where a test wants to see that: of two equal keys deeper down, of which one is written
 * with escapes, `JSON.parse` does not always take the last.
 */
function objectText(member: fc.Arbitrary<[string, string]>, mayRepeat: string[] = []): fc.Arbitrary<string> {
  const members = fc.uniqueArray(fc.tuple(member, fc.nat()), {
    maxLength: 6,
    selector: ([[key], n]) =>
      mayRepeat.includes(JSON.parse(key)) ? `repeated ${n}` : `key ${JSON.parse(key)}`,
  });
  return fc.tuple(members, space).map(([list, s]) => {
    const texts = list.map(([[key, value]]) => `${key}${s}:${s}${value}${s}`);
    return `{${s}${texts.join(`,${s}`)}}`;
  });
}

const knownName = fc.constantFrom("custom_id", "method", "url", "body", "model", "stream", "__proto__");
const keyText = fc.oneof(
  fc.tuple(knownName, flags).map(([text, coin]) => writeString(text, coin)),
  stringText,
);
const bodyText = objectText(fc.tuple(keyText, json), ["model", "stream"]);
const lineText = objectText(fc.tuple(keyText, fc.oneof(json, bodyText)), [
  "custom_id",
  "method",
  "url",
  "body",
]);

/** A string as JSON, some of its letters written as escapes. */
function writeString(text: string, coin: fc.Stream<boolean>): string {
  let out = "";
  for (const unit of text.split("")) {
    const escaped = coin.next().value === true && text.length < 12;
    out += escaped
      ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
      : JSON.stringify(unit).slice(1, -1);
  }
  // Two halves of a letter beyond the basic plane, one of them escaped, are not the same bytes as the letter.
  return JSON.parse(`"${out}"`) === text && out.isWellFormed() ? `"${out}"` : JSON.stringify(text);
}

function scan(bytes: Buffer) {
  const found = newLineScan();
  const verdict = scanLine(bytes, found, { maxDepth: 512 });
  const values: Partial<Record<LineKey, unknown>> = {};
  for (const [index, key] of lineKeys.entries()) {
    const start = found.starts[index] ?? -1;
    if (verdict !== "object") continue;
    values[key] = start === -1 ? undefined : JSON.parse(bytes.toString("utf8", start, found.ends[index]));
  }
  return { verdict, values, repeated: lineKeys.filter((_, index) => found.repeated[index] === 1) };
}

function own(value: unknown, key: string): unknown {
  const isThere =
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, key);
  return isThere ? (value as Record<string, unknown>)[key] : undefined;
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

test("positions are those of the keys", () => {
  const named = [at.customId, at.method, at.url, at.body, at.model, at.stream].map(
    (index) => lineKeys[index],
  );
  expect(named).toEqual([...lineKeys]);
});
