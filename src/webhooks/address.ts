import ipaddr from "ipaddr.js";

/** Every address of IPv6 that routers carry through the internet begins so; what lies elsewhere is special. */
const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");

/** Public by its range, and yet the service inside of each Azure network that gives machines their settings. */
const azureHost = "168.63.129.16";

/**
 * Whether an address belongs to a machine somewhere in the internet, rather than to this machine, its network, a
 * cloud's metadata service, or a tunnel that leads back to one of them.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address) || address === azureHost) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== "unicast") return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(globalUnicast);
}
