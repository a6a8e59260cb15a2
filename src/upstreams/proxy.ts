import { BlockList, isIP } from "node:net";
import { NerifError } from "../batch/errors.ts";
import type { Environment } from "./options.ts";

/**
 * The proxy for an upstream as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` (in either case) say, or null for none.
 * Loopback addresses are never asked for through a proxy, which could not reach them.
 *
 * @throws NerifError `invalid_configuration` for a proxy that is no URL
 */
export function proxyFor(url: URL, env: Environment): string | null {
  const name = url.protocol === "https:" ? "https_proxy" : "http_proxy";
  const proxy = read(env, name);
  if (proxy === null || isLoopback(url.hostname) || isExempt(url, read(env, "no_proxy") ?? "")) return null;
  const full = withScheme(proxy);
  if (URL.canParse(full)) return full;
  // The value stays out of the message: it may hold a password.
  throw new NerifError("invalid_configuration", `Cannot use the proxy that ${name} names: it is no URL`);
}

/** What a configuration names as proxy, or null when it is none that can be used. */
export function proxyUrl(text: string): URL | null {
  const url = URL.parse(withScheme(text));
  return url?.protocol === "http:" || url?.protocol === "https:" ? url : null;
}

function withScheme(proxy: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

function read(env: Environment, name: string): string | null {
  const value = (env[name] ?? env[name.toUpperCase()] ?? "").trim();
  return value === "" ? null : value;
}

function isLoopback(hostname: string): boolean {
  if (hostname === "localhost" || hostname.endsWith(".localhost")) return true;
  const address = hostname.replace(/^\[|\]$/g, "");
  const loopback = new BlockList();
  loopback.addSubnet("127.0.0.0", 8, "ipv4");
  loopback.addAddress("::1", "ipv6");
  const family = isIP(address);
  return family !== 0 && loopback.check(address, family === 6 ? "ipv6" : "ipv4");
}

/** `*`, or a host of the list, with or without a port; a name stands for its subdomains too. */
function isExempt(url: URL, list: string): boolean {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      const [, host = "", only = port] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      const name = host.replace(/^\*?\./, "");
      return only === port && (url.hostname === name || url.hostname.endsWith(`.${name}`));
    });
}
