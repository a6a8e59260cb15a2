import { Hono } from "hono";
import { isFinal } from "../batch/lifecycle.ts";
import { batchListParams } from "../service/batch-list-params.ts";
import type { BatchService } from "../service/batches.ts";
import { parseParams } from "../service/parse-params.ts";
import { resultsParams } from "../service/results-params.ts";
import { byteStream } from "./byte-stream.ts";
import { createOptions } from "./create-options.ts";
import type { HttpLog, RequestEnvironment } from "./environment.ts";
import { isServerFault } from "./error-response.ts";
import { readJsonObject } from "./json-body.ts";
import { listObject, pairsQuery, queryParams } from "./list.ts";

/**
 * `/v1/batches`
 *
 * @param draining aborts when the server stops; streams that follow a batch end then
 */
export function batchRoutes({
  batches,
  log,
  draining,
}: {
  batches: BatchService;
  log: HttpLog;
  draining: AbortSignal;
}): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();

  routes.post("/", async (c) => {
    const options = createOptions(c);
    return c.json(await batches.create(c.get("project"), await readJsonObject(c.req.raw), options));
  });

  routes.get("/", async (c) =>
    c.json(
      listObject(
        await batches.list(c.get("project"), {
          ...queryParams(c, batchListParams),
          metadata: pairsQuery(c, "metadata"),
        }),
      ),
    ),
  );

  routes.get("/:id", async (c) => c.json(await batches.retrieve(c.get("project"), c.req.param("id"))));

  routes.get("/:id/progress", async (c) =>
    c.json(await batches.progress(c.get("project"), c.req.param("id"))),
  );

  // The body is never read: clients send none, or an empty one that claims to be JSON.
  routes.post("/:id/cancel", async (c) => c.json(await batches.cancel(c.get("project"), c.req.param("id"))));

  routes.post("/:id/retry", async (c) =>
    c.json(await batches.retry(c.get("project"), c.req.param("id"), createOptions(c))),
  );

  routes.get("/:id/results", async (c) => {
    const query = parseParams(resultsParams, queryParams(c, resultsParams), "read the results");
    const batch = await batches.retrieve(c.get("project"), c.req.param("id"));
    const headers = {
      "content-type": "application/jsonl; charset=utf-8",
      "x-content-type-options": "nosniff",
    };
    const follow = query.follow === "true" && !isFinal(batch.status);
    const gone = new AbortController();
    const lines = batches.results(c.get("project"), batch.id, {
      follow,
      apiKey: c.get("apiKey"),
      signal: AbortSignal.any([draining, gone.signal]),
    });
    const onError = (reason: unknown) => {
      if (draining.aborted || !isServerFault(reason)) return;
      log.error(
        { err: reason, requestId: c.get("requestId"), batch: batch.id },
        "A stream of results broke off",
      );
    };
    // What fails before the first byte is answered as an error; a batch that is followed may have none for long.
    const body = follow ? lines : await started(lines);
    if (c.req.raw.method === "HEAD") {
      await body[Symbol.asyncIterator]().return?.();
      return new Response(null, { headers });
    }
    return new Response(byteStream(body, { onError, onCancel: () => gone.abort() }), { headers });
  });

  return routes;
}

/** The same items, the first of them fetched already. */
async function started<T>(items: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const iterator = items[Symbol.asyncIterator]();
  let first: IteratorResult<T> | null = await iterator.next();
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const result = first ?? (await iterator.next());
        first = null;
        return result;
      },
      async return() {
        await iterator.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}
