import { NerifError } from "../batch/errors.ts";

interface GuardOptions {
  anyHost?: boolean;
  isAllowedOrigin?: (origin: string) => boolean;
}

/**
 * Without keys everybody on this machine may use Nerif, also the web pages that are open in its browser. This
 * refuses what only they would send: another page's `Origin`, a fetch for another origin's page, and, since a page's
 * own name may be made to resolve to 127.0.0.1, a `Host` that is not loopback.
 *
 * @param options.anyHost true where Nerif was told to serve other machines too; default false
 * @param options.isAllowedOrigin tells the origins whose pages may use it; default none
 * @throws NerifError `request_forbidden`
 */
export function guardLoopback(
  request: Request,
  { anyHost = false, isAllowedOrigin = () => false }: GuardOptions = {},
): void {
  const host = request.headers.get("host") ?? new URL(request.url).host;
  if (!anyHost && !isLoopbackHost(host)) {
    throw forbidden(`the Host '${host.slice(0, 80)}' is not a loopback address`);
  }
  const origin = request.headers.get("origin");
  if (origin !== null && isAllowedOrigin(origin)) return;
  if (origin !== null && !isOrigin(origin, host)) {
    throw forbidden(`the Origin '${origin.slice(0, 80)}' is not this server`);
  }
  // Pictures and scripts that a page asks for bring no Origin; "same-site" is a page at another port of this machine.
  const site = request.headers.get("sec-fetch-site");
  if (site === "cross-site" || site === "same-site") {
    throw forbidden("it comes from a page of another origin");
  }
}

/** Whether a `host:port`, or a host, is this very machine by its loopback name or address. */
export function isLoopbackHost(host: string): boolean {
  const name = hostName(host);
  if (name === null) return false;
  if (name === "localhost" || name === "[::1]") return true;
  return /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

function hostName(host: string): string | null {
  // Nothing that could move the name elsewhere in a URL (user@, path) is part of a host.
  if (!/^[A-Za-z0-9.:[\]-]+$/.test(host)) return null;
  try {
    return new URL(`http://${host}`).hostname;
  } catch {
    return null;
  }
}

function isOrigin(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

function forbidden(reason: string): NerifError {
  return new NerifError(
    "request_forbidden",
    `Cannot accept the request: ${reason}. Without API keys Nerif answers only programs on its own machine`,
  );
}
