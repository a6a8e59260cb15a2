import { type Command, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../batch/duration.ts";
import { NerifError } from "../batch/errors.ts";
import { type Latency, parseLatency } from "../upstreams/simulator/latency.ts";
import { createSimulator, type Served, type SimulatorOptions } from "../upstreams/simulator/simulator.ts";
import { printJson } from "./show.ts";
import { onStopSignal } from "./signals.ts";
import { counted, formatCount, say } from "./terminal.ts";

/** `nerif simulate`: an OpenAI-compatible model server that answers by rule. */
export function simulateCommand(command: Command): void {
  for (const option of options()) command.addOption(option);
  command
    .option("--json", "machine-readable output, one JSON object a line")
    .addHelpText("after", examples)
    .action(simulate);
}

const examples = `
Rates are shares of the requests: 0.05 or 5%. A latency is fixed (200ms) or log-normal (median and sigma).

Examples:
  nerif simulate
  nerif simulate --latency 200ms --error-rate 1%
  nerif simulate --port 0 --latency lognormal:800ms,0.6 --tokens-per-second 80 --capacity 64
  nerif simulate --throttle-rate 10% --retry-after 2s --log requests.jsonl`;

interface Flags extends Pick<SimulatorOptions, "tokensPerSecond" | "capacity" | "models" | "log"> {
  port: number;
  host: string;
  latency: Latency;
  errorRate: number;
  throttleRate: number;
  retryAfter: number;
  hangRate: number;
  resetRate: number;
  overload: "reject" | "queue";
  seed: number;
  dimensions: number;
  apiKeyEnv?: string;
  json?: boolean;
}

function options(): Option[] {
  const none: Latency = { kind: "fixed", ms: 0 };
  const all = [
    new Option("--port <port>", "port to listen on; 0: any free one")
      .default(8_000)
      .argParser(whole(0, 65_535)),
    new Option("--host <address>", "address to listen on").default("127.0.0.1"),
    new Option("--latency <latency>", "time before an answer")
      .default(none, "0ms")
      .argParser(parsed(parseLatency)),
    new Option("--tokens-per-second <n>", "speed at which an answer is written").argParser(whole(1, 1e9)),
    new Option("--error-rate <rate>", "share answered with 500").default(0).argParser(parsed(parseRate)),
    new Option("--throttle-rate <rate>", "share answered with 429").default(0).argParser(parsed(parseRate)),
    new Option("--retry-after <duration>", "what 429 asks to wait")
      .default(1_000, "1s")
      .argParser(parsed(parseDuration)),
    new Option("--hang-rate <rate>", "share never answered").default(0).argParser(parsed(parseRate)),
    new Option("--reset-rate <rate>", "share whose connection is reset")
      .default(0)
      .argParser(parsed(parseRate)),
    new Option("--capacity <n>", "requests worked on at once").argParser(whole(1, 1e6)),
    new Option("--overload <what>", "requests beyond the capacity")
      .choices(["reject", "queue"])
      .default("reject"),
    new Option("--seed <n>", "makes other answers and other faults")
      .default(0)
      .argParser(whole(0, 2 ** 32 - 1)),
    new Option(
      "--models <names>",
      "models that exist, with commas between (default: any name does)",
    ).argParser((text) => text.split(",").map((name) => name.trim())),
    new Option("--dimensions <n>", "numbers in an embedding").default(256).argParser(whole(1, 8_192)),
    new Option("--api-key-env <variable>", "environment variable that holds the key to ask for"),
    new Option("--log <file>", "append one JSON line per request to this file"),
  ];
  return all.map((option) =>
    option.env(`NERIF_SIMULATE_${option.name().replaceAll("-", "_").toUpperCase()}`),
  );
}

async function simulate(flags: Flags): Promise<void> {
  const { port, host, retryAfter, apiKeyEnv, json = false, ...settings } = flags;
  const simulator = createSimulator({ ...settings, retryAfterMs: retryAfter, apiKey: keyIn(apiKeyEnv) });
  const listening = await simulator.listen(port, host);
  if (json) printJson({ event: "listening", ...listening });
  else say(`Simulating a model server at ${listening.url}`);
  await new Promise<number>((resolve) => onStopSignal({ interruptMs: 0, terminateMs: 0 }, resolve));
  await simulator.close();
  report(simulator.served, { json });
}

function report(served: Served, { json }: { json: boolean }): void {
  if (json) {
    const { requests, answers, unanswered } = served;
    const tokens = { input_tokens: served.inputTokens, output_tokens: served.outputTokens };
    printJson({
      event: "served",
      requests,
      answers,
      unanswered,
      ...tokens,
      peak_in_flight: served.peakInFlight,
    });
    return;
  }
  const answers = Object.entries(served.answers).map(
    ([status, count]) => `${formatCount(count)} x ${status}`,
  );
  if (served.unanswered > 0) answers.push(`${formatCount(served.unanswered)} without an answer`);
  say(
    `Served ${counted(served.requests, "request")}${answers.length === 0 ? "" : `: ${answers.join(", ")}`}`,
  );
  say(
    `${formatCount(served.inputTokens)} tokens in, ${formatCount(served.outputTokens)} out, at most ` +
      `${formatCount(served.peakInFlight)} requests at once`,
  );
}

function keyIn(variable: string | undefined): string | undefined {
  if (variable === undefined) return undefined;
  const key = process.env[variable]?.trim();
  if (key) return key;
  // What is no name of a variable may be the key.
  const isName = /^[A-Za-z_][A-Za-z0-9_]*$/.test(variable);
  const reason = isName
    ? `the variable ${variable} is not set`
    : "--api-key-env must be the name of an environment variable, never a key itself";
  throw new NerifError("invalid_configuration", `Cannot ask for a key: ${reason}`, { param: "api_key_env" });
}

/** Lets commander name the option in front of the reason. */
function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (reason) {
      throw new InvalidArgumentError(NerifError.fromUnknown(reason).message);
    }
  };
}

function whole(min: number, max: number): (text: string) => number {
  return parsed((text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new NerifError("invalid_value", `It must be a whole number from ${min} to ${max}`);
  });
}

function parseRate(text: string): number {
  const [, digits, percent] = /^(\d{1,3}(?:\.\d{1,9})?)(%?)$/.exec(text) ?? [];
  const rate = Number(digits) / (percent === "%" ? 100 : 1);
  if (rate <= 1) return rate;
  throw new NerifError("invalid_value", "It must be a share from 0 to 1, or from 0% to 100%");
}
