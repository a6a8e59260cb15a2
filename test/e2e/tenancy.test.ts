import { describe, expect, it } from "vitest";
import { requestLine } from "../support/http-instance.ts";
import { inputForm } from "../support/http-server.ts";
import { createTenants, type Ids, type Tenants, unknownIds } from "../support/tenants.ts";

/** How one route is called, and what it is. A route without a row fails the test. */
interface Row {
  /**
   * Every way to name something in a request: in its path, its query, its body. `its` is what is named, which may be
   * anybody's; `mine` is what the caller itself has, to name something foreign beside it.
   */
  calls: Record<string, (its: Ids, mine: Ids) => Call>;
  /** True: anybody may call it, and it shows nothing of anybody. */
  open?: boolean;
  /** True: it is about the whole server, and keys of these projects may not see it. */
  forbidden?: boolean;
}

interface Call {
  path: string;
  body?: string | FormData;
}

const json = (value: object) => JSON.stringify(value);
const line = `${requestLine("another-line")}\n`;
const endpoint = { endpoint: "/v1/embeddings", completion_window: "24h" };
const upload = { filename: "a.jsonl", purpose: "batch", bytes: line.length, mime_type: "application/jsonl" };
const receiver = { name: "r", url: "https://hooks.example.net/", event_types: ["batch.completed"] };

/** A call without a body that names one thing in its path. */
const inPath = (pathOf: (its: Ids) => string) => ({ calls: { path: (its: Ids) => ({ path: pathOf(its) }) } });

/** A list, whose cursor names something. */
const list = (path: string, after: keyof Ids) => ({
  calls: {
    plain: () => ({ path }),
    cursor: (its: Ids) => ({ path: `${path}?after=${its[after]}` }),
  },
});

function partForm(): FormData {
  const form = new FormData();
  form.set("data", new Blob([line]), "upload");
  return form;
}

const rows: Record<string, Row> = {
  "GET /healthz": { open: true, calls: { plain: () => ({ path: "/healthz" }) } },
  "GET /openapi.json": { open: true, calls: { plain: () => ({ path: "/openapi.json" }) } },
  "GET /metrics": { forbidden: true, calls: { plain: () => ({ path: "/metrics" }) } },
  "GET /readyz": { open: true, calls: { plain: () => ({ path: "/readyz" }) } },

  "GET /v1/models": { calls: { plain: () => ({ path: "/v1/models" }) } },

  "POST /v1/files": { calls: { plain: () => ({ path: "/v1/files", body: inputForm(line) }) } },
  "GET /v1/files": list("/v1/files", "file"),
  "GET /v1/files/:id": inPath(({ file }) => `/v1/files/${file}`),
  "GET /v1/files/:id/content": inPath(({ file }) => `/v1/files/${file}/content`),
  "DELETE /v1/files/:id": inPath(({ file }) => `/v1/files/${file}`),

  "POST /v1/uploads": { calls: { plain: () => ({ path: "/v1/uploads", body: json(upload) }) } },
  "POST /v1/uploads/:id/parts": {
    calls: { path: (its) => ({ path: `/v1/uploads/${its.upload}/parts`, body: partForm() }) },
  },
  "POST /v1/uploads/:id/complete": {
    calls: {
      path: (its, mine) => ({
        path: `/v1/uploads/${its.upload}/complete`,
        body: json({ part_ids: [mine.part] }),
      }),
      part: (its, mine) => ({
        path: `/v1/uploads/${mine.upload}/complete`,
        body: json({ part_ids: [its.part] }),
      }),
    },
  },
  "POST /v1/uploads/:id/cancel": inPath((its) => `/v1/uploads/${its.upload}/cancel`),

  "POST /v1/batches": {
    calls: {
      input: ({ input }) => ({ path: "/v1/batches", body: json({ input_file_id: input, ...endpoint }) }),
    },
  },
  "GET /v1/batches": list("/v1/batches", "batch"),
  "GET /v1/batches/:id": inPath(({ batch }) => `/v1/batches/${batch}`),
  "GET /v1/batches/:id/progress": inPath(({ batch }) => `/v1/batches/${batch}/progress`),
  "POST /v1/batches/:id/cancel": inPath(({ batch }) => `/v1/batches/${batch}/cancel`),
  "POST /v1/batches/:id/retry": inPath(({ failedBatch }) => `/v1/batches/${failedBatch}/retry`),
  "GET /v1/batches/:id/results": {
    calls: {
      running: ({ batch }) => ({ path: `/v1/batches/${batch}/results` }),
      final: ({ failedBatch }) => ({ path: `/v1/batches/${failedBatch}/results` }),
      followed: ({ failedBatch }) => ({ path: `/v1/batches/${failedBatch}/results?follow=true` }),
    },
  },

  "GET /v1/webhook_event_types": { calls: { plain: () => ({ path: "/v1/webhook_event_types" }) } },
  "POST /v1/webhook_endpoints": {
    calls: { plain: () => ({ path: "/v1/webhook_endpoints", body: json(receiver) }) },
  },
  "GET /v1/webhook_endpoints": list("/v1/webhook_endpoints", "webhook"),
  "GET /v1/webhook_endpoints/:id": inPath(({ webhook }) => `/v1/webhook_endpoints/${webhook}`),
  "POST /v1/webhook_endpoints/:id": {
    calls: {
      path: ({ webhook }) => ({ path: `/v1/webhook_endpoints/${webhook}`, body: json({ name: "new" }) }),
    },
  },
  "DELETE /v1/webhook_endpoints/:id": inPath(({ webhook }) => `/v1/webhook_endpoints/${webhook}`),
  "POST /v1/webhook_endpoints/:id/rotate_secret": inPath(
    ({ webhook }) => `/v1/webhook_endpoints/${webhook}/rotate_secret`,
  ),
  "POST /v1/webhook_endpoints/:id/test": {
    calls: {
      path: ({ webhook }) => ({
        path: `/v1/webhook_endpoints/${webhook}/test`,
        body: json({ event_type: "batch.completed" }),
      }),
    },
  },
};

