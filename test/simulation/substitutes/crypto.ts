import { theWorld } from "../world/world.ts";

/*
 * Stands in for `node:crypto`: sums are real, chance comes from the seed.
 */

export { createHash } from "node:crypto";

export function randomBytes(size: number): Buffer {
  return theWorld().random.bytes(size);
}

export function randomUUID(): string {
  const hex = randomBytes(16).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
