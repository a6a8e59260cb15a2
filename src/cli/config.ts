import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { NerifError } from "../batch/errors.ts";
import type { UpstreamOptions } from "../compose.ts";
import { type ConfigFile, readConfigFile } from "./config-file.ts";
import { flagOf, keyOf, type OptionName, type OptionValues, specOf, variableOf } from "./options.ts";
import { shownValue } from "./shown-value.ts";

export interface Config<N extends OptionName> {
  values: OptionValues<N>;
  /** `upstreams` of the configuration file; undefined when a flag or variable names another upstream. */
  upstreams: UpstreamOptions[] | undefined;
}

export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

/** Declares options on a command, with help texts of its own where the general ones say too little. */
export function addOptions(
  command: Command,
  names: readonly OptionName[],
  helps: Partial<Record<OptionName, string>> = {},
): Command {
  for (const name of [...names, "config" as const]) {
    const spec = specOf(name);
    const shown = spec.defaultText ?? (spec.value === undefined ? undefined : spec.default);
    const help = `${helps[name] ?? spec.help}${shown === undefined ? "" : ` (default: ${shown})`}`;
    const flags = [spec.short, flagOf(name)].filter((flag) => flag !== undefined).join(", ");
    command.addOption(new Option(spec.value === undefined ? flags : `${flags} ${spec.value}`, help));
    // A switch that the environment or the file turned on can be turned off again.
    if (spec.value === undefined) command.addOption(new Option(`--no-${flagOf(name).slice(2)}`).hideHelp());
  }
  return command;
}

/**
 * The values of a command's options: flag, environment variable, configuration file, default, in this order.
 *
 * @throws NerifError `invalid_usage` or `invalid_configuration`, naming the flag, variable or key
 */
export function resolveConfig<N extends OptionName>(
  names: readonly N[],
  flags: Readonly<Record<string, unknown>>,
  { env, cwd }: Surroundings = { env: process.env, cwd: process.cwd() },
): Config<N> {
  const given = textOf(flags.config);
  if (given !== undefined) convert("config", given, { code: "invalid_usage", source: flagOf("config") });
  const file = readConfigFile(given ?? filled(env.NERIF_CONFIG), cwd);
  const sources = { flags, env, file };
  const values = Object.fromEntries(names.map((name) => [name, chosen(name, sources)]));
  for (const name of ["dataDir", "sharedDir"] as const) {
    if (typeof values[name] === "string")
      values[name] = directory(name, { path: values[name], sources, cwd });
  }
  const overridden = flags.upstream !== undefined || filled(env.NERIF_UPSTREAM) !== undefined;
  return { values: values as OptionValues<N>, upstreams: overridden ? undefined : file?.upstreams };
}

interface Sources {
  flags: Readonly<Record<string, unknown>>;
  env: Surroundings["env"];
  file: ConfigFile | null;
}

function chosen(name: OptionName, { flags, env, file }: Sources): unknown {
  if (flags[name] !== undefined)
    return convert(name, flags[name], { code: "invalid_usage", source: flagOf(name) });
  const variable = filled(env[variableOf(name)]);
  if (variable !== undefined) {
    return convert(name, variable, { code: "invalid_configuration", source: variableOf(name) });
  }
  if (file?.values[name] !== undefined) {
    const source = `${keyOf(name)} in ${file.path}`;
    return convert(name, file.values[name], { code: "invalid_configuration", source });
  }
  return specOf(name).default;
}

function convert(
  name: OptionName,
  value: unknown,
  { code, source }: { code: "invalid_usage" | "invalid_configuration"; source: string },
): unknown {
  const result = specOf(name).schema.safeParse(value);
  if (result.success) return result.data;
  const reason = result.error.issues[0]?.message ?? "it is not valid";
  throw new NerifError(code, `Cannot use ${source}${shownValue(name, { value, reason })}: ${reason}`, {
    param: keyOf(name),
  });
}

/** A path in a configuration file is meant from where the file is; `~` is the home directory in all sources. */
function directory(
  name: "dataDir" | "sharedDir",
  { path, sources, cwd }: { path: string; sources: Sources; cwd: string },
): string {
  if (path === "~" || path.startsWith("~/")) return join(homedir(), path.slice(1));
  const fromFile = sources.flags[name] === undefined && filled(sources.env[variableOf(name)]) === undefined;
  return resolve(fromFile && sources.file !== null ? dirname(sources.file.path) : cwd, path);
}

/** An empty variable counts as one that is not set. */
function filled(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
