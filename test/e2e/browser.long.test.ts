import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { listen } from "../../src/http/node.ts";
import { handlerOf } from "../../src/http/serve.ts";
import { noBrowser, openPage, servePage, shownAt } from "../support/browser.ts";
import { openTestInstance, requestLine, type TestInstance, uploadInput } from "../support/http-instance.ts";

const html = readFileSync(new URL("../fixtures/hostile-page.html", import.meta.url), "utf8");
const secret = "what nobody else may read";

interface Attack {
  instance: TestInstance;
  /** The one file that the server has before. */
  input: string;
  port: number;
  /** What the page made of each of its tries. */
  results: Record<string, { type: string; status: number; text: string } | string | null>;
  /** Every request that came to the server, with the status of its answer. */
  requests: string[];
}

/** A keyless server, and a page of another origin in a browser that tries everything on it. */
async function attack({ host, allowed = [] }: { host: string; allowed?: string[] }): Promise<Attack> {
  const page = await servePage(() => html.replaceAll("TARGET", server.url).replaceAll("INPUT", input));
  const instance = await openTestInstance();
  const { id: input } = await uploadInput(instance, `${requestLine("a", secret)}\n`);
  const requests: string[] = [];
  const handler = handlerOf(instance, { corsOrigins: allowed.map((name) => `http://${name}:${page.port}`) });
  const server = await listen({
    port: 0,
    async handler(request) {
      const response = await handler(request);
      requests.push(`${request.method} ${new URL(request.url).pathname} ${response.status}`);
      return response;
    },
  });
  onTestFinished(() => server.close());
  await openPage(`http://${host}:${page.port}/`);
  const results = (await page.reported) as Attack["results"];
  return { instance, input, port: server.port, results, requests };
}

describe.skipIf(noBrowser !== null && process.env.CI !== "true")(
  `a page in a browser${noBrowser === null ? "" : ` (${noBrowser})`}`,
  () => {
    it.each(["127.0.0.1", "localhost", "evil.test"])(
      "creates, reads and removes nothing on a keyless server when it is of %s",
      async (host) => {
        const { instance, input, results, requests } = await attack({ host });
        const { files, batches } = instance.service;
        // They came and were refused by the server; that the browser hides what it got is not what protects it.
        for (const came of ["POST /v1/files", "POST /v1/batches", "GET /v1/files", "GET /readyz"]) {
          expect(requests).toContain(`${came} 403`);
        }
        expect(requests.filter((request) => !request.endsWith(" 403"))).toEqual([]);
        expect((await files.list("default")).data.map(({ id }) => id)).toEqual([input]);
        expect((await batches.list("default")).data).toEqual([]);

        expect(Object.keys(results)).toHaveLength(18);
        const { blindUpload, blindCreate, blindList, beacon, ...others } = results;
        const opaque = { type: "opaque", status: 0, text: "" };
        expect([blindUpload, blindCreate, blindList]).toEqual([opaque, opaque, opaque]);
        expect(beacon).toBe("sent");
        for (const [name, result] of Object.entries(others)) {
          const isNothing = result === null || result === "refused" || /Error/.test(String(result));
          expect([name, result, isNothing]).toEqual([name, result, true]);
        }
        expect(JSON.stringify(results)).not.toContain(secret);
      },
    );

    it("may use the server when its origin is allowed, and only then", async () => {
      const { instance, input, results } = await attack({ host: "localhost", allowed: ["localhost"] });
      expect(results).toMatchObject({
        upload: { type: "cors", status: 200, text: expect.stringContaining("planted.jsonl") },
        create: { type: "cors", status: 200, text: expect.stringContaining('"validating"') },
        list: { type: "cors", status: 200, text: expect.stringContaining(input) },
        content: { type: "cors", status: 200, text: expect.stringContaining(secret) },
        // A batch that is not final reads it.
        delete: { type: "cors", status: 409 },
      });
      expect((await instance.service.batches.list("default")).data.length).toBeGreaterThan(0);
      const other = await attack({ host: "evil.test", allowed: ["localhost"] });
      expect((await other.instance.service.files.list("default")).data).toHaveLength(1);
      expect(JSON.stringify(other.results)).not.toContain(secret);
    });

    it("that was rebound to this machine gets 403", async () => {
      const { port, input } = await attack({ host: "127.0.0.1" });
      for (const path of ["/v1/files", "/v1/batches", `/v1/files/${input}/content`, "/readyz"]) {
        const shown = await shownAt(`http://evil.test:${port}${path}`);
        expect(shown).toContain("request_forbidden");
        expect(shown).toContain(`the Host 'evil.test:${port}' is not a loopback address`);
        expect(shown).not.toContain(secret);
      }
      expect(await shownAt(`http://localhost:${port}/v1/files`)).toContain(input);
    });
  },
);
