import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";

/**
 * Kysely on `node:sqlite`: one connection, which Kysely gives to one query or one transaction at a time (the
 * adapter says that there are not several).
 */
export function createSqliteDialect(database: DatabaseSync): Dialect {
  return {
    createDriver: () => createDriver(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

function createDriver(database: DatabaseSync): Driver {
  const connection = createConnection(database);
  return {
    async init() {},
    acquireConnection: async () => connection,
    async beginTransaction(_connection, settings) {
      // IMMEDIATE takes the write lock at once: a transaction that only reads at first and then wants to write
      // cannot wait for another writer, it fails.
      database.exec(settings.accessMode === "read only" ? "begin" : "begin immediate");
    },
    async commitTransaction() {
      // DURABLE: with synchronous=FULL the write-ahead log is synced before this returns.
      database.exec("commit");
    },
    async rollbackTransaction() {
      // A full disk makes SQLite roll back by itself; asked again it would hide the error that told so.
      if (database.isTransaction) database.exec("rollback");
    },
    async releaseConnection() {},
    async destroy() {
      database.close();
    },
  };
}

function createConnection(database: DatabaseSync): DatabaseConnection {
  const prepare = createStatementCache(database);
  return {
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      const { statement, returnsRows } = prepare(sql);
      const values = parameters as SQLInputValue[];
      if (returnsRows) return { rows: statement.all(...values) as R[] };
      return { rows: [], numAffectedRows: BigInt(statement.run(...values).changes) };
    },
    streamQuery() {
      throw new Error("Cannot stream a query: the one connection would be held meanwhile");
    },
  };
}

interface Prepared {
  statement: StatementSync;
  returnsRows: boolean;
}

/** Statements kept for another time. Inserts of many rows differ by their number, so there must be an end. */
const keptStatements = 200;

function createStatementCache(database: DatabaseSync): (sql: string) => Prepared {
  const cache = new Map<string, Prepared>();
  return (sql) => {
    let prepared = cache.get(sql);
    if (prepared === undefined) {
      const statement = database.prepare(sql);
      prepared = { statement, returnsRows: statement.columns().length > 0 };
      const oldest = cache.keys().next();
      if (cache.size >= keptStatements && !oldest.done) cache.delete(oldest.value);
    } else {
      cache.delete(sql);
    }
    cache.set(sql, prepared);
    return prepared;
  };
}
