import { startNginx } from "./nginx.ts";
import { startNode } from "./node.ts";

/** A model server that costs next to nothing, in a process of its own, so that its CPU time is not counted. */
export interface Upstream {
  /** What it is, for the results. */
  name: string;
  /** Base URL under which each answer is as many milliseconds late. */
  url(delayMs: number): string;
  stop(): void;
}

/** @param scratch an existing directory for its own files */
export async function startUpstream(scratch: string): Promise<Upstream> {
  const nginx = await startNginx(scratch);
  if ("upstream" in nginx) return nginx.upstream;
  console.error(`Without nginx (${nginx.missing}) the upstream is a small server on Node, which is slower.`);
  return startNode();
}
