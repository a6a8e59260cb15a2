import {
  type Dialect,
  type Driver,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
} from "kysely";
import {
  Client,
  type CustomTypesConfig,
  DatabaseError,
  Pool,
  type PoolClient,
  type PoolConfig,
  types,
} from "pg";
import { NerifError } from "../batch/errors.ts";
import { cannotConnect, connectionFailure } from "./postgres-errors.ts";

export interface PostgresDialectOptions {
  /** `postgres://user:password@host:port/database`; what it leaves out comes from `PGUSER`, `PGPASSWORD` and so on. */
  url: string;
  connections: number;
  /** How long a connection may take to come about, or to become free, in milliseconds. */
  connectMs: number;
  /** After so many milliseconds the server gives a statement up. */
  statementMs: number;
}

/** A server that has not answered so long after it should have given up, in milliseconds, is not there any more. */
const silenceMs = 5_000;

/** Kysely on `pg`: transactions see nothing of one another, as on SQLite, and lost connections are told as such. */
export function createPostgresDialect(options: PostgresDialectOptions): Dialect {
  const dialect = new PostgresDialect({ pool: createPool(options) });
  return {
    createDriver: () => serializing(dialect.createDriver()),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
}

/**
 * Where a transaction does not say how much of others it may see, it sees nothing: what it read (a quota, a file that
 * is there) is still so when it commits, or it is run again. A statement by itself compares and sets one row, for
 * which the least isolation will do.
 */
function serializing(driver: Driver): Driver {
  const begin = driver.beginTransaction.bind(driver);
  driver.beginTransaction = (connection, settings) =>
    begin(connection, { ...settings, isolationLevel: settings.isolationLevel ?? "serializable" });
  return driver;
}

function createPool({ url, connections, connectMs, statementMs }: PostgresDialectOptions): PostgresPool {
  const pool = newPool({
    connectionString: url,
    application_name: "nerif",
    max: connections,
    connectionTimeoutMillis: connectMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    statement_timeout: statementMs,
    // A transaction whose process stands still must not hold its locks for ever.
    idle_in_transaction_session_timeout: statementMs,
    types: numbers,
    allowExitOnIdle: true,
  });
  // A connection that nobody uses was lost: the next one who needs one makes it anew.
  pool.on("error", () => {});
  return {
    async connect() {
      const client = await pool.connect().catch((reason: unknown) => {
        throw reason instanceof DatabaseError ? reason : lost(cannotConnect, reason);
      });
      return guarded(client, statementMs + silenceMs);
    },
    end: () => pool.end(),
    options: pool.options,
  };
}

/**
 * A client that answers every statement or is given up. A server that stands still keeps its connections, and
 * whoever got such a connection from the pool would wait for ever.
 */
function guarded(client: PoolClient, answerMs: number): PostgresPoolClient {
  let failure: Error | null = null;
  const onError = (reason: Error) => {
    failure ??= reason;
  };
  client.on("error", onError);

  async function query(text: string, values: readonly unknown[]) {
    // The rollback, say, of a transaction whose connection was given up: it would wait behind what gets no answer.
    if (failure !== null) throw lost(connectionFailure, failure);
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      failure ??= new Error(`No answer within ${answerMs} ms`);
      timeout.reject(failure);
    }, answerMs);
    try {
      const result = await Promise.race([client.query(text, [...values]), timeout.promise]);
      return { ...result, command: result.command as "SELECT", rowCount: result.rowCount ?? 0 };
    } catch (reason) {
      // What the server itself said is an answer; it may be that it ends this connection.
      if (reason instanceof DatabaseError && failure === null) throw reason;
      failure ??= reason as Error;
      throw lost(connectionFailure, reason);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    query: query as unknown as PostgresPoolClient["query"],
    release(destroy = false) {
      client.off("error", onError);
      client.release(failure ?? destroy);
    },
  };
}

function lost(code: string, cause: unknown): Error {
  return Object.assign(new Error("Cannot go on with this connection to the database", { cause }), { code });
}

/** Integers of eight bytes come as text from `pg`; those of Nerif are below 2^53. */
const numbers: CustomTypesConfig = {
  getTypeParser(id, format) {
    return id === types.builtins.INT8 ? toNumber : types.getTypeParser(id, format);
  },
};

function toNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new NerifError("data_damaged", `Cannot read ${text} from the database: it is no number of Nerif's`);
}

/** The URL may name files that are not there, or a port that is none: the driver would wait for ever for some of that. */
function newPool(config: PoolConfig): Pool {
  const refused = (what: string, cause?: unknown) =>
    new NerifError("invalid_configuration", `Cannot use the URL of the database: ${what}`, { cause });
  let port: number;
  try {
    port = new Client(config).port;
  } catch (cause) {
    throw refused("one of its parameters, or a file that it names, cannot be read", cause);
  }
  if (!(port >= 1 && port <= 65_535)) throw refused("its port must be a number from 1 to 65535");
  return new Pool(config);
}
