import type { Metric } from "./metrics.ts";
import { packageVersion } from "./version.ts";

/** What is usual of a Node process, under the usual names. */
export function processMetrics(): Metric[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  const one = (name: string, help: string, value: number): Metric => ({
    ...{ name, help, type: name.endsWith("_total") ? "counter" : "gauge", samples: [{ value }] },
  });
  return [
    {
      name: "nerif_build_info",
      help: "Always 1; the versions are its labels.",
      type: "gauge",
      samples: [{ labels: { version: packageVersion(), node: process.version }, value: 1 }],
    },
    one("process_start_time_seconds", "Unix time at which the process began.", startedAt()),
    one("process_cpu_user_seconds_total", "User CPU time spent, in seconds.", user / 1e6),
    one("process_cpu_system_seconds_total", "System CPU time spent, in seconds.", system / 1e6),
    one("process_resident_memory_bytes", "Resident memory, in bytes.", rss),
    one("nodejs_heap_size_used_bytes", "Heap of JavaScript in use, in bytes.", heapUsed),
    one("nodejs_heap_size_total_bytes", "Heap of JavaScript, in bytes.", heapTotal),
    one(
      "nodejs_external_memory_bytes",
      "Memory outside of that heap that objects in it hold, in bytes.",
      external,
    ),
    one(
      "nodejs_eventloop_utilization",
      "Share of its life in which the event loop was at work, from 0 to 1.",
      performance.eventLoopUtilization().utilization,
    ),
  ];
}

function startedAt(): number {
  return performance.timeOrigin / 1_000;
}
