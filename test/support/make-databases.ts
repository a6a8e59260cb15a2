import { parentPort, workerData } from "node:worker_threads";
import { Client } from "pg";
import { emptyDatabase } from "./postgres.ts";

// A thread of its own for tests, since whoever needs a database waits for it without leaving the event loop's turn. It
// gets names, and tells when such a database is there and empty.

export interface Order {
  name: string;
  /** The database of which it is a copy; null: it is there, and is emptied. */
  template: string | null;
  /** One number: 0 until it is done, then 1; 2 when it failed. */
  state: Int32Array;
}

const server: string = workerData;
const client = new Client({ connectionString: `${server}/postgres` });
const connected = client.connect();

parentPort?.on("message", async ({ name, template, state }: Order) => {
  try {
    await connected;
    if (template === null) {
      // What a process that was killed has begun must not go on.
      await client.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
      await emptyDatabase(`${server}/${name}`);
    } else await client.query(`create database ${name} template ${template}`);
    Atomics.store(state, 0, 1);
  } catch (reason) {
    console.error("Cannot make a database for a test:", reason);
    Atomics.store(state, 0, 2);
  }
  Atomics.notify(state, 0);
});
