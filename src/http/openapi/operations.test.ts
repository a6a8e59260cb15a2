import { expect, it } from "vitest";
import { z } from "zod";
import { openTestInstance } from "../../../test/support/http-instance.ts";
import { createHealthService } from "../../service/health.ts";
import { createModelService } from "../../service/models.ts";
import { createApp } from "../app.ts";
import { operations } from "./operations.ts";

/** Described before they are served; this list is to become empty. */
const notServedYet: readonly RegExp[] = [
  / \/v1\/webhook_endpoints\b/,
  / \/v1\/webhook_event_types$/,
];

async function servedRoutes(): Promise<string[]> {
  const instance = await openTestInstance();
  const { control, fileStore: files, journal, engine } = instance;
  const services = {
    ...instance.service,
    models: createModelService(instance),
    health: createHealthService({ control, files, journal, engine }),
  };
  const app = createApp(services, { log: { error() {} } });
  return app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:\w+/g, "{}")}`)
    .sort();
}

/** Names of parameters are for readers; `{}` is any. */
function describedRoutes(): string[] {
  return operations.map(({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, "{}")}`).sort();
}

it("every route is described, and everything described is a route", async () => {
  const described = describedRoutes().filter((route) => !notServedYet.some((pattern) => pattern.test(route)));
  expect(await servedRoutes()).toEqual(described);
});

it("nothing is described twice", () => {
  const ids = operations.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(new Set(describedRoutes()).size).toBe(ids.length);
});

it("no field of an answer can be set by sending it back", () => {
  let checked = 0;
  for (const { id, body: { schema } = {}, answers } of operations) {
    const answer = answers[200];
    if (!(schema instanceof z.ZodObject) || !(answer instanceof z.ZodObject)) continue;
    const fields = Object.keys(answer.shape).filter((field) => !(field in schema.shape));
    for (const field of fields) {
      const issues = schema.safeParse({ [field]: "x" }).error?.issues ?? [];
      const unknown = issues.flatMap((issue) => (issue.code === "unrecognized_keys" ? issue.keys : []));
      expect(unknown, `${id} with ${field}`).toEqual([field]);
      checked += 1;
    }
  }
  expect(checked).toBeGreaterThan(40);
});
