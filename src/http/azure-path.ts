import { getPath } from "hono/utils/url";

/**
 * The path by which a request is routed. Azure's clients put `/openai` where others put `/v1`, or in front of it, and
 * some name a deployment in between; which model a line goes to stands in the line, so that name says nothing here.
 * Everything that looks at a path has to look at this one, above all who asks for keys.
 */
export function routedPath(request: Request): string {
  const path = getPath(request);
  return path.replace(/^\/openai(?:\/v1|\/deployments\/[^/]+)?(?=\/)/, "/v1");
}
