import { theWorld } from "../world/world.ts";
import { type Connection, refusalOf, sleep } from "./connection.ts";
import type { Ledger } from "./ledger.ts";

export const projects = ["default", "other"] as const;

export interface ClientOptions {
  ledger: Ledger;
  connection: Connection;
}

/** Tries again when it is unknown what became of a request, a few times. */
export async function persist<T>(step: () => Promise<T>): Promise<T | null> {
  for (let i = 0; i < 6; i++) {
    try {
      return await step();
    } catch (reason) {
      if (refusalOf(reason) !== null) return null;
      await sleep(200 * 3 ** i * theWorld().random.next());
    }
  }
  return null;
}
