import { createHash } from "node:crypto";
import type { BatchObject } from "../../../src/batch/batch.ts";
import type { KnownBatch } from "../clients/ledger.ts";
import type { Input, InputLine } from "../program/input.ts";
import type { Send } from "../program/upstream.ts";
import type { Scene } from "../run-seed.ts";
import { isSettled, sendsByLine } from "./sends.ts";

export interface BatchEvidence {
  known: KnownBatch;
  batch: BatchObject;
  /** Null when nobody has it any more. */
  input: Input | null;
  output: string[] | null;
  error: string[] | null;
}

interface ResultLine {
  id: string;
  custom_id: string;
  response: { status_code: number; body: { choices?: { nr: number; of: string }[] } | null } | null;
  error: { code: string; message: string } | null;
}

/** Every line of the input stands once in one of the files, in order, with an answer that was really given. */
export function checkResults(scene: Scene, evidence: BatchEvidence): void {
  const { batch, input, known } = evidence;
  const output = (evidence.output ?? []).map(parse);
  const error = (evidence.error ?? []).map(parse);
  const complain = (what: string) => scene.world.violation(`${batch.id} (${batch.status}): ${what}`);
  const counts = batch.request_counts;

  if (batch.status === "failed") {
    if (input !== null && !input.isBad && !mayHaveLostInput(scene, known)) {
      complain(`failed with ${JSON.stringify(batch.errors?.data.slice(0, 2))}`);
    }
  } else if (input?.isBad && batch.in_progress_at !== null) complain("runs though its input is bad");
  if (counts.completed !== output.length)
    complain(`has ${output.length} output lines, counts ${counts.completed}`);
  if (counts.total === 0 && output.length + error.length > 0) complain("has results and no lines");
  const usage = batch.usage?.total_tokens ?? 0;
  if (usage !== 5 * output.length) complain(`counts ${usage} tokens for ${output.length} answers`);
  checkFailedCount(batch, error, complain);
  if (input === null || counts.total === 0) return;

  if (counts.total !== input.lines.length) complain(`counts ${counts.total} of ${input.lines.length} lines`);
  const sends = sendsByLine(scene, batch.id);
  const places = new Map(input.lines.map(({ customId }, i) => [customId, i]));
  const seen = new Set<number>();
  for (const [file, lines] of [
    ["output", output],
    ["error", error],
  ] as const) {
    let before = -1;
    for (const line of lines) {
      const at = places.get(line.custom_id);
      if (at === undefined) {
        complain(`the ${file} file has ${line.custom_id}, which the input has not`);
        continue;
      }
      if (seen.has(at)) complain(`line ${at} is there twice`);
      seen.add(at);
      if (at <= before) complain(`line ${at} of the ${file} file is not in input order`);
      before = at;
      const facts = {
        scene,
        batch,
        line,
        at,
        request: input.lines[at] as InputLine,
        sends: sends.get(at) ?? [],
      };
      if (file === "output") checkAnswer(facts, complain);
      else checkFailure(facts, complain);
    }
  }
  if (seen.size !== input.lines.length) complain(`${input.lines.length - seen.size} lines are in no file`);
  checkGiven(evidence, complain);
}

function parse(text: string): ResultLine {
  return JSON.parse(text);
}

function mayHaveLostInput({ ledger }: Scene, { inputId }: KnownBatch): boolean {
  const file = ledger.files.get(inputId);
  return file === undefined || file.maybeDeleted;
}

const neverRun = ["batch_expired", "batch_cancelled"];

function checkFailedCount(batch: BatchObject, error: ResultLine[], complain: (what: string) => void): void {
  const { failed, completed, total } = batch.request_counts;
  const tried = error.filter((line) => !neverRun.includes(line.error?.code ?? "")).length;
  if (failed > tried) complain(`counts ${failed} failed lines and has ${tried}`);
  if (batch.status !== "completed") return;
  if (completed + failed !== total) complain(`counts ${completed} + ${failed} of ${total}`);
  if (tried !== error.length) complain("is completed and has lines that were never run");
}

interface LineFacts {
  scene: Scene;
  batch: BatchObject;
  line: ResultLine;
  at: number;
  request: InputLine;
  /** All calls that were made for the line. */
  sends: Send[];
}

/** The answer is one that the upstream gave for this very body, and the first one that was safe. */
function checkAnswer({ scene, line, at, request, sends }: LineFacts, complain: (what: string) => void): void {
  const answer = line.response?.body?.choices?.[0];
  const send = sends.find(({ nr }) => nr === answer?.nr);
  const of = createHash("sha256").update(request.body).digest("hex").slice(0, 16);
  if (line.error !== null) complain(`line ${at} of the output has an error`);
  if (send?.answer?.ok !== true) complain(`line ${at} has an answer that was never given`);
  else if (answer?.of !== of || send.body !== request.body)
    complain(`line ${at} has the answer of another body`);
  const safe = sends.find((other) => other.answer?.ok && isSettled(scene, other));
  if (safe !== undefined && safe !== send)
    complain(`line ${at} has answer ${send?.nr}, and ${safe.nr} was safe`);
}

function checkFailure(facts: LineFacts, complain: (what: string) => void): void {
  const { scene, batch, line, at, sends } = facts;
  const safe = sends.find((send) => send.answer?.ok && isSettled(scene, send));
  if (safe !== undefined) complain(`line ${at} failed, and its answer ${safe.nr} was safe`);
  const code = line.error?.code ?? "";
  if (neverRun.includes(code)) {
    if (code !== `batch_${batch.status}`) complain(`line ${at} is ${code}`);
    if (line.response !== null) complain(`line ${at} was never run and has a response`);
    const refused = sends.find((send) => isRejected(send) && isSettled(scene, send));
    if (refused !== undefined) complain(`line ${at} is ${code}, and ${refused.nr} had refused it`);
    return;
  }
  const given = sends.filter(
    ({ answer }) => answer?.ok === false && answer.error.message === line.error?.message,
  );
  if (given.length === 0) complain(`line ${at} has a failure that was never given: ${line.error?.message}`);
  if (batch.status === "completed") checkFinalFailure(facts, given, complain);
}

/** Nothing is given up early: what a repeat may mend was repeated as often as was promised. */
function checkFinalFailure(
  { scene, at, sends }: LineFacts,
  given: Send[],
  complain: (what: string) => void,
): void {
  const reason = given[0]?.answer?.ok === false ? given[0].answer.reason : null;
  const { maxAttempts } = scene.world.weather;
  const count = (...reasons: string[]) =>
    sends.filter(({ answer }) => answer?.ok === false && reasons.includes(answer.reason)).length;
  const attempts = count("unavailable", "reset", "timeout");
  if (reason === "throttled" || reason === "refused")
    complain(`line ${at} was given up because of ${reason}`);
  if (reason === "account" && count("account") < 2)
    complain(`line ${at} was given up at the first ${reason}`);
  const early = attempts < maxAttempts && count("timeout") < 2;
  if ((reason === "unavailable" || reason === "reset" || reason === "timeout") && early) {
    complain(`line ${at} was given up after ${attempts} of ${maxAttempts} attempts`);
  }
}

export function isRejected({ answer }: Send): boolean {
  return answer?.ok === false && answer.reason === "rejected";
}

/** What somebody was given while it ran is what the files say. */
function checkGiven({ known, output, error }: BatchEvidence, complain: (what: string) => void): void {
  const lines = new Set([...(output ?? []), ...(error ?? [])]);
  for (const [id, line] of known.results) {
    if (!lines.has(line)) complain(`${id} was given as a result and is another one now: ${line}`);
  }
}