describe("tenancy", () => {
  it("is tested for every route that there is, and for none that there is not", async () => {
    const { app } = await createTenants();
    const routes = app.routes
      // Middleware; a route for every method is one with a path of its own.
      .filter(({ method, path }) => !(method === "ALL" && path.endsWith("*")))
      .map(({ method, path }) => `${method} ${path}`);
    expect(Object.keys(rows).sort()).toEqual([...new Set(routes)].sort());
  });

  describe.each(Object.entries(rows))("%s", (route, { open = false, forbidden = false, calls }) => {
    const method = route.split(" ")[0] as string;

    it.each(Object.keys(calls))("shows nothing to others and all to its own (%s)", async (name) => {
      const tenants = await createTenants();
      const { keys, own, other, secret } = tenants;
      const unknown = unknownIds();
      const call = calls[name] as Row["calls"][string];
      const ask = (key: string | null, its: Ids, mine: Ids) =>
        answer(tenants, { method, ...call(its, mine), key });

      const none = await ask(null, own, own);
      const revoked = await ask(keys.revoked, own, own);
      if (open) {
        expect(none.status).toBe(200);
        expect(withoutIds(revoked)).toEqual(withoutIds(none));
      } else {
        expect(none).toMatchObject({ status: 401, body: expect.stringContaining('"code":null') });
        expect(revoked).toMatchObject({ status: 401, body: expect.stringContaining("invalid_api_key") });
      }

      const foreign = await ask(keys.other, own, other);
      const nobodys = await ask(keys.other, unknown, other);
      expect(withoutIds(foreign)).toEqual(withoutIds(nobodys));
      const namesSomething = shown(call(own, other)) !== shown(call(unknown, other));
      if (namesSomething) expect(foreign.status).toBeGreaterThanOrEqual(400);
      for (const text of [secret, ...Object.values(own)]) {
        // Ids that the request itself named may come back, as they do for what nobody has.
        if (shown(call(own, other)).includes(text)) continue;
        for (const { body } of [none, revoked, foreign]) expect(body).not.toContain(text);
      }

      // Last: what others tried has changed nothing of it.
      expect(await ask(keys.own, own, own)).toMatchObject({ status: forbidden ? 403 : 200 });
    });
  });

  it("holds for idempotency keys: two projects may use the same one", async () => {
    const tenants = await createTenants();
    const { keys, own, other } = tenants;
    const create = async (key: string, { input }: Ids) => {
      const body = json({ input_file_id: input, ...endpoint });
      const headers = { "idempotency-key": "the-same" };
      return answer(tenants, { method: "POST", path: "/v1/batches", body, key, headers });
    };
    const first = await create(keys.own, own);
    const second = await create(keys.other, other);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(JSON.parse(second.body).id).not.toBe(JSON.parse(first.body).id);
    expect((await create(keys.own, own)).body).toBe(first.body);
  });
});

function shown({ path, body }: Call): string {
  return `${path} ${typeof body === "string" ? body : ""}`;
}

interface Answer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

async function answer(
  { app }: Tenants,
  { method, path, body, key, ...more }: Call & { method: string; key: string | null; headers?: object },
): Promise<Answer> {
  const headers = { ...more.headers, ...(key !== null && { authorization: `Bearer ${key}` }) };
  const request = new Request(`http://localhost${path}`, { method, headers, ...(body && { body }) });
  const response = await app.fetch(request);
  return {
    status: response.status,
    body: await response.text(),
    headers: Object.fromEntries(response.headers),
  };
}

/** Ids are random and times pass; everything else of two answers can be compared. */
function withoutIds({ status, body, headers }: Answer): Answer {
  const plain = (text: string) =>
    text
      .replaceAll(/\b(file-|batch_|upload_|part_|whe_|key_|req_)[A-Za-z0-9]+/g, "$1…")
      .replaceAll(/whsec_[*A-Za-z0-9+/=]+/g, "whsec_…")
      .replaceAll(/\d{10}/g, "…");
  const named = Object.entries(headers).map(([name, value]) => [name, plain(value)]);
  return { status, body: plain(body), headers: Object.fromEntries(named) };
}
