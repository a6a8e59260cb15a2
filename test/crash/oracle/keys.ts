import { setTimeout as sleep } from "node:timers/promises";
import { killGroup, startCli } from "../../support/cli-process.ts";
import type { ServeWorld } from "./serve-world.ts";

/** An operator who makes and revokes keys with the command, which is killed now and then like the server. */
export interface KeyKeeper {
  /** The first key, which the world's clients use from then on. Call it before the server is used. */
  begin(): Promise<void>;
  act(): Promise<void>;
  counts(): Record<string, number>;
}

interface Key {
  id: string;
  key: string;
  /** `revoking`: it was asked for, and nothing said that it was done. */
  state: "valid" | "revoking" | "revoked";
}

/** Adds to the checks of the world: an acknowledged key works, and a revoked one never does again. */
export function createKeyKeeper(
  { directory, history, server, checks }: ServeWorld,
  { random }: { random: () => number },
): KeyKeeper {
  const keys: Key[] = [];
  let first: Key | null = null;
  checks.push(async () => {
    const before = history.violations.length;
    await probe();
    return history.violations.slice(before);
  });

  /** What it printed when it was not killed before, and whether it came to its end. */
  async function command(
    args: readonly string[],
    mayDie: boolean,
  ): Promise<{ printed: string; done: boolean }> {
    history.note({ command: args });
    const run = startCli(["keys", ...args, "--json"], { cwd: directory, group: true });
    if (mayDie) await Promise.race([sleep(random() * 1_000), run.ended]);
    const { code, stdout, stderr } = mayDie ? await killGroup(run) : await run.ended;
    history.note({ ended: args, code, stdout });
    if (code !== null && code !== 0)
      history.violations.push(`I9 nerif keys ${args.join(" ")}: ${code} ${stderr}`);
    return { printed: stdout, done: code === 0 };
  }

  async function create(mayDie: boolean): Promise<Key | null> {
    const { printed } = await command(["create"], mayDie);
    if (!printed.endsWith("\n")) return null;
    const { id, key } = JSON.parse(printed) as { id: string; key: string };
    const made: Key = { id, key, state: "valid" };
    keys.push(made);
    return made;
  }

  async function revoke(key: Key): Promise<void> {
    key.state = "revoking";
    const { done } = await command(["revoke", key.id], random() < 0.3);
    if (done) key.state = "revoked";
  }

  async function probe(): Promise<void> {
    for (const key of keys) {
      const headers = { authorization: `Bearer ${key.key}` };
      // Without an answer the server is dead just now, which says nothing of a key.
      const answer = await server.ask("/v1/batches?limit=1", { headers }).catch(() => null);
      if (answer === null) continue;
      await answer.body?.cancel();
      const { status } = answer;
      const wanted = key.state === "valid" ? [200] : key.state === "revoked" ? [401] : [200, 401];
      if (!wanted.includes(status))
        history.violations.push(`I1 the ${key.state} key ${key.id} gets ${status}`);
      if (status === 401) key.state = "revoked";
    }
  }

  return {
    async begin() {
      first = await create(false);
      if (first !== null) server.useKey(first.key);
    },
    async act() {
      const valid = keys.filter((key) => key !== first && key.state !== "revoked");
      const one = valid[Math.floor(random() * valid.length)];
      if (one === undefined || random() < 0.4) await create(random() < 0.3);
      else await revoke(one);
      await probe();
    },
    counts: () => ({
      "keys made": keys.length,
      "keys revoked": keys.filter(({ state }) => state === "revoked").length,
    }),
  };
}
