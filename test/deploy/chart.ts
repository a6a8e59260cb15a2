import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parse } from "yaml";
import { pythonEnvironment } from "../support/python-environment.ts";

const root = join(import.meta.dirname, "../..");
const chart = join(root, "charts/nerif");

/** As far as the tests look at it. */
export interface Manifest {
  kind: string;
  metadata: { name: string };
  spec?: object;
  data?: Record<string, string>;
}

export interface Deployment extends Manifest {
  spec: { replicas?: number; template: { spec: Pod } };
}

export interface Pod {
  initContainers: Container[];
  containers: Container[];
  terminationGracePeriodSeconds: number;
  automountServiceAccountToken: boolean;
  securityContext: object;
  volumes: { name: string }[];
}

export interface Container {
  name: string;
  args: string[];
  env: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }[];
  ports?: { name: string; containerPort: number }[];
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  startupProbe?: Probe;
  lifecycle?: { preStop: { exec: { command: string[] } } };
  securityContext: object;
  resources: object;
  volumeMounts: { name: string; mountPath: string }[];
}

interface Probe {
  httpGet: { path: string; port: string };
}

export interface Rendered {
  /** Why Helm refuses the values; null when it does not. */
  refusal: string | null;
  warnings: unknown[];
  manifests: Manifest[];
  /** What is not as Kubernetes wants it. */
  problems: string[];
}

/** Where the programs are with which these files are checked. */
export function checkers(): Promise<string> {
  return pythonEnvironment("nerif-deploy", join(import.meta.dirname, "requirements.txt"));
}

/** Values that come with the chart, for those who try it out. */
export function givenValues(name: "s3" | "shared"): Record<string, unknown> {
  return parse(readFileSync(join(chart, `ci/${name}-values.yaml`), "utf8"));
}

export async function renderChart(values: object): Promise<Rendered> {
  const python = join(await checkers(), "python");
  const child = execFile(python, [join(import.meta.dirname, "chart.py"), chart]);
  child.stdin?.end(JSON.stringify(values));
  if (child.stdout === null || child.stderr === null) throw new Error("The process has no output");
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (child.exitCode !== 0) throw new Error(`chart.py ended with ${child.exitCode}: ${errors}`);
  return JSON.parse(output);
}

export function deploymentOf({ manifests }: Rendered, component: "server" | "worker"): Deployment {
  const found = manifests.find(
    ({ kind, metadata }) => kind === "Deployment" && metadata.name.endsWith(`-${component}`),
  );
  if (found === undefined) throw new Error(`There is no Deployment of the ${component}`);
  return found as Deployment;
}
