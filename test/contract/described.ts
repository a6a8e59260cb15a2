import { type ApiDescription, readDescription } from "../support/openapi.ts";
import type { Servers } from "./servers.ts";
import type { Exchange } from "./tap.ts";

export interface Witness {
  /** Takes an exchange. */
  see(exchange: Exchange): void;
  /** Holds everything seen since the last time against the server's own description. @throws Error */
  judge(servers: Servers): Promise<void>;
}

/** Sees to it that no SDK is ever given JSON that `/openapi.json` does not describe. */
export function createWitness(): Witness {
  const exchanges: Exchange[] = [];
  let description: Promise<ApiDescription> | undefined;
  return {
    see: (exchange) => void exchanges.push(exchange),
    async judge(servers) {
      description ??= servers.get("usual").then(({ directUrl }) => readDescription(directUrl));
      const { assertMatches } = await description;
      for (const exchange of exchanges.splice(0)) {
        if (!isDescribable(exchange)) continue;
        const { method, path, status, answer } = exchange;
        // Azure's clients reach the same routes below other paths.
        const route = path.replace(/^\/openai(?:\/v1|\/deployments\/[^/]+)?(?=\/)/, "/v1");
        assertMatches(`${method} ${route}`, status, JSON.parse(answer));
      }
    },
  };
}

/** Whole, JSON, and the answer of a route that there is. */
function isDescribable({ answer, answerHeaders, isCut }: Exchange): boolean {
  const isJson = answerHeaders["content-type"]?.startsWith("application/json") ?? false;
  return isJson && !isCut && !answer.includes('"message":"Invalid URL (');
}
