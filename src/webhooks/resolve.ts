import { lookup, Resolver } from "node:dns/promises";
import { once } from "node:events";
import { isIP } from "node:net";

/** How long one question to a name server may take, in milliseconds, and how often it is asked. */
const patience = { timeout: 2_000, tries: 2 };

/** Nobody says which addresses a name has. */
export class NameUnresolved extends Error {
  override readonly name = "NameUnresolved";
}

export interface ResolveOptions {
  /** Whether the operator named this very host, so that whoever answers for it is trusted to answer in time. */
  isTrusted: boolean;
  /** Addresses with ports of the name servers to ask. Default: those of the system. */
  nameServers?: readonly string[] | undefined;
  signal: AbortSignal;
}

/**
 * The addresses of a host name; an address is its own.
 *
 * The system's lookup cannot be broken off, and only two run at once in a process: with names whose servers do not
 * answer, which anybody can have, strangers would keep it from looking up its upstreams. So what strangers name is asked
 * of name servers directly. Names without a dot belong to this machine or its network, and are looked up there.
 *
 * @throws NameUnresolved, and the signal's reason
 */
export async function resolve(host: string, options: ResolveOptions): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  const { isTrusted, signal } = options;
  signal.throwIfAborted();
  const isLocal = isTrusted || !host.replace(/\.$/, "").includes(".");
  const found = isLocal ? lookUp(host) : ask(host, options);
  const aborted = once(signal, "abort").then(() => Promise.reject(signal.reason));
  // Whichever comes second is nobody's business any more.
  found.catch(() => {});
  aborted.catch(() => {});
  const addresses = await Promise.race([found, aborted]);
  if (addresses.length === 0) throw new NameUnresolved(`Nobody knows an address of ${host}`);
  return addresses;
}

async function lookUp(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true, order: "verbatim" })).map(({ address }) => address);
  } catch (cause) {
    throw new NameUnresolved(`The system does not know ${host}`, { cause });
  }
}

async function ask(host: string, { nameServers, signal }: ResolveOptions): Promise<string[]> {
  const resolver = new Resolver(patience);
  if (nameServers !== undefined) resolver.setServers(nameServers);
  const cancel = () => resolver.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  const answers = await Promise.allSettled([resolver.resolve6(host), resolver.resolve4(host)]);
  signal.removeEventListener("abort", cancel);
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
}
