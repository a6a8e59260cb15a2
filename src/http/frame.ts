import type { MiddlewareHandler } from "hono";
import { NerifError } from "../batch/errors.ts";
import type { HttpLog, RequestContext, RequestEnvironment } from "./environment.ts";
import { errorResponse, isServerFault } from "./error-response.ts";
import { newRequestId } from "./request-id.ts";

/** What every answer has, whatever was asked for. @param draining aborts when the server stops */
export function frame(draining: AbortSignal): MiddlewareHandler<RequestEnvironment> {
  return async (c, next) => {
    c.set("requestId", newRequestId());
    await next();
    c.res.headers.set("x-request-id", c.get("requestId"));
    // Another request on this connection would find nobody.
    if (draining.aborted) c.res.headers.set("connection", "close");
  };
}

export function unknownRoute(c: RequestContext): Response {
  const { pathname } = new URL(c.req.url);
  const message = `Invalid URL (${c.req.method} ${pathname.slice(0, 200)})`;
  return errorResponse(new NerifError("route_not_found", message));
}

/** Answers what was thrown; the operator reads of what was not the client's doing. */
export function failures(log: HttpLog): (reason: Error, c: RequestContext) => Response {
  return (reason, c) => {
    if (isServerFault(reason)) {
      log.error({ err: reason, requestId: c.get("requestId") }, `${c.req.method} ${c.req.routePath} failed`);
    }
    return errorResponse(reason);
  };
}
