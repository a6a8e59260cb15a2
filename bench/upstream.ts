import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";

/**
 * A model server that costs next to nothing: every request gets the same 664 bytes of JSON at once. It is a process
 * of its own, so that its CPU time is not counted, and reads of HTTP only what it needs to find the end of a request.
 */
const content =
  "A batch is a file of requests, and its answers come back in the order of the questions. ".repeat(6);
const answer = JSON.stringify({
  id: "chatcmpl-0000000000000000",
  object: "chat.completion",
  created: 1700000000,
  model: "bench",
  choices: [
    { index: 0, message: { role: "assistant", content: content.slice(0, 404) }, finish_reason: "stop" },
  ],
  usage: { prompt_tokens: 83, completion_tokens: 87, total_tokens: 170 },
});
const response = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(answer)}\r\n\r\n${answer}`,
);
const headEnd = Buffer.from("\r\n\r\n");

function serve(socket: Socket): void {
  let pending: Buffer | null = null;
  let bodyBytesLeft = 0;
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    let data = pending === null ? chunk : Buffer.concat([pending, chunk]);
    pending = null;
    for (;;) {
      if (bodyBytesLeft > data.length) {
        bodyBytesLeft -= data.length;
        return;
      }
      if (bodyBytesLeft > 0) {
        data = data.subarray(bodyBytesLeft);
        bodyBytesLeft = 0;
        socket.write(response);
      }
      if (data.length === 0) return;
      const end = data.indexOf(headEnd);
      if (end === -1) {
        pending = data;
        return;
      }
      const length = /\r\ncontent-length: *(\d+)/i.exec(data.toString("latin1", 0, end))?.[1];
      bodyBytesLeft = Number(length ?? 0);
      data = data.subarray(end + headEnd.length);
      if (bodyBytesLeft === 0) socket.write(response);
    }
  });
}

const server = createServer(serve);
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
});
// The parent holds the other end of stdin, so that this process never outlives it.
process.stdin.resume().on("end", () => process.exit());
