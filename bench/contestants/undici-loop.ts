import { Client, type Dispatcher } from "undici";
import { requestBody } from "../measure/input.ts";

/**
 * The floor: one body sent again and again by undici's `Client` and `dispatch`, answers thrown away. Nothing is read,
 * checked, kept, retried or written, so whatever Nerif needs above this is what its work costs.
 */
const [upstream = "", count = "", inFlight = "64", lineBytes = "450"] = process.argv.slice(2);
const base = new URL(upstream);
const options: Dispatcher.DispatchOptions = {
  path: `${base.pathname}/chat/completions`,
  method: "POST",
  headers: { "content-type": "application/json" },
  body: requestBody(Number(lineBytes)),
};
const total = Number(count);
let sent = 0;
let done = 0;

function send(client: Client): void {
  if (sent === total) return;
  sent += 1;
  client.dispatch(options, {
    onRequestStart() {},
    onResponseStart(_controller, status) {
      if (status !== 200) throw new Error(`status ${status}`);
    },
    onResponseData() {},
    onResponseEnd() {
      done += 1;
      if (done === total) process.exit();
      send(client);
    },
    onResponseError(_controller, error) {
      throw error;
    },
  });
}

for (let index = 0; index < Number(inFlight); index++) send(new Client(base.origin));
