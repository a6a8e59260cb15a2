import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { checkers, deploymentOf, givenValues, renderChart } from "./chart.ts";
import { parseDockerfile } from "./dockerfile.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
let bin: string;
beforeAll(async () => {
  bin = await checkers();
}, 300_000);

describe("docker/", () => {
  test("the image is built as hadolint wants it, on the Node of the tests", () => {
    execFileSync(join(bin, "hadolint"), [join(root, "docker/Dockerfile")], { encoding: "utf8" });
    const { node } = JSON.parse(read("package.json")).devDependencies;
    const bases = parseDockerfile(read("docker/Dockerfile")).map(({ from }) => from);
    expect(new Set(bases)).toEqual(new Set([`node:${node}-bookworm-slim`]));
  });

  test("the compose file is what Compose's schema wants, and asks for every secret", () => {
    const schema = ["--builtin-schema", "vendor.compose-spec"];
    execFileSync(join(bin, "check-jsonschema"), [...schema, join(root, "docker/compose.yaml")]);
    const variables = [...read("docker/compose.yaml").matchAll(/\$\{(\w+)(:?[-?])/g)];
    const given = [...read("docker/example.env").matchAll(/^(\w+)=/gm)].map(([, name]) => name);
    expect(new Set(variables.map(([, name]) => name))).toEqual(new Set(given));
    const required = new Set(variables.filter(([, , sign]) => sign === ":?").map(([, name]) => name));
    expect(required).toEqual(new Set(["POSTGRES_PASSWORD", "S3_SECRET", "NERIF_ADMIN_KEY"]));
  });

  test("every container of Nerif in the compose file has a root that is read-only, and no rights", () => {
    const { services } = parse(read("docker/compose.yaml"), { merge: true }) as {
      services: Record<string, { image: string; stop_grace_period: string; environment: object }>;
    };
    const own = Object.entries(services).filter(([, { image }]) => image === "nerif");
    expect(own.map(([name]) => name)).toEqual(["server", "worker", "admin-key", "bucket", "model"]);
    for (const [name, service] of own) {
      expect([name, service]).toMatchObject([
        name,
        { read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] },
      ]);
    }
    expect(services.worker).toMatchObject({
      stop_grace_period: "45s",
      environment: { NERIF_SHUTDOWN_GRACE: "30s" },
    });
  });
});

