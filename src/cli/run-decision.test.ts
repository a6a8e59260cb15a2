import { describe, expect, it } from "vitest";
import { decide, type WantedRun } from "./run-decision.ts";
import type { RunRecord } from "./run-record.ts";

const places = { input: "/in.jsonl", output: "/out.jsonl", errors: "/out.errors.jsonl" };
const wanted: WantedRun = {
  places,
  input: { bytes: 10, modified: "1", sha256: "aa" },
  limit: null,
  strict: false,
  dedupe: false,
  groupByPrefix: false,
  force: false,
};
const record: RunRecord = {
  version: 1,
  batch_id: "batch_0",
  file_id: "file-0",
  input: { path: "/in.jsonl", bytes: 10, modified: "1", sha256: "aa" },
  output: places.output,
  errors: places.errors,
  limit: null,
  strict: false,
  dedupe: false,
  group_by_prefix: false,
  overwrite: false,
  created_at: 0,
  elapsed_ms: 0,
  finished: null,
};
const finished: RunRecord["finished"] = {
  ...{ at: 1, status: "completed", total: 1, completed: 1, failed: 0, output: true, errors: false },
};

describe("decide()", () => {
  it("begins where there is no record, goes on where there is one, and knows when all is done", () => {
    expect(decide(null, wanted)).toBe("new");
    expect(decide(record, wanted)).toBe("resume");
    expect(decide({ ...record, finished }, wanted)).toBe("finished");
  });

  it("goes on when only the modification time differs", () => {
    expect(decide(record, { ...wanted, input: { ...wanted.input, modified: "2" } })).toBe("resume");
  });

  it("begins anew with --force, whatever is there", () => {
    expect(
      decide({ ...record, finished }, { ...wanted, input: { ...wanted.input, sha256: "bb" }, force: true }),
    ).toBe("new");
  });

  it("refuses an input that has changed, finished or not", () => {
    const changed = { ...wanted, input: { bytes: 12, modified: "2", sha256: "bb" } };
    const message =
      /Cannot go on with \/in\.jsonl: it has changed .*\(10 bytes then, 12 now\); --force starts anew/;
    expect(() => decide(record, changed)).toThrow(expect.objectContaining({ code: "input_changed" }));
    expect(() => decide(record, changed)).toThrow(message);
    expect(() => decide({ ...record, finished }, changed)).toThrow(message);
  });

  it.each([
    [{ places: { ...places, input: "/other.jsonl" } }, /it belongs to a run of \/in\.jsonl/],
    [{ places: { ...places, input: null } }, /it belongs to a run of \/in\.jsonl/],
    [{ dedupe: true }, /it belongs to a run without --dedupe/],
    [{ groupByPrefix: true }, /it belongs to a run without --group-by-prefix/],
    [{ limit: 5 }, /it belongs to a run without --limit/],
    [{ strict: true }, /it belongs to a run without --strict/],
    [{ places: { ...places, errors: "/e" } }, /it belongs to a run with --errors \/out\.errors\.jsonl/],
  ])("refuses %j", (change, message) => {
    const refused = () => decide(record, { ...wanted, ...change });
    expect(refused).toThrow(message);
    expect(refused).toThrow(expect.objectContaining({ code: "output_exists" }));
  });

  it("refuses another file for failed lines, finished or not", () => {
    const apart = { ...record, finished, output: null, errors: "/bad.jsonl" };
    const together = { ...wanted, places: { ...places, output: null, errors: null } };
    expect(() => decide(apart, together)).toThrow(/Cannot write stdout: .* a run with --errors \/bad\.jsonl/);
    expect(() =>
      decide({ ...apart, errors: null }, { ...wanted, places: { ...places, output: null } }),
    ).toThrow(/a run with --errors -/);
  });

  it("names the limit of the run that has the output, though the bytes differ as well", () => {
    const whole = { ...wanted, input: { ...wanted.input, sha256: "bb" } };
    expect(() => decide({ ...record, limit: 7 }, whole)).toThrow(/a run with --limit 7/);
  });

  it("refuses other text from stdin", () => {
    const fromStdin = { ...record, input: { ...record.input, path: null } };
    const other = { ...wanted, places: { ...places, input: null }, input: { ...wanted.input, sha256: "bb" } };
    expect(() => decide(fromStdin, other)).toThrow(/it belongs to a run of another input/);
  });
});
