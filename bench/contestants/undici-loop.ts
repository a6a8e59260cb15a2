import { readFileSync } from "node:fs";
import { Client, type Dispatcher } from "undici";

/**
 * The floor: bodies sent by undici's `Client` and `dispatch`, answers thrown away. Nothing is checked, kept, retried or
 * written, so whatever Nerif needs above this is what its work costs.
 */
const [input = "", upstream = "", inFlight = "64"] = process.argv.slice(2);
const base = new URL(upstream);
const bodies = readFileSync(input, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => Buffer.from(JSON.stringify(JSON.parse(line).body)));

const headers = { "content-type": "application/json" };
let next = 0;
let done = 0;

function send(client: Client): void {
  const body = bodies[next++];
  if (body === undefined) return;
  const options: Dispatcher.DispatchOptions = {
    path: `${base.pathname}/chat/completions`,
    method: "POST",
    headers,
    body,
  };
  client.dispatch(options, {
    onRequestStart() {},
    onResponseStart(_controller, status) {
      if (status !== 200) throw new Error(`status ${status}`);
    },
    onResponseData() {},
    onResponseEnd() {
      done++;
      if (done === bodies.length) process.exit();
      send(client);
    },
    onResponseError(_controller, error) {
      throw error;
    },
  });
}

for (let index = 0; index < Number(inFlight); index++) send(new Client(base.origin));
