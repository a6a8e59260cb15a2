import { once } from "node:events";
import { isIP, connect as openTcp, type Socket } from "node:net";
import { connect as openTls } from "node:tls";
import { isPublicAddress } from "./address.ts";
import type { AllowList } from "./allow-list.ts";
import { type ResolveOptions, resolve } from "./resolve.ts";

/** The name leads to an address to which nothing is sent. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
}

/**
 * Opens a connection to the host of a URL, by TLS unless it is `http:`. The name is resolved once, and what is connected
 * is one of the addresses that were looked at, so that a name server that changes its answer gains nothing. No
 * proxy is asked: it would connect where this process may not.
 *
 * @throws AddressRefused and NameUnresolved before anything is sent, and whatever system error there is
 */
export async function connect(
  url: URL,
  { allow, signal, nameServers }: { allow: AllowList } & Omit<ResolveOptions, "isTrusted">,
): Promise<Socket> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const isTrusted = allow.hasName(host);
  const isAdmitted = (address: string) => isTrusted || allow.hasAddress(address) || isPublicAddress(address);
  const addresses = (await resolve(host, { isTrusted, nameServers, signal })).filter(isAdmitted);
  if (addresses.length === 0) throw new AddressRefused();
  const port = Number(url.port) || (url.protocol === "http:" ? 80 : 443);
  const socket = await firstOf(addresses, { port, signal });
  if (socket.remoteAddress === undefined || !isAdmitted(socket.remoteAddress)) {
    socket.destroy();
    throw new AddressRefused();
  }
  return url.protocol === "http:" ? socket : secured(socket, { host, signal });
}

/** A connection to the first address that can be reached; Node tries them side by side. */
async function firstOf(
  addresses: string[],
  { port, signal }: { port: number; signal: AbortSignal },
): Promise<Socket> {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  const socket = openTcp({
    // Never looked up: the addresses are given.
    host: "receiver.invalid",
    port,
    lookup: (_host, _options, done) => done(null, all),
    autoSelectFamily: true,
  });
  // Those who wait for it are told; afterwards TLS or HTTP notice by themselves.
  socket.on("error", () => {});
  return opened(socket, { event: "connect", signal });
}

async function secured(
  socket: Socket,
  { host, signal }: { host: string; signal: AbortSignal },
): Promise<Socket> {
  const servername = isIP(host) === 0 ? host : "";
  const secure = openTls({ socket, host, servername, ALPNProtocols: ["http/1.1"] });
  try {
    return await opened(secure, { event: "secureConnect", signal });
  } catch (reason) {
    socket.destroy();
    throw reason;
  }
}

async function opened<T extends Socket>(
  socket: T,
  { event, signal }: { event: string; signal: AbortSignal },
): Promise<T> {
  try {
    await once(socket, event, { signal });
    return socket;
  } catch (reason) {
    // An error that comes after this one has nobody to tell.
    socket.on("error", () => {});
    socket.destroy();
    throw signal.aborted ? signal.reason : reason;
  }
}
