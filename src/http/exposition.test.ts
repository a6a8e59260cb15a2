import { describe, expect, it } from "vitest";
import { renderMetrics } from "./exposition.ts";

describe("renderMetrics()", () => {
  it("writes help, type and a line for each value", () => {
    const samples = [{ labels: { upstream: "local", model: "m" }, value: 12.5 }, { value: 0 }];
    expect(renderMetrics([{ name: "a_total", help: "What a is.", type: "counter", samples }])).toBe(
      '# HELP a_total What a is.\n# TYPE a_total counter\na_total{upstream="local",model="m"} 12.5\na_total 0\n',
    );
  });

  it("lets no name end its label or its line", () => {
    const model = 'm"} 1\nnerif_fake{a="\\';
    const text = renderMetrics([
      { name: "a", help: "1\n2\\", type: "gauge", samples: [{ labels: { model }, value: 1 }] },
    ]);
    expect(text).toBe('# HELP a 1\\n2\\\\\n# TYPE a gauge\na{model="m\\"} 1\\nnerif_fake{a=\\"\\\\"} 1\n');
  });

  it.each([
    [Number.POSITIVE_INFINITY, "+Inf"],
    [Number.NEGATIVE_INFINITY, "-Inf"],
    [Number.NaN, "NaN"],
    [1e21, "1e+21"],
  ])("writes %s as %s", (value, text) => {
    const written = renderMetrics([{ name: "a", help: "", type: "gauge", samples: [{ value }] }]);
    expect(written.trimEnd().split("\n").at(-1)).toBe(`a ${text}`);
  });
});
