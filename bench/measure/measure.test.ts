import { expect, it } from "vitest";
import { launch, measure } from "./measure.ts";

it("a measured command is counted with the processes that it started and waited for", async () => {
  const spin = "const until = process.cpuUsage().user + 200_000; while (process.cpuUsage().user < until);";
  const [alone, nested] = [
    await measure([process.execPath, "-e", spin]),
    await measure(["sh", "-c", '"$@"; true', "sh", process.execPath, "-e", spin]),
  ];
  for (const { cpuSeconds, peakBytes, seconds } of [alone, nested]) {
    expect(cpuSeconds).toBeGreaterThanOrEqual(0.2);
    expect(seconds).toBeGreaterThanOrEqual(0.2);
    expect(peakBytes).toBeGreaterThan(20 * 2 ** 20);
  }
});

it("a measured command hands on what it prints, and its failure with what it complained of", async () => {
  expect((await measure(["sh", "-c", "echo one; echo two"])).stdout).toBe("one\ntwo\n");
  await expect(measure(["sh", "-c", "echo no good >&2; exit 7"])).rejects.toThrow(/status 7: no good/);
});

it("a measured command gets the signal to stop and is still counted", async () => {
  const script =
    'process.on("SIGTERM", () => process.exit(0)); console.log("up"); setInterval(() => {}, 1000);';
  const { child, stdout, used } = launch([process.execPath, "-e", script]);
  await new Promise((resolve) => stdout.once("data", resolve));
  child.kill("SIGTERM");
  expect((await used).cpuSeconds).toBeGreaterThan(0);
});
