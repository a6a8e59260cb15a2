import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { NerifError } from "../batch/errors.ts";

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Receivers that the operator admits although they are inside of the network, and over plain HTTP. */
export interface AllowList {
  /** Whether this host name, as it stands in a URL, is admitted wherever it leads to. */
  hasName(host: string): boolean;
  /** Whether this address is admitted. */
  hasAddress(address: string): boolean;
}

/**
 * @param entries host names, addresses, and ranges such as `10.1.0.0/16`
 * @throws NerifError `invalid_configuration` for an entry that is none of these
 */
export function parseAllowList(entries: readonly string[]): AllowList {
  const names = new Set<string>();
  const ranges: Range[] = [];
  for (const entry of entries) {
    const range = rangeOf(entry);
    if (range !== null) ranges.push(range);
    else names.add(checkedName(entry));
  }
  return {
    hasName: (host) => names.has(host.toLowerCase().replace(/\.$/, "")),
    hasAddress(address) {
      const parsed = ipaddr.parse(address);
      return ranges.some(([base, bits]) => base.kind() === parsed.kind() && parsed.match(base, bits));
    },
  };
}

function rangeOf(entry: string): Range | null {
  const text = entry.replace(/^\[(.*)\]$/, "$1");
  if (text.includes("/")) return ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : null;
  // The short spellings of IPv4 are refused, being names at most: `10.1` is easily meant as something else.
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text)) return null;
  const address = ipaddr.parse(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

function checkedName(entry: string): string {
  // As a URL spells it, and so that no part of a URL but a name can stand in it.
  const name = /^[\p{L}\d_.-]+$/u.test(entry) ? URL.parse(`https://${entry}/`)?.hostname : undefined;
  if (name !== undefined && isIP(name) === 0) return name.replace(/\.$/, "");
  throw new NerifError(
    "invalid_configuration",
    `Cannot use ${JSON.stringify(entry.slice(0, 80))} as a receiver of webhooks: it must be a host name, an address, or a range such as 10.1.0.0/16, without a port`,
    { param: "webhook_allow" },
  );
}
