import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { freePort } from "../support/free-port.ts";
import { startPostgres } from "../support/postgres.ts";
import { startS3 } from "../support/s3.ts";
import { type Container, deploymentOf, givenValues, renderChart } from "./chart.ts";
import { type Image, runImage } from "./image.ts";
import type { Sandboxed } from "./sandbox.ts";

const compose = join(import.meta.dirname, "../../docker/compose.yaml");

export const adminKey = "c0ffee00".repeat(8);

/** A container that goes with the test. */
export function startContainer(image: Image, options: Parameters<typeof runImage>[1]): Sandboxed {
  const container = runImage(image, options);
  onTestFinished(async () => {
    // It has ended already, where the test ended it.
    await container.kill("SIGKILL").catch(() => {});
    await container.ended;
  });
  return container;
}

/**
 * What the compose file and the chart start, one after the other and with the variables that stand there. Other than there
 * are only the addresses: all of it is on one machine.
 */
export function installationTests(image: () => Image): void {
  test("the services of the compose file run a batch together, and stop when they are told to", async () => {
    const { databaseUrl, endpoint, upstream } = await startSurroundings();
    const services = readServices({
      POSTGRES_PASSWORD: "unused",
      S3_SECRET: "S3RVER",
      NERIF_ADMIN_KEY: adminKey,
      NERIF_UPSTREAM: upstream,
    });
    const here = {
      NERIF_DATABASE_URL: databaseUrl,
      NERIF_S3_ENDPOINT: endpoint,
      AWS_ACCESS_KEY_ID: "S3RVER",
    };
    const start = (name: string, env: Record<string, string> = {}) => {
      const { environment, ...rest } = services[name] ?? {};
      return startContainer(image(), { ...rest, env: { ...environment, ...here, ...env } });
    };
    // As at the first start, and as at every later one.
    for (const name of ["bucket", "admin-key", "bucket", "admin-key"]) {
      await succeeded(start(name));
    }
    const ports = [await freePort(), await freePort(), await freePort()].map(String);
    const started = ["server", "worker", "worker"].map((name, nth) => {
      const port = ports[nth] ?? "";
      return { port, container: start(name, { NERIF_PORT: port, NERIF_METRICS_PORT: port }) };
    });
    await Promise.all(
      started.map(({ container }) => container.printed(/Nerif (listens on|executes batches)/)),
    );
    for (const { port } of started) {
      const env = { NERIF_PORT: port };
      await succeeded(startContainer(image(), { entrypoint: image().healthcheck, env }));
    }
    expect(await runBatch(`http://127.0.0.1:${ports[0]}`)).toBe("completed");
    await stopAll(started.map(({ container }) => container));
  });

  test("the pods of the chart are ready by their probes, tell what they are scaled by, and drain", async () => {
    const { databaseUrl, endpoint, upstream } = await startSurroundings();
    const rendered = await renderChart({
      ...givenValues("s3"),
      files: { s3: { bucket: "s3://nerif-test/nerif", endpoint, region: "us-east-1", secret: "nerif-s3" } },
      config: { upstreams: [{ name: "local", url: upstream, api_key_env: "VLLM_API_KEY" }] },
    });
    expect(rendered.problems).toEqual([]);
    const config = rendered.manifests.find(({ kind }) => kind === "ConfigMap")?.data;
    const directory = mkdtempSync(join(image().root, "tmp/config-"));
    chmodSync(directory, 0o755);
    writeFileSync(join(directory, "nerif.config.yaml"), config?.["nerif.config.yaml"] ?? "");
    const secrets = {
      "nerif-database": { url: databaseUrl },
      "nerif-admin": { key: adminKey },
      "nerif-s3": { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
      "model-keys": { vllm: "sk-model" },
    };
    // The directory of the configuration cannot be had below this machine's /etc.
    const here = { NERIF_CONFIG: join("/tmp", basename(directory), "nerif.config.yaml") };

    const running = await Promise.all(
      (["server", "worker"] as const).map(async (component) => {
        const { initContainers, containers } = deploymentOf(rendered, component).spec.template.spec;
        for (const { args, env } of initContainers) {
          const options = { command: args, env: { ...valuesOf(env, secrets), ...here } };
          await succeeded(startContainer(image(), options));
        }
        const [container] = containers;
        if (container === undefined) throw new Error("The pod is empty");
        const port = String(await freePort());
        const env = { ...valuesOf(container.env, secrets), ...here };
        const ports = { NERIF_PORT: port, NERIF_METRICS_PORT: port };
        const started = startContainer(image(), { command: container.args, env: { ...env, ...ports } });
        await started.printed(/Nerif (listens on|executes batches)/);
        for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
          const answer = await fetch(`http://127.0.0.1:${port}${probe?.httpGet.path}`);
          expect([component, probe, answer.status]).toEqual([component, probe, 200]);
        }
        return { url: `http://127.0.0.1:${port}`, started };
      }),
    );
    const [server] = running;
    expect(await runBatch(server?.url ?? "")).toBe("completed");
    for (const { url } of running) {
      expect((await fetch(`${url}/metrics`)).status).toBe(401);
      const headers = { authorization: `Bearer ${adminKey}` };
      const metrics = await (await fetch(`${url}/metrics`, { headers })).text();
      expect(metrics).toMatch(/^nerif_lines_queued 0$/m);
    }
    await stopAll(running.map(({ started }) => started));
  });
}

