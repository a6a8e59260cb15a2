import { Command, CommanderError } from "commander";
import { errnoOf, NerifError } from "../batch/errors.ts";
import { packageVersion } from "../service/version.ts";
import { commands } from "./commands.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { sayIn } from "./terminal.ts";

/** Runs the command; the process's exit code says how it went. @param argv what stands behind `nerif` */
export async function main(argv: readonly string[]): Promise<void> {
  noticeLostOutput();
  goOnUnheard();
  try {
    const program = await createProgram(argv);
    helpAskedFor(program, argv)?.help();
    await program.parseAsync(argv, { from: "user" });
  } catch (reason) {
    process.exitCode = report(reason);
  }
}

/** Without it a full disk behind stdout would pass for success; whoever writes results notices by itself. */
function noticeLostOutput(): void {
  let lost: Error | null = null;
  process.stdout.on("error", (reason) => {
    // A reader that goes away (`| head`) has what it wanted.
    if (errnoOf(reason) !== "EPIPE") lost ??= reason;
  });
  process.once("exit", () => {
    if (lost !== null && !process.exitCode)
      process.exitCode = report(NerifError.fromUnknown(lost, "write to stdout"));
  });
}

/** What people were to read is lost anyway when a pipe (`2>&1 | head`) or a terminal is gone; calls in flight must not be. */
function goOnUnheard(): void {
  process.stderr.on("error", () => {});
}

/** The named command is complete; of all others there is what stands in the list of commands. */
async function createProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command("nerif")
    .description("The OpenAI-compatible Batch API that you run yourself")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpCommand("help [command]", "print help for a command")
    .configureHelp({ subcommandTerm: (command) => commands[command.name()]?.term ?? "help [command]" })
    .addHelpText("after", examples);
  const asked = argv.find((argument) => Object.hasOwn(commands, argument));
  for (const [name, { description, complete }] of Object.entries(commands)) {
    const command = new Command(name).description(description);
    program.addCommand(command);
    if (name === asked) await complete(command);
  }
  return quietly(program);
}

/**
 * The command that `help` is asked for, in any of its spellings; undefined where it is not, or is for all commands. By
 * itself the library shows the help of everything where it does not know the name.
 *
 * @throws NerifError `invalid_usage` for a command that there is not
 */
function helpAskedFor(program: Command, argv: readonly string[]): Command | undefined {
  let command = program;
  let isAsked = false;
  for (const word of argv) {
    if (word.startsWith("-")) break;
    const found = command.commands.find((child) => child.name() === word);
    if (found !== undefined) command = found;
    else if (isAsked) throw noSuchCommand(command, word);
    // To a command without commands of its own the word may be anything: a file, say.
    else if (word === "help" && command.commands.length > 0) isAsked = true;
    else return undefined;
  }
  return isAsked && command !== program ? command : undefined;
}

function noSuchCommand(parent: Command, name: string): NerifError {
  const names = parent.commands.map((child) => child.name()).join(", ");
  const known = names === "" ? `${parent.name()} has no commands of its own` : `it must be one of ${names}`;
  return new NerifError("invalid_usage", `Cannot help with ${JSON.stringify(name.slice(0, 80))}: ${known}`);
}

const examples = `
Examples:
  nerif run requests.jsonl --upstream http://localhost:8000/v1
  nerif serve --upstream http://localhost:8000/v1
  nerif validate requests.jsonl

Every option can also be set by an environment variable (--max-attempts: NERIF_MAX_ATTEMPTS) or in nerif.config.yaml
(max_attempts). nerif help COMMAND tells more.`;

/** Lets no command end the process or write an error by itself. */
function quietly(command: Command): Command {
  command.exitOverride().configureOutput({ outputError: () => {} });
  for (const child of command.commands) quietly(child);
  return command;
}

function report(reason: unknown): number {
  if (reason instanceof CommanderError) {
    if (reason.exitCode === 0) return exitCodes.ok;
    // Help that is shown because nothing was asked for has been written already.
    if (reason.code !== "commander.help") {
      sayIn("red", `nerif: Cannot understand the command line: ${whyNot(reason)}`);
    }
    return exitCodes.usage;
  }
  const error = NerifError.fromUnknown(reason, "run the command");
  sayIn("red", `nerif: ${error.message}`);
  if (process.env.NERIF_DEBUG)
    process.stderr.write(`${reason instanceof Error ? reason.stack : String(reason)}\n`);
  return exitCodeOf(error);
}

/** The library's words without what somebody gave: a key that is put in the wrong place must stand in no log. */
function whyNot({ code, message }: CommanderError): string {
  const why = message.replace(/^error: /, "").replaceAll("\n", " ");
  if (code === "commander.unknownOption") return why.replace(/(?<=^unknown option '[^'=]*)=.*'/, "'");
  return code === "commander.excessArguments" ? why.replace(/(?<=but got \d+):.*$/, "") : why;
}