describe("charts/nerif", () => {
  test.each(["s3", "shared"] as const)("renders what Kubernetes takes, with files in %s", async (name) => {
    const rendered = await renderChart(givenValues(name));
    expect(rendered).toMatchObject({ refusal: null, warnings: [], problems: [] });
    const kinds = rendered.manifests.map(({ kind }) => kind).toSorted();
    const always = ["ConfigMap", "Deployment", "Deployment", "NetworkPolicy", "NetworkPolicy"];
    const budgets = ["PodDisruptionBudget", "PodDisruptionBudget"];
    const scaling = name === "s3" ? ["ScaledObject", "TriggerAuthentication"] : [];
    expect(kinds).toEqual([...always, ...budgets, "Service", "ServiceAccount", ...scaling].toSorted());
    for (const component of ["server", "worker"] as const) {
      const pod = deploymentOf(rendered, component).spec.template.spec;
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      });
      for (const container of [...pod.initContainers, ...pod.containers]) {
        expect(container).toMatchObject({
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
          resources: { requests: expect.anything(), limits: { memory: expect.anything() } },
        });
        const volumes = pod.volumes.map((volume) => volume.name);
        expect(volumes).toEqual(container.volumeMounts.map((mount) => mount.name));
      }
    }
  });

  test("probes ask what both kinds of pods answer, and the grace fits into the time until the kill", async () => {
    const rendered = await renderChart(givenValues("s3"));
    for (const component of ["server", "worker"] as const) {
      const pod = deploymentOf(rendered, component).spec.template.spec;
      const [container] = pod.containers;
      expect(container).toMatchObject({
        ports: [{ name: "http", containerPort: 8787 }],
        startupProbe: { httpGet: { path: "/healthz", port: "http" } },
        livenessProbe: { httpGet: { path: "/healthz", port: "http" } },
        readinessProbe: { httpGet: { path: "/readyz", port: "http" } },
      });
      const settingOf = (name: string) => container?.env.find((each) => each.name === name)?.value;
      expect([settingOf("NERIF_PORT"), settingOf("NERIF_METRICS_PORT")]).toEqual(["8787", "8787"]);
      const preStop = Number(container?.lifecycle?.preStop.exec.command[1] ?? 0);
      const grace = Number.parseInt(settingOf("NERIF_SHUTDOWN_GRACE") ?? "", 10);
      expect(grace).toBe(120);
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(preStop + grace + 10);
    }
  });

  test("secrets come from Secrets alone, and the admin's key reaches nobody who serves", async () => {
    const rendered = await renderChart(givenValues("s3"));
    for (const component of ["server", "worker"] as const) {
      const { initContainers, containers } = deploymentOf(rendered, component).spec.template.spec;
      const secrets = ({ env }: (typeof containers)[number]) =>
        env.flatMap(({ name, valueFrom }) => (valueFrom === undefined ? [] : [name]));
      const all = ["NERIF_DATABASE_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "VLLM_API_KEY"];
      expect(containers.map(secrets)).toEqual([all]);
      expect(initContainers.map(secrets)).toEqual([[...all, "NERIF_ADMIN_KEY"]]);
    }
  });

  test("names that look like numbers or words of YAML stay names", async () => {
    const secret = { secret: "2026", key: "on" };
    const rendered = await renderChart({
      ...{ ...givenValues("s3"), image: { pullSecrets: ["0x10"] }, database: secret, adminKey: secret },
      secretEnv: [{ name: "Y", ...secret }],
    });
    expect(rendered).toMatchObject({ refusal: null, problems: [] });
    const pod = deploymentOf(rendered, "worker").spec.template.spec;
    const references = pod.initContainers[0]?.env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []);
    expect(references?.filter(({ name }) => name === "2026")).toEqual(
      Array.from({ length: 3 }, () => ({ name: "2026", key: "on" })),
    );
    expect(pod).toMatchObject({ imagePullSecrets: [{ name: "0x10" }] });
    const claimed = await renderChart({ ...givenValues("shared"), files: { sharedClaim: "1e3" } });
    expect(claimed).toMatchObject({ refusal: null, problems: [] });
  });

  test("workers are scaled by the lines that are to do, as a server tells them to who has the key", async () => {
    const { manifests, ...rest } = await renderChart(givenValues("s3"));
    const find = (kind: string) => manifests.find((manifest) => manifest.kind === kind);
    expect(find("ScaledObject")).toMatchObject({
      spec: {
        scaleTargetRef: { name: "release-nerif-worker" },
        minReplicaCount: 0,
        maxReplicaCount: 40,
        triggers: [
          {
            type: "metrics-api",
            metadata: {
              url: "http://release-nerif.batch.svc:443/metrics",
              format: "prometheus",
              valueLocation: "nerif_lines_queued",
              targetValue: "20000",
              authMode: "bearer",
            },
            authenticationRef: { name: find("TriggerAuthentication")?.metadata.name },
          },
        ],
      },
    });
    expect(deploymentOf({ manifests, ...rest }, "worker").spec.replicas).toBeUndefined();
    const byHand = await renderChart(givenValues("shared"));
    expect(deploymentOf(byHand, "worker").spec.replicas).toBe(2);
  });

  test.each([
    ["no database", { database: { secret: "" } }, "/database/secret"],
    ["no key for the admin", { adminKey: { secret: "" } }, "/adminKey/secret"],
    ["no upstream", { config: { max_attempts: 3 } }, "/config"],
    ["two places for files", { files: { sharedClaim: "x", s3: { bucket: "s3://b" } } }, "/files"],
    ["no place for files", { files: { sharedClaim: "" } }, "/files"],
    [
      "a secret in the configuration",
      { config: { upstream: "http://u", database_url: "postgres://u:p@h/n" } },
      "invalid propertyName 'database_url'",
    ],
    ["the value of a secret", { secretEnv: [{ name: "KEY", value: "sk-1" }] }, "/secretEnv/0"],
    ["a value that is not known", { server: { replica: 3 } }, "/server"],
  ])("refuses %s", async (_, values, place) => {
    const { refusal } = await renderChart({ ...givenValues("shared"), ...values });
    expect(refusal).toContain(place);
  });
});
