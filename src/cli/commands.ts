import type { Command } from "commander";

export interface CommandEntry {
  /** How `nerif --help` shows the command: its name, and what it takes. */
  term: string;
  description: string;
  /** Gives the command its arguments, options and action. */
  complete: (command: Command) => Promise<void>;
}

/**
 * Every command there is. `nerif --help` is made of this alone; the file of a command, and all that it needs, is
 * loaded when that command is asked for.
 */
export const commands: Record<string, CommandEntry> = {
  run: {
    term: "run [options] <input>",
    description:
      "run every request of a JSONL file against a model server; resumable, results in input order",
    complete: async (command) => (await import("./run.ts")).runCommand(command),
  },
  serve: {
    term: "serve [options]",
    description: "serve the OpenAI Files and Batches API and execute the batches in the same process",
    complete: async (command) => (await import("./serve.ts")).serveCommand(command),
  },
  worker: {
    term: "worker [options]",
    description: "execute batches together with the servers and workers that share a PostgreSQL database",
    complete: async (command) => (await import("./worker.ts")).workerCommand(command),
  },
  validate: {
    term: "validate [options] <input>",
    description: "check every line of an input file, as a batch of it would be checked; sends nothing",
    complete: async (command) => (await import("./validate.ts")).validateCommand(command),
  },
  batches: {
    term: "batches",
    description: "create, follow and cancel batches, at a server or in the data directory",
    complete: async (command) => (await import("./batches.ts")).batchesCommand(command),
  },
  files: {
    term: "files",
    description: "upload, download and delete files, at a server or in the data directory",
    complete: async (command) => (await import("./files.ts")).filesCommand(command),
  },
  webhooks: {
    term: "webhooks",
    description: "tell a URL when a batch ends, for a server or for the data directory",
    complete: async (command) => (await import("./webhooks.ts")).webhooksCommand(command),
  },
  keys: {
    term: "keys",
    description: "API keys of the servers that use the data directory",
    complete: async (command) => (await import("./keys.ts")).keysCommand(command),
  },
  verify: {
    term: "verify [options] <batch>",
    description:
      "prove that input, output and error file add up: every request has exactly one result, in order, under its own " +
      "id, with the counts, sizes and sums that were recorded",
    complete: async (command) => (await import("./verify.ts")).verifyCommand(command),
  },
  backup: {
    term: "backup [options] <directory>",
    description: "copy the data directory as it is at one moment, also while a server runs",
    complete: async (command) => (await import("./backup.ts")).backupCommand(command),
  },
  prune: {
    term: "prune [options]",
    description:
      "remove finished runs, expired files and uploads, and old batches from the data directory; results that runs " +
      "wrote elsewhere stay",
    complete: async (command) => (await import("./prune.ts")).pruneCommand(command),
  },
  simulate: {
    term: "simulate [options]",
    description:
      "an OpenAI-compatible model server that answers by rule, for trying things out and for load: chat completions, " +
      "completions, responses, embeddings and moderations; the same request has the same answer",
    complete: async (command) => (await import("./simulate.ts")).simulateCommand(command),
  },
};
