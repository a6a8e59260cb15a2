import { expect, it } from "vitest";
import { z } from "zod";
import { openTestInstance } from "../../../test/support/http-instance.ts";
import type { ApiDocument } from "../../../test/support/openapi.ts";
import { createModelService } from "../../service/models.ts";
import { appOf } from "../serve.ts";
import { createDocument } from "./document.ts";
import { operations } from "./operations.ts";

async function servedRoutes(): Promise<string[]> {
  const instance = await openTestInstance();
  const app = appOf(instance, { models: createModelService(instance) });
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
  expect(await servedRoutes()).toEqual(describedRoutes());
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

it("what reads a body may say that it took too long, and what heeds an Idempotency-Key what one is", () => {
  const { paths } = createDocument() as unknown as ApiDocument;
  const described = Object.values(paths).flatMap((path) => Object.values(path));
  const withBody = described.filter(({ requestBody }) => requestBody !== undefined);
  expect(withBody.length).toBeGreaterThan(5);
  for (const { operationId, responses } of withBody) expect(responses, operationId).toHaveProperty("408");
  const keys = described.flatMap(({ parameters = [] }) =>
    parameters.filter(({ in: place }) => place === "header"),
  );
  expect(keys.length).toBeGreaterThan(2);
  for (const { schema } of keys) {
    const { pattern, maxLength } = schema;
    expect([new RegExp(String(pattern)).test("a b"), maxLength]).toEqual([false, 255]);
  }
});

it("whatever changes something may say that the disk is full", () => {
  const changing = operations.filter(({ id, method }) => method !== "get" && id !== "testWebhookEndpoint");
  expect(changing.length).toBeGreaterThan(10);
  for (const { id, refusals } of changing) expect(refusals, id).toContain(507);
});
