import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { freePort } from "./free-port.ts";

export interface PostgresServer {
  /** `postgres://nerif@127.0.0.1:5433`, without a database. */
  readonly url: string;
  /** Its process: tests stop, continue and kill it. */
  readonly pid: number;
  /** Makes an empty database. @returns its URL */
  createDatabase(): Promise<string>;
  /** Removes all rows that Nerif has in it. */
  empty(url: string): Promise<void>;
  /** Runs statements of the test's own on a database. */
  query(url: string, text: string): Promise<Record<string, unknown>[]>;
  /** `kill -9` of the server and of all its processes. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, on the same data. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** Null when PostgreSQL is here; else the reason for which its tests are skipped. */
export const withoutPostgres = reasonToSkip();

function reasonToSkip(): string | null {
  if (programs() !== null) return null;
  const reason = "skipped: apt-get install postgresql";
  if (process.env.NERIF_REQUIRE_POSTGRES !== "1") return reason;
  throw new Error(`Cannot test on PostgreSQL, which NERIF_REQUIRE_POSTGRES asks for (${reason})`);
}

/** A server of the test's own, as a child of this process on a free port, with fsync on. */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = programs();
  if (bin === null) throw new Error("PostgreSQL is not installed");
  const user = ownUser();
  const directory = mkdtempSync(join(tmpdir(), "nerif-postgres-"));
  if (user !== null) chownSync(directory, user.uid, user.gid);
  const data = join(directory, "data");
  const common = [
    "-D",
    data,
    "--auth",
    "trust",
    "--username",
    "nerif",
    "--encoding",
    "UTF8",
    "--locale",
    "C",
  ];
  execFileSync(join(bin, "initdb"), common, { ...user, stdio: "ignore" });
  const port = await freePort();
  const url = `postgres://nerif@127.0.0.1:${port}`;
  let child = run();
  let databases = 0;
  await listening();

  function run() {
    const settings = [
      ...[`port=${port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${directory}`],
      // What it does by itself would look like somebody's change.
      ...["autovacuum=off", "max_connections=300", "shared_buffers=32MB", "fsync=on"],
    ];
    const args = ["-D", data, ...settings.flatMap((setting) => ["-c", setting])];
    return spawn(join(bin ?? "", "postgres"), args, { ...user, stdio: "ignore" });
  }

  async function listening(): Promise<void> {
    for (;;) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended with ${child.exitCode}`);
      try {
        await query(`${url}/postgres`, "select 1");
        return;
      } catch {
        await sleep(20);
      }
    }
  }

  /** Until the kernel has let go of what its processes shared, it refuses. */
  async function startAgain(): Promise<void> {
    for (let left = 20; ; left -= 1) {
      child = run();
      try {
        return await listening();
      } catch (reason) {
        if (left === 0) throw reason;
        await sleep(100);
      }
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  const maintenance = `${url}/postgres`;
  return {
    url,
    get pid() {
      return child.pid ?? 0;
    },
    async createDatabase() {
      databases += 1;
      const name = `test_${databases}`;
      await query(maintenance, `create database ${name}`);
      return `${url}/${name}`;
    },
    empty: emptyDatabase,
    query,
    kill: () => end("SIGKILL"),
    start: startAgain,
    async remove() {
      await end("SIGQUIT");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Removes all rows that Nerif has in a database. */
export async function emptyDatabase(url: string): Promise<void> {
  const names = "select tablename from pg_tables where schemaname = 'public' and tablename <> 'nerif_schema'";
  const tables = (await query(url, names)).map(({ tablename }) => `delete from ${tablename}`);
  // As a replica it does not look at foreign keys, so that any order will do.
  await query(url, ["set session_replication_role = replica", ...tables].join("; "));
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Where the server's programs are: in the path, or where Debian puts those of each version. */
function programs(): string | null {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).map((name) => join(debian, name, "bin")) : [];
  const places = [...(process.env.PATH ?? "").split(":"), ...versions.toSorted().toReversed()];
  return places.find((place) => place !== "" && existsSync(join(place, "initdb"))) ?? null;
}

/** PostgreSQL refuses to run as root; Debian's package brings a user for it. */
function ownUser(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}
