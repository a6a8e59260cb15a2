import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createBodyEditor } from "./edit-body.ts";

function edited(body: string, { name = "new", priority = null as number | null } = {}): string {
  const edit = createBodyEditor({ rename: (model) => (model === "old" ? name : null), priority });
  return Buffer.from(edit?.(Buffer.from(body)) ?? []).toString();
}

describe("createBodyEditor()", () => {
  test.each([
    ['{"model":"old"}', '{"model":"new"}'],
    [' {\t"model" :\r\n "old" , "n": 1.0 } ', ' {\t"model" :\r\n "new" , "n": 1.0 } '],
    ['{"mod\\u0065l":"\\u006fld","é":"\\ud83d"}', '{"mod\\u0065l":"new","é":"\\ud83d"}'],
    ['{"n":12345678901234567890,"model":"old","f":1e0}', '{"n":12345678901234567890,"model":"new","f":1e0}'],
    ['{"a":{"model":"old"},"b":["model","old"],"c":"\\"model\\":\\"old\\""}', null],
    ['{"a":{"model":"old"},"model":"old"}', '{"a":{"model":"old"},"model":"new"}'],
    ['{"model":"old","model":"other"}', null],
    ['{"model":"other","model":"old"}', '{"model":"other","model":"new"}'],
    ['{"model":"old","model":null}', null],
    ['{"model":"other"}', null],
    ['{"model":5}', null],
    ['{"models":"old","odel":"old"}', null],
    ["{}", null],
    ["[]", null],
    ['{"model":"old"', null],
    ['{"model":"old",}', null],
    ["", null],
  ])("makes of %j %j", (body, expected) => {
    expect(edited(body)).toBe(expected ?? body);
  });

  test("writes names so that they are read as they are", () => {
    const name = 'a"b\\c\n\u2028é😀\ud800';
    expect(JSON.parse(edited('{"model":"old"}', { name }))).toEqual({ model: name });
  });

  test.each([
    ['{"model":"old","n":1.0}', '{"priority":7,"model":"new","n":1.0}'],
    [' { "n":1.0} ', ' {"priority":7, "n":1.0} '],
    ["{ }", '{"priority":7 }'],
    ['{"a":{"priority":1}}', '{"priority":7,"a":{"priority":1}}'],
    ['{"priority":0,"model":"old"}', '{"priority":0,"model":"new"}'],
    ['{"pri\\u006frity":null}', '{"pri\\u006frity":null}'],
    ["[]", "[]"],
  ])("adds a priority to %j: %j", (body, expected) => {
    expect(edited(body, { priority: 7 })).toBe(expected);
  });

  test("changes nothing that JSON.parse could see, but model and priority", () => {
    const key = fc.constantFrom("model", "priority", "messages", "", "mo\\del", '"');
    const value = fc.oneof(fc.constantFrom("old", "other"), fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(fc.dictionary(key, value), fc.constantFrom(undefined, 1, "\t"), (members, indent) => {
        const body = JSON.stringify(members, null, indent);
        const expected = { ...members };
        if (expected.model === "old") expected.model = "new";
        if (!Object.hasOwn(expected, "priority")) expected.priority = 3;
        expect(JSON.parse(edited(body, { priority: 3 }))).toEqual(JSON.parse(JSON.stringify(expected)));
      }),
      { numRuns: 500 },
    );
  });

  test("leaves every byte around the name, whatever the length of the body", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 40 });
    fc.assert(
      fc.property(text, fc.nat(140_000), (piece, length) => {
        const before = `{"messages":${JSON.stringify(piece + "x".repeat(length))},"model":`;
        const behind = `,"user":${JSON.stringify(piece)}}`;
        expect(edited(`${before}"old"${behind}`) === `${before}"new"${behind}`).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test("is not there when nothing is to be changed", () => {
    expect(createBodyEditor({ rename: null, priority: null })).toBeNull();
  });
});
