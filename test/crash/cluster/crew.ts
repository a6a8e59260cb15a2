import { join } from "node:path";
import { createServer, type Server, type ServerOptions } from "../oracle/server.ts";

/** A server and workers that share what they have; as one `Server`, of which the clients see the one with HTTP. */
export interface Crew extends Server {
  members: readonly { name: string; server: Server }[];
  /** Clients give up after some seconds, as while processes stand still. Default false. */
  isImpatient: boolean;
}

const impatientMs = 5_000;

export function createCrew(options: ServerOptions, workers: number): Crew {
  const log = (name: string) => join(options.directory, "..", `${name}.log`);
  const front = createServer({ ...options, log: log("server") });
  const others = Array.from({ length: workers }, (_, nth) =>
    createServer({ ...options, kind: "worker", log: log(`worker-${nth}`) }),
  );
  const members = [
    { name: "server", server: front },
    ...others.map((server) => ({ name: "worker", server })),
  ];
  const each = <T>(act: (server: Server) => T) => members.map(({ server }) => act(server));

  const crew: Crew = {
    ...front,
    members,
    isImpatient: false,
    ask(path, init = {}) {
      if (!crew.isImpatient) return front.ask(path, init);
      const patience = new AbortController();
      const given = init.signal ?? null;
      const signal = given === null ? patience.signal : AbortSignal.any([given, patience.signal]);
      // A reason of its own: nobody has broken a promise, this client is one that asks again.
      setTimeout(() => patience.abort(new Error("It gave up")), impatientMs).unref();
      return front.ask(path, { ...init, signal });
    },
    /** Those that do not run. */
    async start() {
      const started = await Promise.all(each(async (server) => server.isRunning() || server.start()));
      return started.every(Boolean);
    },
    async kill() {
      await Promise.all(each((server) => (server.isRunning() ? server.kill() : undefined)));
    },
    async stop() {
      const codes = await Promise.all(each((server) => server.stop()));
      return codes.find((code) => code !== 0) ?? 0;
    },
    /** One that has failed, as long as there is one. */
    process() {
      const all = each((server) => server.process());
      const ended = all.filter(({ child }) => child.exitCode !== null || child.signalCode !== null);
      return ended.find(({ child }) => child.exitCode !== 0) ?? ended[0] ?? front.process();
    },
    assertUndisturbed() {
      for (const { server } of members) server.assertUndisturbed();
    },
    died() {
      const dead = members.find(({ server }) => server.died() !== null);
      return dead === undefined ? null : `${dead.name}: ${dead.server.died()}`;
    },
    isRunning: () => each((server) => server.isRunning()).every(Boolean),
  };
  return crew;
}
