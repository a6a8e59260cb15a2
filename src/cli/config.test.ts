import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NerifError } from "../batch/errors.ts";
import { resolveConfig } from "./config.ts";
import { keyOf, type OptionName, optionNames, specOf, variableOf } from "./options.ts";

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "nerif-config-"));
});
afterEach(() => {
  rmSync(cwd, { recursive: true });
});

describe("resolveConfig()", () => {
  it("takes the flag before the variable, the variable before the file, the file before the default", () => {
    const resolve = (flags: Record<string, string>, env: Record<string, string>) =>
      resolveConfig(["maxAttempts"], flags, { env, cwd }).values.maxAttempts;
    expect(resolve({}, {})).toBe(5);
    writeFileSync(join(cwd, "nerif.config.yaml"), "max_attempts: 6\n");
    expect(resolve({}, {})).toBe(6);
    expect(resolve({}, { NERIF_MAX_ATTEMPTS: "7" })).toBe(7);
    expect(resolve({ maxAttempts: "8" }, { NERIF_MAX_ATTEMPTS: "7" })).toBe(8);
  });

  it("knows a variable and a key for every option", () => {
    const samples: Partial<Record<OptionName, string>> = {
      concurrency: "3",
      maxAttempts: "3",
      maxLineBytes: "1MiB",
      maxFileBytes: "1GiB",
      completionWindows: "1m..7d",
      port: "80",
      metricsPort: "81",
      databaseUrl: "postgres://user@host/name",
      logLevel: "debug",
      limit: "3",
      metadata: "a=b",
      priority: "20",
      storedBytes: "10GiB",
      openUploads: "3",
      queuedLines: "3",
      requestsPerSecond: "0.5",
      olderThan: "1d",
      requestTimeout: "1m",
      cancelGrace: "1m",
      shutdownGrace: "1m",
      deadline: "1m",
      status: "failed",
      createdAfter: "2026-11-22",
      createdBefore: "1795300000",
    };
    for (const name of optionNames.filter((option) => option !== "config")) {
      const sample = samples[name] ?? (specOf(name).value === undefined ? "true" : "/text");
      const byVariable = resolveConfig(
        [name],
        {},
        { env: { [variableOf(name)]: sample.replace("/text", "text") }, cwd },
      );
      writeFileSync(
        join(cwd, "file.yaml"),
        `${keyOf(name)}: ${JSON.stringify(sample.replace("/text", "text"))}\n`,
      );
      const byKey = resolveConfig([name], { config: "file.yaml" }, { env: {}, cwd });
      expect(byVariable.values[name], name).not.toBe(specOf(name).default);
      expect(byKey.values[name], name).toEqual(byVariable.values[name]);
    }
  });

  it.each([
    ["auto", "auto"],
    ["64", 64],
    ["4..256", { least: 4, most: 256 }],
    ["0", null],
    ["9..3", null],
    ["1..10001", null],
    ["many", null],
  ])("reads the concurrency %s", (text, value) => {
    const read = () =>
      resolveConfig(["concurrency"], { concurrency: text }, { env: {}, cwd }).values.concurrency;
    if (value === null) expect(read).toThrow(/auto, a whole number from 1 to 10000, or a range/);
    else expect(read()).toEqual(value);
    writeFileSync(
      join(cwd, "nerif.config.yaml"),
      `upstreams: [{ name: a, url: http://localhost/v1, concurrency: ${text} }]\n`,
    );
    const fromFile = () => resolveConfig([], {}, { env: {}, cwd }).upstreams;
    if (value === null) expect(fromFile).toThrow(/upstreams\.0\.concurrency/);
    else expect(fromFile()).toMatchObject([{ concurrency: value }]);
  });

  it("reads durations, sizes, ranges and pairs", () => {
    const flags = {
      requestTimeout: "1.5m",
      maxLineBytes: "10MiB",
      completionWindows: "1m..7d",
      metadata: "team=nlp,note=a=b",
    };
    const names = ["requestTimeout", "maxLineBytes", "completionWindows", "metadata"] as const;
    expect(resolveConfig(names, flags, { env: {}, cwd }).values).toEqual({
      requestTimeout: 90_000,
      maxLineBytes: 10_485_760,
      completionWindows: { min: 60, max: 604_800 },
      metadata: { team: "nlp", note: "a=b" },
    });
  });

  it("reads JSON as well, and another file when told to", () => {
    writeFileSync(join(cwd, "nerif.config.json"), `{"strict": true, "data_dir": "here"}`);
    writeFileSync(join(cwd, "other.yaml"), "strict: false\n");
    const values = (flags: Record<string, string>) =>
      resolveConfig(["strict", "dataDir"], flags, { env: {}, cwd }).values;
    expect(values({})).toEqual({ strict: true, dataDir: join(cwd, "here") });
    expect(values({ config: "other.yaml" })).toEqual({ strict: false, dataDir: undefined });
  });

  it("lets a switch that the file turned on be turned off", () => {
    writeFileSync(join(cwd, "nerif.config.yaml"), "strict: true\n");
    const strict = (flags: Record<string, unknown>, env: Record<string, string>) =>
      resolveConfig(["strict"], flags, { env, cwd }).values.strict;
    expect([strict({}, {}), strict({}, { NERIF_STRICT: "0" }), strict({ strict: false }, {})]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("drops the file's upstreams when a flag or a variable names one", () => {
    writeFileSync(
      join(cwd, "nerif.config.yaml"),
      "upstreams: [{ name: a, url: 'http://a/v1', models: ['x-*'] }]\n",
    );
    const upstreams = (flags: Record<string, string>, env: Record<string, string>) =>
      resolveConfig(["upstream"], flags, { env, cwd }).upstreams;
    expect(upstreams({}, {})).toEqual([{ name: "a", url: "http://a/v1", models: ["x-*"] }]);
    expect(upstreams({ upstream: "http://b/v1" }, {})).toBeUndefined();
    expect(upstreams({}, { NERIF_UPSTREAM: "http://b/v1" })).toBeUndefined();
  });

  it("reads what is said of each upstream, its paths from where the file is", () => {
    writeFileSync(
      join(cwd, "nerif.config.yaml"),
      `upstreams:
  - name: far
    url: https://models.example/team-a/v1
    api_key_env: FAR_KEY
    models: { gpt-4o: llama-3, "llama-*": ~ }
    limits: { requests_per_minute: 60 }
    headers: { x-team: batch, x-gateway-key: { env: GATEWAY_KEY } }
    connect_timeout: 2s
    request_timeout: 15m
    proxy: none
    ca_file: certs/internal.pem
    priority: 10
    max_share: 0.5
    off_peak: ["22:00-06:00", sat-sun]
    target_latency: 800ms
`,
    );
    expect(resolveConfig([], {}, { env: {}, cwd }).upstreams).toEqual([
      {
        name: "far",
        url: "https://models.example/team-a/v1",
        apiKeyEnv: "FAR_KEY",
        models: { "gpt-4o": "llama-3", "llama-*": null },
        limits: { requestsPerMinute: 60 },
        headers: { "x-team": "batch", "x-gateway-key": { env: "GATEWAY_KEY" } },
        connectTimeoutMs: 2_000,
        requestTimeoutMs: 900_000,
        proxy: "none",
        caFile: join(cwd, "certs", "internal.pem"),
        priority: 10,
        maxShare: 0.5,
        offPeak: ["22:00-06:00", "sat-sun"],
        targetLatencyMs: 800,
      },
    ]);
  });

  it.each([
    ["headers: { x-a: { env: sk-canary-1 } }", /headers\.x-a\.env in .*: it must be the name of an env/],
    ["headers: { x-a: [sk-canary-1] }", /upstreams\.0\.headers\.x-a in .*text, or env: VARIABLE/],
    ["models: { a: 5 }", /upstreams\.0\.models in .*globs, or pairs/],
    ["max_share: 0", /upstreams\.0\.max_share in /],
    ["max_share: 1.5", /upstreams\.0\.max_share in /],
    ["priority: high", /upstreams\.0\.priority in /],
    ["request_timeout: 0s", /upstreams\.0\.request_timeout in .*longer/],
  ])("refuses %j in an upstream without repeating what may be a key", (text, message) => {
    writeFileSync(join(cwd, "nerif.config.yaml"), `upstreams: [{ name: a, url: "http://a/v1", ${text} }]\n`);
    const resolve = () => resolveConfig([], {}, { env: {}, cwd });
    expect(resolve).toThrow(message);
    expect(resolve).not.toThrow(/canary/);
  });

  it.each([
    ["max_attempt: 5\n", /nerif\.config\.yaml has the unknown key "max_attempt"/],
    ["upstreams: [{ name: a, url: u, modles: [] }]\n", /unknown key "upstreams\.0\.modles"/],
    ["upstreams: [{ name: a }]\n", /upstreams\.0\.url in .*nerif\.config\.yaml/],
    ["upstream: http://a/v1\nupstreams: []\n", /both upstream and upstreams/],
    ["max_attempts: many\n", /max_attempts "many" in .*: it must be a whole number from 1 to 1000/],
    ["request_timeout: 600\n", /request_timeout in .*: cannot read "600" as a duration/],
    ["a: b: c\n", /is not YAML/],
    ["- 1\n", /is not a list of keys and values/],
    ["constructor: 1\n", /unknown key "constructor"/],
  ])("refuses the file %j", (text, message) => {
    writeFileSync(join(cwd, "nerif.config.yaml"), text);
    const resolve = () => resolveConfig(["maxAttempts"], {}, { env: {}, cwd });
    expect(resolve).toThrow(message);
    expect(codeOf(resolve)).toBe("invalid_configuration");
  });

  it.each([
    ["database_url: 5", "database_url", "it must be text, not an integer"],
    ["database_url: [sk-canary]", "database_url", "it must be text, not an array"],
    ["key_env: { a: sk-canary }", "key_env", "it must be text, not an object"],
    ["upstreams: here", "upstreams", "it must be a list, not a string"],
    ["upstreams: [http://a/v1]", "upstreams.0", "it must be keys and values, not a string"],
    ["upstreams: [{ name: a }]", "upstreams.0.url", "it is missing"],
    ["upstreams: [{ name: '', url: u }]", "upstreams.0.name", "it is empty"],
    ["upstreams: [{ name: a, url: u, models: [] }]", "upstreams.0.models", "it is empty"],
    [
      "upstreams: [{ name: a, url: u, max_share: 1.5 }]",
      "upstreams.0.max_share",
      "it must be at most 1, not 1.5",
    ],
    [
      "upstreams: [{ name: a, url: u, max_share: 0 }]",
      "upstreams.0.max_share",
      "it must be more than 0, not 0",
    ],
    [
      "upstreams: [{ name: a, url: u, limits: { tokens_per_minute: 0 } }]",
      "upstreams.0.limits.tokens_per_minute",
      "it must be at least 1, not 0",
    ],
    [
      "upstreams: [{ name: a, url: u, limits: many }]",
      "upstreams.0.limits",
      "it must be keys and values, not a string",
    ],
    [
      "upstreams: [{ name: a, url: u, priority: 1.5 }]",
      "upstreams.0.priority",
      "it must be a whole number from -2147483648 to 2147483647",
    ],
    [
      "upstreams: [{ name: a, url: u, off_peak: [5] }]",
      "upstreams.0.off_peak.0",
      "it must be text, not an integer",
    ],
  ])("says of the file %j which key it is, and what it may be", (text, key, why) => {
    const path = join(cwd, "nerif.config.yaml");
    writeFileSync(path, text);
    const resolve = () => resolveConfig([], {}, { env: {}, cwd });
    expect(resolve).toThrow(`Cannot use the configuration: ${key} in ${path}: ${why}`);
    expect(resolve).not.toThrow(/canary/);
  });

  it("refuses a file without a name, and a directory", () => {
    const resolve = (config: string) => resolveConfig([], { config }, { env: {}, cwd });
    expect(() => resolve("")).toThrow('Cannot use --config "": it is empty');
    expect(() => resolve(".")).toThrow(`Cannot use the configuration: cannot read ${cwd}: it is a directory`);
  });

  it("refuses two files, and one that is not there", () => {
    writeFileSync(join(cwd, "nerif.config.yaml"), "");
    writeFileSync(join(cwd, "nerif.config.json"), "{}");
    expect(() => resolveConfig([], {}, { env: {}, cwd })).toThrow(/two configuration files/);
    expect(() => resolveConfig([], { config: "gone.yaml" }, { env: {}, cwd })).toThrow(
      /gone\.yaml: it does not exist/,
    );
  });

  it("never repeats what may be a key", () => {
    const resolve = () =>
      resolveConfig(["upstreamApiKeyEnv"], { upstreamApiKeyEnv: "sk-1234" }, { env: {}, cwd });
    expect(resolve).toThrow(/--upstream-api-key-env: it must be the name of an environment variable/);
    expect(resolve).not.toThrow(/sk-1234/);
  });

  it.each([
    [
      "concurrency",
      "x",
      /^Cannot use --concurrency "x": it must be auto, a whole number from 1 to 10000, or a/,
    ],
    ["metadata", "foo", /^Cannot use --metadata "foo": it must look like key=value,key=value$/],
    ["metadata", "=a", /^Cannot use --metadata "=a": it must look like/],
    [
      "limit",
      "9".repeat(200),
      /^Cannot use --limit "9{79}…: it must be a whole number from 1 to 4000000000$/,
    ],
    ["logLevel", "loud", /^Cannot use --log-level "loud": it must be one of trace, debug, info, /],
    ["requestTimeout", "x", /^Cannot use --request-timeout: cannot read "x" as a duration: it must be a /],
  ] as const)("names the option --%s, what was given (%s), and what it may be", (name, value, message) => {
    expect(() => resolveConfig([name], { [name]: value }, { env: {}, cwd })).toThrow(message);
  });

  it("names the variable, what is in it, and what it may be", () => {
    const resolve = () => resolveConfig(["strict"], {}, { env: { NERIF_STRICT: "maybe" }, cwd });
    expect(resolve).toThrow('Cannot use NERIF_STRICT "maybe": it must be true or false');
  });

  it.each([
    ['{"headers": {\n  "x-key": sk-secret123456\n}}', "line 2, column 12"],
    ["{'upstream': 'sk-secret123456'}", "line 1, column 2"],
    ['{"a": "sk-secret123456', "line 1, column 23"],
    ['{"a": "sk-secret\n123456"}', "line 1, column 17"],
    ['{"upstream": "sk-secret123456",}', "line 1, column 32"],
    ['["sk-secret123456",]', "line 1, column 20"],
    ['{"a": 1} sk-secret123456', "line 1, column 10"],
    ["", "line 1, column 1"],
  ])("says where the file %j is no JSON, and repeats nothing of it", (text, where) => {
    const path = join(cwd, "nerif.config.json");
    writeFileSync(path, text);
    expect(() => resolveConfig(["strict"], {}, { env: {}, cwd })).toThrow(
      new RegExp(`^Cannot use the configuration: .*nerif\\.config\\.json is not JSON: ${where}$`),
    );
  });

  it("never repeats what may be a key that stands in the file", () => {
    writeFileSync(join(cwd, "nerif.config.yaml"), "upstream: [sk-secret]\n");
    const resolve = () => resolveConfig(["strict"], {}, { env: {}, cwd });
    expect(resolve).toThrow(/: upstream in .*: it must be text$/);
  });
});

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (reason) {
    if (reason instanceof NerifError) return reason.code;
  }
  return "none";
}
