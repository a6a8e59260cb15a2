import type { FaultMode } from "../../support/fault-server.ts";

/**
 * What a way to fail means for its line: it spends an attempt, is a timeout, spends nothing, is the end of the line,
 * or is no failure at all however it looks.
 */
export type FaultClass = "spends" | "times out" | "waits" | "final" | "succeeds";

export interface FaultKind {
  mode: FaultMode | "ok";
  class: FaultClass;
  /** Of the whole answer; null where there is none. */
  status: number | null;
  /** Of the error that the line ends with when this was its last answer. */
  code: string;
  /** How often it occurs among mixed faults, against the others. */
  weight: number;
  /** So much comes that a slow reader may run into its timeout first. */
  isBig: boolean;
  /** Says how long to wait: so many seconds, or until the date so many seconds from now. */
  retryAfter: { seconds: number; as: "seconds" | "date" } | null;
}

const broken = ["rst_before_answer", "rst_in_body", "fin_before_answer", "cut_chunked"] as const;
const malformed = ["short_content_length", "bad_chunk", "not_http"] as const;
const notJson = {
  html: 200,
  bad_gateway: 502,
  damaged_gzip: 200,
  unknown_encoding: 200,
  invalid_utf8: 200,
} as const;
const tooLarge = { huge_headers: 60, announced_too_large: 60, gzip_bomb: 4, endless_body: 2 } as const;
const odd = [
  "large_headers",
  "wrong_content_type",
  "tiny_chunks",
  "early_hints",
  "gzip",
  "br",
  "zstd",
] as const;

/** Every way to fail, by its name. `refused` is none of them: who refuses sees no call. */
export const faultKinds: Readonly<Record<string, FaultKind>> = {
  ...all([...broken, ...malformed], () => kind("spends", { code: "connection_failed" })),
  ...all(["hang", "slow_drip"], () => kind("times out", { code: "request_timeout", weight: 30 })),
  ...all(keysOf(notJson), (mode) =>
    kind("spends", { status: notJson[mode], code: "invalid_upstream_response" }),
  ),
  ...all(["408", "409", "500", "503"], (mode) => kind("spends", { status: Number(mode) })),
  ...all(["400", "404"], (mode) => kind("final", { status: Number(mode), weight: 100 })),
  ...all(["429"], () => kind("waits", { status: 429 })),
  "429 with seconds": pause("seconds"),
  "429 with a date": pause("date"),
  error_in_200: { ...kind("final", { status: 200, code: "bad_thing" }), mode: "error_in_200" },
  ...all(keysOf(tooLarge), (mode) => ({
    ...kind("final", { code: "response_too_large", weight: tooLarge[mode] }),
    isBig: mode === "gzip_bomb" || mode === "endless_body",
  })),
  ...all([...odd, "close_after_answer"], () => kind("succeeds", { status: 200 })),
};

export const noFault: FaultKind = { ...kind("succeeds", { status: 200 }), mode: "ok" };

type Unnamed = Omit<FaultKind, "mode">;

function kind(
  of: FaultClass,
  { status = null, code, weight = 400 }: { status?: number | null; code?: string; weight?: number },
): Unnamed {
  return {
    class: of,
    status,
    code: code ?? `upstream_http_${status}`,
    weight,
    isBig: false,
    retryAfter: null,
  };
}

/** Rare: each keeps its whole route waiting. */
function pause(as: "seconds" | "date"): FaultKind {
  return { ...kind("waits", { status: 429, weight: 6 }), mode: "429", retryAfter: { seconds: 1, as } };
}

function all<M extends FaultMode>(modes: readonly M[], of: (mode: M) => Unnamed): Record<string, FaultKind> {
  return Object.fromEntries(modes.map((mode) => [mode, { ...of(mode), mode }]));
}

function keysOf<K extends string>(of: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(of) as K[];
}
