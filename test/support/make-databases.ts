import { parentPort, workerData } from "node:worker_threads";
import { Client } from "pg";

// A thread of its own for tests, since whoever needs a database waits for it without leaving the event loop's turn. It gets
// names, and tells when such a database is there.

interface Order {
  name: string;
  template: string;
  /** 0, and 1 when it is there. */
  state: Int32Array;
}

const port = parentPort;
if (port === null) throw new Error("This is for a thread");
const client = new Client({ connectionString: workerData });
const connected = client.connect();

port.on("message", async ({ name, template, state }: Order) => {
  try {
    await connected;
    await client.query(`create database ${name} template ${template}`);
    Atomics.store(state, 0, 1);
  } catch (reason) {
    console.error("Cannot make a database for a test:", reason);
    Atomics.store(state, 0, 2);
  }
  Atomics.notify(state, 0);
});
