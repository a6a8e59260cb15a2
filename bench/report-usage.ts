import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** Loaded before a program that is measured: writes what it used to the file `BENCH_USAGE` when it ends. */
process.on("exit", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const usage = { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakBytes: peak() ?? maxRSS * 1024 };
  writeFileSync(process.env.BENCH_USAGE ?? "/dev/stderr", JSON.stringify(usage));
});

/** `getrusage` counts what the process that started us occupied at that moment; the kernel's own mark does not. */
function peak(): number | null {
  const status = "/proc/self/status";
  const kilobytes = existsSync(status) && /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(status, "utf8"))?.[1];
  return kilobytes ? Number(kilobytes) * 1024 : null;
}
