import { readFileSync } from "node:fs";

/** User and system time of a process so far, in milliseconds, of which the kernel counts tens. */
export function cpuMs(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ")
    .slice(11);
  return (Number(user) + Number(system)) * 10;
}
