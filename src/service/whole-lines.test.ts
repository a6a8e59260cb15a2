import fc from "fast-check";
import { expect, it } from "vitest";
import { eachLine, wholeLines } from "./whole-lines.ts";

async function* cut(bytes: Buffer, cuts: number[]): AsyncGenerator<Buffer> {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < at.length; i += 1) yield bytes.subarray(at[i - 1], at[i]);
}

it("whole lines are the same lines however the bytes are cut", async () => {
  const text = fc.string({ unit: fc.constantFrom("a", "ä", "\n", "\r"), maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat(100), { maxLength: 10 }), async (given, cuts) => {
      const expected = given === "" || given.endsWith("\n") ? given : `${given}\n`;
      const lines: string[] = [];
      for await (const some of wholeLines(cut(Buffer.from(given), cuts))) {
        for (const line of eachLine(some)) lines.push(line.toString());
      }
      expect(lines.join("")).toBe(expected);
      for (const line of lines) expect(line.indexOf("\n")).toBe(line.length - 1);
    }),
  );
});
