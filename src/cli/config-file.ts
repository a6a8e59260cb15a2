import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, resolve } from "node:path";
import { z } from "zod";
import { errnoOf, NerifError } from "../batch/errors.ts";
import type { UpstreamOptions } from "../compose.ts";
import { configReason } from "./config-reason.ts";
import { upstreamOptions, upstreamSchema } from "./config-upstreams.ts";
import { placeOfJsonError } from "./json-place.ts";
import { keyOf, type OptionName, optionNames, specOf } from "./options.ts";
import { shownValue } from "./shown-value.ts";

/** What a configuration file says; values of options are not converted yet. */
export interface ConfigFile {
  path: string;
  values: Partial<Record<OptionName, unknown>>;
  upstreams: UpstreamOptions[] | undefined;
}

const names = ["nerif.config.yaml", "nerif.config.json"];

/**
 * Reads the configuration file `given`, else the one in the working directory, else none.
 *
 * @throws NerifError `invalid_configuration` naming the key and the file
 */
export function readConfigFile(given: string | undefined, cwd: string): ConfigFile | null {
  const path = given === undefined ? findIn(cwd) : resolve(cwd, given);
  return path === null ? null : toConfigFile(path, parseText(path, readText(path)));
}

function findIn(cwd: string): string | null {
  const found = names.map((name) => resolve(cwd, name)).filter((path) => existsSync(path));
  const [first, second] = found;
  if (first === undefined || second === undefined) return first ?? null;
  throw refusal(
    `there are two configuration files, ${first} and ${second}; remove one or choose with --config`,
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (reason) {
    const errno = errnoOf(reason) ?? "it cannot be read";
    throw refusal(`cannot read ${path}: ${unreadable[errno] ?? errno}`, reason);
  }
}

const unreadable: Record<string, string> = { ENOENT: "it does not exist", EISDIR: "it is a directory" };

function parseText(path: string, text: string): unknown {
  try {
    return extname(path) === ".json" ? JSON.parse(text) : parseYaml(text);
  } catch (reason) {
    const message = reason instanceof Error ? reason.message : "";
    if (extname(path) === ".json")
      throw refusal(`${path} is not JSON: ${placeOfJsonError(text, message)}`, reason);
    // The first line names the place; what follows would print the file's text.
    const [why = ""] = message.split("\n");
    throw refusal(`${path} is not YAML: ${why.replace(/:$/, "")}`, reason);
  }
}

/** Few commands meet a YAML file; those that do not start sooner without a parser. */
function parseYaml(text: string): unknown {
  const { parse } = createRequire(import.meta.url)("yaml") as typeof import("yaml");
  return parse(text);
}

function toConfigFile(path: string, content: unknown): ConfigFile {
  if (content === null || content === undefined) return { path, values: {}, upstreams: undefined };
  if (typeof content !== "object" || Array.isArray(content))
    throw refusal(`${path} is not a list of keys and values`);
  const values: ConfigFile["values"] = {};
  let upstreams: UpstreamOptions[] | undefined;
  for (const [key, value] of Object.entries(content)) {
    const name = optionNames.find((option) => option !== "config" && keyOf(option) === key);
    if (key === "upstreams") {
      const entries = checked(z.array(upstreamSchema), value, { path, key });
      upstreams = entries.map((entry) => upstreamOptions(entry, dirname(path)));
    } else if (name === undefined)
      throw refusal(`${path} has the unknown key ${JSON.stringify(key)}`, undefined, key);
    else if (value !== null) {
      checked(specOf(name).schema, value, { path, key, name });
      values[name] = value;
    }
  }
  if (upstreams !== undefined && values.upstream !== undefined) {
    throw refusal(`${path} has both upstream and upstreams; keep one`, undefined, "upstream");
  }
  return { path, values, upstreams };
}

function checked<T>(
  schema: z.ZodType<T>,
  value: unknown,
  at: { path: string; key: string; name?: OptionName },
): T {
  const result = schema.safeParse(value, { error: configReason });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = [at.key, ...(issue?.path ?? [])].join(".");
  if (issue?.code === "unrecognized_keys") {
    throw refusal(
      `${at.path} has the unknown key ${JSON.stringify(`${where}.${issue.keys[0]}`)}`,
      undefined,
      where,
    );
  }
  const reason = issue?.message ?? "invalid";
  const shown = at.name === undefined ? "" : shownValue(at.name, { value, reason });
  throw refusal(`${where}${shown} in ${at.path}: ${reason}`, undefined, where);
}

function refusal(why: string, cause?: unknown, param: string | null = null): NerifError {
  return new NerifError("invalid_configuration", `Cannot use the configuration: ${why}`, { cause, param });
}
