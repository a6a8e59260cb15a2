import { expect, test } from "vitest";
import { NerifError } from "../batch/errors.ts";
import type { Environment } from "./options.ts";
import { resolveUpstreams, type UpstreamChoice } from "./resolve.ts";

const everything: Environment = {
  NERIF_UPSTREAM: "http://from-variable/v1",
  NERIF_UPSTREAM_API_KEY: "nerif-key",
  OPENAI_BASE_URL: "http://from-openai-variable/v1",
  OPENAI_API_KEY: "openai-key",
};
const listed = { upstreams: [{ name: "local", url: "http://listed/v1" }] };

function only(choice: UpstreamChoice, env: Environment): { url: string; apiKey: string | null } {
  const [first, ...others] = resolveUpstreams(choice, env);
  expect(others).toEqual([]);
  return { url: first?.url.href ?? "", apiKey: first?.apiKey ?? null };
}

function without(...names: string[]): Environment {
  return Object.fromEntries(Object.entries(everything).filter(([name]) => !names.includes(name)));
}

test.each<[string, UpstreamChoice, Environment, string]>([
  ["the option", { upstream: "http://given/v1", ...listed }, everything, "http://given/v1"],
  ["the list of the configuration", listed, everything, "http://listed/v1"],
  ["NERIF_UPSTREAM", {}, everything, "http://from-variable/v1"],
  ["OPENAI_BASE_URL", {}, without("NERIF_UPSTREAM"), "http://from-openai-variable/v1"],
  ["OpenAI", {}, { OPENAI_API_KEY: "k" }, "https://api.openai.com/v1"],
  ["OpenAI", { ignoreOpenAIBaseUrl: true }, without("NERIF_UPSTREAM"), "https://api.openai.com/v1"],
  [
    "OpenAI",
    {},
    { NERIF_UPSTREAM: " ", OPENAI_BASE_URL: "", OPENAI_API_KEY: "k" },
    "https://api.openai.com/v1",
  ],
])("resolveUpstreams() takes %s when nothing before it is there", (_name, choice, env, url) => {
  expect(only(choice, env).url).toBe(url);
});

test.each<[string, UpstreamChoice, Environment, string | null]>([
  [
    "NERIF_UPSTREAM_API_KEY to the upstream of the option",
    { upstream: "http://given" },
    everything,
    "nerif-key",
  ],
  ["NERIF_UPSTREAM_API_KEY to NERIF_UPSTREAM", {}, everything, "nerif-key"],
  [
    "no key of OpenAI's to a foreign host",
    { upstream: "http://given" },
    without("NERIF_UPSTREAM_API_KEY"),
    null,
  ],
  ["no key at all to a listed upstream that names none", listed, everything, null],
  ["OpenAI's key to OpenAI", { upstream: "https://api.openai.com/v1" }, { OPENAI_API_KEY: "k" }, "k"],
  [
    "no key to OpenAI's name without TLS",
    { upstream: "http://api.openai.com/v1" },
    { OPENAI_API_KEY: "k" },
    null,
  ],
  ["OpenAI's key to OPENAI_BASE_URL", {}, without("NERIF_UPSTREAM"), "openai-key"],
  [
    "OpenAI's key to the host that OPENAI_BASE_URL names",
    { upstream: "http://from-openai-variable/v2" },
    without("NERIF_UPSTREAM_API_KEY"),
    "openai-key",
  ],
  [
    "the key that was named",
    { upstream: "http://given", upstreamApiKeyEnv: "MINE" },
    { ...everything, MINE: "m" },
    "m",
  ],
  [
    "the key that a variable names",
    {},
    { ...everything, NERIF_UPSTREAM_API_KEY_ENV: "MINE", MINE: "m" },
    "m",
  ],
  [
    "the key that a list names",
    { upstreams: [{ name: "a", url: "http://a", apiKeyEnv: "MINE" }] },
    { ...everything, MINE: "m" },
    "m",
  ],
])("resolveUpstreams() gives %s", (_name, choice, env, apiKey) => {
  expect(only(choice, env).apiKey).toBe(apiKey);
});

test("resolveUpstreams() gives each listed upstream its own concurrency and models, and the rest the common one", () => {
  const upstreams = [
    { name: "a", url: "http://a", models: ["llama-*"], concurrency: 3 },
    { name: "b", url: "http://b" },
  ];
  const [a, b] = resolveUpstreams({ upstreams, concurrency: 7 }, {});
  expect(a).toMatchObject({ name: "a", models: ["llama-*"], concurrency: 3 });
  expect(b).toMatchObject({ name: "b", models: null, concurrency: 7 });
});

test("resolveUpstreams() reads the variables that a listed upstream names", () => {
  const upstreams = [
    { name: "a", url: "http://a", headers: { "x-key": { env: "GATEWAY" } }, proxy: { env: "PROXY" } },
    { name: "b", url: "http://b", proxy: "proxy:3128", requestTimeoutMs: 1 },
    { name: "c", url: "http://c", proxy: "none" },
    { name: "d", url: "http://d" },
  ];
  const resolved = resolveUpstreams({ upstreams }, { GATEWAY: "g", PROXY: "http://me:secret@proxy:3128" });
  expect(resolved.map(({ proxy }) => proxy)).toEqual([
    "http://me:secret@proxy:3128/",
    "http://proxy:3128/",
    null,
    undefined,
  ]);
  expect(resolved[0]?.headers).toEqual({ byName: new Map([["x-key", "g"]]), secrets: ["g"] });
  expect(resolved.map(({ requestTimeoutMs }) => requestTimeoutMs)).toEqual([
    undefined,
    1,
    undefined,
    undefined,
  ]);
});