/** A database, an S3 server with a bucket, and a model server. */
async function startSurroundings() {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.remove());
  const simulator = createSimulator({ latency: { kind: "fixed", ms: 5 } });
  onTestFinished(() => simulator.close());
  const { url: upstream } = await simulator.listen();
  const { endpoint = "" } = (await startS3()).options;
  return { databaseUrl: await postgres.createDatabase(), endpoint, upstream };
}

interface Service {
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
}

/** The services of the compose file, with its variables put in as Compose does. */
function readServices(variables: Record<string, string>): Record<string, Service> {
  const text = readFileSync(compose, "utf8").replaceAll(
    /\$\{(\w+):([-?])([^}]*)\}/g,
    (_, name: string, sign: string, rest: string) => {
      const value = variables[name] ?? (sign === "-" ? rest : undefined);
      if (value === undefined) throw new Error(`${name} is missing: ${rest}`);
      return value;
    },
  );
  return parse(text, { merge: true }).services;
}

function valuesOf(
  env: Container["env"],
  secrets: Record<string, Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => {
      const { name: secret = "", key = "" } = valueFrom?.secretKeyRef ?? {};
      const found = value ?? secrets[secret]?.[key];
      if (found === undefined) throw new Error(`${name} has no value`);
      return [name, found];
    }),
  );
}

async function succeeded({ ended }: Sandboxed): Promise<void> {
  const { code, output } = await ended;
  expect([code, output]).toEqual([0, expect.any(String)]);
}

async function stopAll(containers: Sandboxed[]): Promise<void> {
  for (const container of containers) await container.kill("SIGTERM");
  for (const { ended } of containers) {
    expect(await ended).toMatchObject({ code: 0, output: expect.stringContaining("Stopping") });
  }
}

/** Runs a batch of one line with the admin's key. @returns its status when it is final */
export async function runBatch(url: string): Promise<string> {
  const headers = { authorization: `Bearer ${adminKey}` };
  const ask = async (path: string, init: RequestInit = {}) =>
    (await (await fetch(`${url}${path}`, { headers, ...init })).json()) as { id: string; status: string };
  const line = { custom_id: "a", method: "POST", url: "/v1/embeddings", body: { model: "m", input: "x" } };
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", new Blob([`${JSON.stringify(line)}\n`]), "in.jsonl");
  const file = await ask("/v1/files", { method: "POST", body: form });
  const params = { input_file_id: file.id, endpoint: "/v1/embeddings", completion_window: "24h" };
  const { id } = await ask("/v1/batches", { method: "POST", body: JSON.stringify(params) });
  await (await fetch(`${url}/v1/batches/${id}/results?follow=true`, { headers })).text();
  return (await ask(`/v1/batches/${id}`)).status;
}
