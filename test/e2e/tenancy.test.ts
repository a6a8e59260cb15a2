import { describe, expect, it } from "vitest";
import { requestLine } from "../support/http-instance.ts";
import { inputForm } from "../support/http-server.ts";
import { createTenants, type Ids, type Tenants, unknownIds } from "../support/tenants.ts";

/** How one route is called, and what it is. A route without a row fails the test. */
interface Row {
  /** Every way to name something in a request: in its path, its query, its body. */
  calls: Record<string, (ids: Ids) => Call>;
  /** True: anybody may call it, and it shows nothing of anybody. */
  open?: boolean;
}

interface Call {
  path: string;
  body?: string | FormData;
}

const json = (value: object) => JSON.stringify(value);
const line = `${requestLine("another-line")}\n`;
const endpoint = { endpoint: "/v1/embeddings", completion_window: "24h" };

const rows: Record<string, Row> = {
  "GET /healthz": { open: true, calls: { plain: () => ({ path: "/healthz" }) } },
  "GET /readyz": { open: true, calls: { plain: () => ({ path: "/readyz" }) } },

  "GET /v1/models": { calls: { plain: () => ({ path: "/v1/models" }) } },

  "POST /v1/files": { calls: { plain: () => ({ path: "/v1/files", body: inputForm(line) }) } },
  "GET /v1/files": {
    calls: {
      plain: () => ({ path: "/v1/files" }),
      cursor: ({ file }) => ({ path: `/v1/files?after=${file}` }),
    },
  },
  "GET /v1/files/:id": { calls: { path: ({ file }) => ({ path: `/v1/files/${file}` }) } },
  "GET /v1/files/:id/content": { calls: { path: ({ file }) => ({ path: `/v1/files/${file}/content` }) } },
  "DELETE /v1/files/:id": { calls: { path: ({ file }) => ({ path: `/v1/files/${file}` }) } },

  "POST /v1/batches": {
    calls: {
      input: ({ input }) => ({ path: "/v1/batches", body: json({ input_file_id: input, ...endpoint }) }),
    },
  },
  "GET /v1/batches": {
    calls: {
      plain: () => ({ path: "/v1/batches" }),
      cursor: ({ batch }) => ({ path: `/v1/batches?after=${batch}` }),
    },
  },
  "GET /v1/batches/:id": { calls: { path: ({ batch }) => ({ path: `/v1/batches/${batch}` }) } },
  "POST /v1/batches/:id/cancel": {
    calls: { path: ({ batch }) => ({ path: `/v1/batches/${batch}/cancel` }) },
  },
  "POST /v1/batches/:id/retry": {
    calls: { path: ({ failedBatch }) => ({ path: `/v1/batches/${failedBatch}/retry` }) },
  },
  "GET /v1/batches/:id/results": {
    calls: {
      running: ({ batch }) => ({ path: `/v1/batches/${batch}/results` }),
      final: ({ failedBatch }) => ({ path: `/v1/batches/${failedBatch}/results` }),
      followed: ({ failedBatch }) => ({ path: `/v1/batches/${failedBatch}/results?follow=true` }),
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

  describe.each(Object.entries(rows))("%s", (route, { open = false, calls }) => {
    const method = route.split(" ")[0] as string;

    it.each(Object.keys(calls))("shows nothing to others and all to its own (%s)", async (name) => {
      const tenants = await createTenants();
      const call = calls[name] as (ids: Ids) => Call;
      const ask = (ids: Ids, key: string | null) => answer(tenants, { method, ...call(ids), key });
      const { ids, keys } = tenants;

      const none = await ask(ids, null);
      const revoked = await ask(ids, keys.revoked);
      if (open) {
        expect(none.status).toBe(200);
        expect(withoutIds(revoked)).toEqual(withoutIds(none));
      } else {
        expect(none).toMatchObject({ status: 401, body: expect.stringContaining('"code":null') });
        expect(revoked).toMatchObject({ status: 401, body: expect.stringContaining("invalid_api_key") });
      }

      const unknown = unknownIds();
      const foreign = await ask(ids, keys.other);
      const nobodys = await ask(unknown, keys.other);
      expect(withoutIds(foreign)).toEqual(withoutIds(nobodys));
      for (const secret of tenants.secrets) {
        // Ids that the request itself named may come back, as they do for what nobody has.
        const echoed = JSON.stringify(call(ids)).includes(secret);
        if (!echoed) for (const { body } of [none, revoked, foreign]) expect(body).not.toContain(secret);
      }

      // Last: what others tried has changed nothing of it.
      const own = await ask(ids, keys.own);
      expect(own).toMatchObject({ status: 200 });
      const namesSomething = JSON.stringify(call(ids)) !== JSON.stringify(call(unknown));
      if (namesSomething) expect(foreign.status).toBeGreaterThanOrEqual(400);
    });
  });
});

interface Answer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

async function answer(
  { app }: Tenants,
  { method, path, body, key }: Call & { method: string; key: string | null },
): Promise<Answer> {
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
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
      .replaceAll(/\d{10}/g, "…");
  const named = Object.entries(headers).map(([name, value]) => [name, plain(value)]);
  return { status, body: plain(body), headers: Object.fromEntries(named) };
}