test("resolveUpstreams() reads what is left to live traffic", () => {
  const yields = (options: object) =>
    resolveUpstreams({ upstreams: [{ name: "a", url: "http://a", ...options }] }, {})[0]?.yields;
  expect(yields({ maxShare: 0.5, offPeak: ["sat 20:00-22:00"], targetLatencyMs: 800 })).toEqual({
    maxShare: 0.5,
    offPeak: [{ days: [6], from: 1_200, minutes: 120 }],
    targetLatencyMs: 800,
  });
  expect(yields({ targetLatencyMs: 1 })).toEqual({ maxShare: 1, offPeak: [], targetLatencyMs: 1 });
  expect(yields({ maxShare: 1 })).toBeUndefined();
});

test.each([
  [{ proxy: "http://me:secret@proxy" }, /credentials.*variable/],
  [{ proxy: "socks5://secret" }, /no http or https URL/],
  [{ proxy: { env: "PROXY" } }, /PROXY, which should hold its proxy, is not set/],
  [{ requestTimeoutMs: 0 }, /requestTimeoutMs is 0/],
  [{ headers: { host: "secret" } }, /Nerif's own/],
  [{ maxShare: 0 }, /max_share is 0/],
  [{ maxShare: Number.NaN }, /max_share is NaN/],
  [{ offPeak: ["22:00-06:00"] }, /off_peak needs a max_share/],
  [{ maxShare: 0.5, offPeak: ["nights"] }, /cannot read "nights" in off_peak: it must look like 22:00-06:00/],
  [{ targetLatencyMs: -1 }, /targetLatencyMs is -1/],
  [{ priority: 0.5 }, /priority is 0.5/],
  [{ limits: { requestsPerMinute: 0 } }, /limits.requestsPerMinute is 0/],
  [{ limits: { tokensPerMinute: -5 } }, /limits.tokensPerMinute is -5/],
  [{ concurrency: { least: 5, most: 2 } }, /concurrency is 5 to 2/],
  [{ concurrency: 0 }, /concurrency is 0 and must be auto, a whole number from 1/],
  [{ concurrency: 1.5 }, /concurrency is 1.5/],
])("resolveUpstreams() refuses a listed upstream with %j, without the secret", (options, message) => {
  const error = thrownBy(() =>
    resolveUpstreams({ upstreams: [{ name: "a", url: "http://a", ...options }] }, {}),
  );
  expect(error).toMatchObject({ code: "invalid_configuration", message: expect.stringMatching(message) });
  expect(error.message).not.toContain("secret");
});

test.each<[string, UpstreamChoice, Environment, string, RegExp]>([
  ["nothing is set", {}, {}, "upstream_not_configured", /NERIF_UPSTREAM.*OPENAI_BASE_URL.*OPENAI_API_KEY/],
  [
    "only the address is set, which a server does not take",
    { ignoreOpenAIBaseUrl: true },
    { OPENAI_BASE_URL: "http://localhost:1/v1" },
    "upstream_not_configured",
    /, or set OPENAI_API_KEY for OpenAI$/,
  ],
  ["nothing is listed", { upstreams: [] }, {}, "upstream_not_configured", /no upstream/],
  [
    "no call would be allowed",
    { upstream: "http://a", concurrency: 0 },
    {},
    "invalid_configuration",
    /"a": its concurrency is 0/,
  ],
  ["the URL is none", { upstream: "localhost:8000" }, {}, "invalid_configuration", /"localhost:8000"/],
  ["a variable holds no URL", {}, { NERIF_UPSTREAM: "nowhere" }, "invalid_configuration", /NERIF_UPSTREAM/],
  [
    "the named key is not set",
    { upstream: "http://a", upstreamApiKeyEnv: "MINE" },
    {},
    "invalid_configuration",
    /MINE/,
  ],
  [
    "two share a name",
    {
      upstreams: [
        { name: "a", url: "http://a" },
        { name: "a", url: "http://b" },
      ],
    },
    {},
    "invalid_configuration",
    /two are named "a"/,
  ],
])("resolveUpstreams() refuses when %s, and says what to mend", (_name, choice, env, code, message) => {
  expect(() => resolveUpstreams(choice, env)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
});

test.each(["http://me:secret@host/v1", "me:secret@host:8000/v1", "ftp://me:secret@host", "secret"])(
  "resolveUpstreams() repeats no credentials that it was given as a URL: %s",
  (upstream) => {
    const error = thrownBy(() => resolveUpstreams({ upstream }, {}));
    expect(error.code).toBe("invalid_configuration");
    expect(error.message).not.toContain("secret");
  },
);

test("resolveUpstreams() does not point to OPENAI_BASE_URL where it is not looked at", () => {
  const error = thrownBy(() =>
    resolveUpstreams({ ignoreOpenAIBaseUrl: true }, { OPENAI_BASE_URL: "http://x" }),
  );
  expect(error.message).not.toContain("OPENAI_BASE_URL");
});

function thrownBy(act: () => unknown): NerifError {
  try {
    act();
  } catch (reason) {
    if (reason instanceof NerifError) return reason;
  }
  throw new Error("expected a NerifError");
}
