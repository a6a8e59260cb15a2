import { listen } from "./node.ts";

const { origin } = await listen();
console.log(origin);
// The parent holds the other end of stdin, so that this process never outlives it.
process.stdin.resume().on("end", () => process.exit());
