import type { Clock } from "../../src/engine/clock.ts";
import type { TestClock } from "../support/clock.ts";
import type { TestServer } from "../support/http-server.ts";
import type { ClientOptions, Method, Sdk } from "./sdk/sdk.ts";
import type { ContractServer, ServerKind } from "./servers.ts";
import type { Exchange, Tap } from "./tap.ts";

/** One fact of the contract, and how we know that it holds, or why it does not. */
export interface Row {
  /** Number of the part of the contract that states it. */
  section: string;
  /** The fact in our own words, in Markdown. */
  title: string;
  /** Rejects when the fact does not hold; beside a `difference`, when we do not behave as that says. */
  check?: (context: RowContext) => Promise<void>;
  /** Why we differ. */
  difference?: string;
  /** The one SDK that the fact is about. Default: both. */
  only?: "node" | "python";
  /** Calls without which an older version of an SDK cannot check it. */
  needs?: Method;
}

/** What a row works with. Everything it opens ends with it. */
export interface RowContext {
  language: "node" | "python";
  /** A client of the usual server. */
  sdk: Sdk;
  /** The usual server. */
  server: Connection;
  /** Another server, and a client of it. */
  on(kind: ServerKind): Promise<Connection>;
  /** Another client, by default of the usual server. */
  client(options: Partial<ClientOptions>): Sdk;
  /** A server in this process that executes nothing and has a clock of its own, which stands still unless given. */
  still(options?: { clock?: Clock }): Promise<StillServer>;
  /** A file on disk with this content. */
  file(content: string | Buffer, name?: string): Promise<string>;
}

export interface StillServer {
  sdk: Sdk;
  client(options: Partial<ClientOptions>): Sdk;
  /** Means nothing where another clock was given. */
  clock: TestClock;
  tap: Tap;
  server: TestServer;
}

/** A server, and a client of it. */
export interface Connection extends ContractServer {
  sdk: Sdk;
  /** The last exchange with a path that has this in it. */
  last(path?: string): Exchange;
}

/** Names a row in the files that one run leaves to the next step. */
export function rowKey({ section, title }: Row): string {
  return `${section} ${title}`;
}
