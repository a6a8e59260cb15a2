import type { MiddlewareHandler } from "hono";
import type { KeyService } from "../service/keys.ts";
import type { RequestContext, RequestEnvironment } from "./environment.ts";
import { guardLoopback } from "./loopback-guard.ts";

/** What anybody may ask for: it tells nothing of anybody's files and batches. All else needs a key, also what is not there. */
export const openPaths: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/openapi.json"]);

/** Whose objects are seen where no key is asked for. */
export const defaultProject = "default";

export interface Admission {
  keys: KeyService;
  /** Whether a request without a key may come for any host; default false. */
  anyHost: boolean;
  /** Whether a page of this origin may use the server. */
  isAllowedOrigin: (origin: string) => boolean;
  /** Whether a request needs no key though others do. */
  isOpen: (context: RequestContext) => boolean;
}

/**
 * Lets a request pass for a project: with a key for the project of the key, and as long as there never was a key for
 * the default one, when the request comes from a program on this machine.
 */
export function admit({
  keys,
  anyHost,
  isAllowedOrigin,
  isOpen,
}: Admission): MiddlewareHandler<RequestEnvironment> {
  return async (c, next) => {
    const open = openPaths.has(c.req.path) || isOpen(c);
    // An open path answers also while the storage does not, and then as strictly as without keys.
    const needsKey = await keys.required().catch((reason: unknown) => {
      if (open) return false;
      throw reason;
    });
    if (!needsKey) {
      guardLoopback(c.req.raw, { anyHost, isAllowedOrigin });
      c.set("apiKey", null);
      c.set("project", defaultProject);
    } else if (!open) {
      const key = await keys.authenticate(keyOf(c));
      c.set("apiKey", key);
      c.set("project", key.project);
    }
    await next();
  };
}

/** The project of a request for an open path; null when it brings no valid key though there are keys. */
export async function projectOf(c: RequestContext, keys: KeyService): Promise<string | null> {
  if (!(await keys.required())) return defaultProject;
  return (await keys.identify(keyOf(c)))?.project ?? null;
}

/** The key that a request brings: as OpenAI's clients send it, or as Azure's do. */
function keyOf(c: RequestContext): string | null {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "") ?? [];
  return bearer ?? (c.req.header("api-key")?.trim() || null);
}
