import { describe, expect, it } from "vitest";
import type { EngineView } from "./run-view.ts";
import { createWatch } from "./run-watch.ts";

type Route = EngineView["routes"][number];

const unreachable = {
  code: "unreachable",
  message: "The upstream cannot be reached: nobody listens there",
} as const;
const broken = { code: "outage", message: "The server had an error" } as const;
const account = { code: "account", message: "Incorrect API key provided" } as const;

function view(routes: Partial<Route>[], done = 0): EngineView {
  return {
    counts: { total: 100, completed: done, failed: 0 },
    inFlight: 0,
    rate: null,
    routes: routes.map((route) => ({
      ...{
        endpoint: "/v1/embeddings",
        model: "m",
        upstream: "default",
        ...{ limit: 8, limitPerSecond: null, inFlight: 0, rate: null, ready: 0, waiting: 0 },
        reason: null,
        succeeded: 0,
      },
      ...route,
    })),
  };
}

/** The code that the watch answers with after the views, one a second from 0. */
function watched(
  rules: { wait: boolean; terminal: boolean },
  views: EngineView[],
  seconds = 1,
): string | null {
  const watch = createWatch(rules);
  let code: string | null = null;
  views.forEach((one, index) => {
    code ??= watch(one, index * seconds * 1_000)?.code ?? null;
  });
  return code;
}

const alone = { wait: false, terminal: false };
const seen = { wait: false, terminal: true };

describe("createWatch()", () => {
  it("stops after 10 seconds without an upstream, and not before", () => {
    const views = Array.from({ length: 11 }, () => view([{ reason: unreachable }]));
    expect(watched(alone, views.slice(0, 10))).toBeNull();
    expect(watched(alone, views)).toBe("upstream_unreachable");
    expect(watched(seen, views)).toBe("upstream_unreachable");
  });

  it("waits for the upstream with --wait", () => {
    const views = Array.from({ length: 60 }, () => view([{ reason: unreachable }]));
    expect(watched({ ...alone, wait: true }, views)).toBeNull();
  });

  it("goes on once anything was answered", () => {
    const late = Array.from({ length: 60 }, () => view([{ reason: unreachable, succeeded: 1 }], 1));
    expect(watched(alone, [view([{ reason: unreachable }]), ...late])).toBeNull();
  });

  it("goes on after a resume when the first seconds are slow, not silent", () => {
    const views = Array.from({ length: 60 }, () => view([{ inFlight: 64 }], 50));
    expect(watched(alone, views)).toBeNull();
  });

  it("waits for a server that answers with errors: calls were sent", () => {
    const views = Array.from({ length: 60 }, () => view([{ reason: broken }]));
    expect(watched(alone, views)).toBeNull();
  });

  it("goes on while another route gets on", () => {
    const views = Array.from({ length: 60 }, () => view([{ reason: unreachable }, { inFlight: 3 }]));
    expect(watched(alone, views)).toBeNull();
  });

  it("stops at once at an account problem when nobody is there", () => {
    expect(watched(alone, [view([{ reason: account, succeeded: 5 }], 5)])).toBe("upstream_account");
  });

  it("stops at an account problem at a terminal only when nothing has succeeded", () => {
    expect(watched(seen, [view([{ reason: account }])])).toBe("upstream_account");
    expect(watched(seen, [view([{ reason: account, succeeded: 5 }], 5)])).toBeNull();
  });

  it("pauses at an account problem with --wait", () => {
    expect(watched({ ...alone, wait: true }, [view([{ reason: account }])])).toBeNull();
  });
});
