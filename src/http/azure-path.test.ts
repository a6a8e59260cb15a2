import { describe, expect, it } from "vitest";
import { routedPath } from "./azure-path.ts";

describe("routedPath()", () => {
  it.each([
    ["/openai/v1/batches", "/v1/batches"],
    ["/openai/v1/files/file-x/content", "/v1/files/file-x/content"],
    ["/openai/batches?api-version=2024-10-21", "/v1/batches"],
    ["/openai/batches/batch_x/cancel?api-version=2024-10-21", "/v1/batches/batch_x/cancel"],
    ["/openai/deployments/gpt%2f4o/batches?api-version=1", "/v1/batches"],
    ["/openai/deployments/dep/batches/batch_x", "/v1/batches/batch_x"],
    ["/v1/batches?x=/openai/files", "/v1/batches"],
    ["/v1/openai/batches", "/v1/openai/batches"],
    ["/openai", "/openai"],
    ["/openaiv1/batches", "/openaiv1/batches"],
    ["/healthz", "/healthz"],
    ["/openai/v1/v1/batches", "/v1/v1/batches"],
  ])("routes %s like %s", (path, routed) => {
    expect(routedPath(new Request(`http://localhost:8787${path}`))).toBe(routed);
  });
});
