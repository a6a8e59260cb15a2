import type { Random } from "../world/random.ts";

/** What the model server makes of a line when nothing else goes wrong. */
const fates = ["answer", "refuse", "disguise", "break", "cut", "hang", "slow"] as const;
/** How long a slow answer takes, in milliseconds. */
export const slowAnswerMs = 20_000;

type Fate = (typeof fates)[number];

export interface InputLine {
  customId: string;
  url: string;
  /** The exact text of the body. */
  body: string;
}

/** An input file and what a reader of the contract knows about it. */
export interface Input {
  bytes: Buffer;
  lines: InputLine[];
  /** Some line is wrong, so that its batch has to fail. */
  isBad: boolean;
}

/** The fate of a line stands in its body, so that it goes along when the line is tried again in another batch. */
export function fateOf(body: string): Fate {
  return fates.find((fate) => body.includes(`"fate":"${fate}"`)) ?? "answer";
}

/** An input with so many lines that are answered, refused, and answered late. */
export function inputOf(
  kind: { answered: number; refused: number; slow: number; isBad: boolean },
  nr: number,
): Input {
  const ofFate = (fate: Fate, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const name = `${nr}-${fate}-${i}`;
      return {
        customId: name,
        url: "/v1/chat/completions",
        body: `{"model":"m","fate":"${fate}","name":"${name}"}`,
      };
    });
  const lines = [
    ...ofFate("slow", kind.slow),
    ...ofFate("answer", kind.answered),
    ...ofFate("refuse", kind.refused),
  ];
  const texts = lines.map(
    ({ customId, url, body }) => `{"custom_id":"${customId}","method":"POST","url":"${url}","body":${body}}`,
  );
  if (kind.isBad) texts.push("not json");
  return { bytes: Buffer.from(texts.join("\n")), lines, isBad: kind.isBad };
}

export function drawInput(random: Random, options: { nr: number; lines: number }): Input {
  const count = random.int(1, options.lines);
  const routes = random.int(1, 4);
  const trouble = random.pick([0, 0, 0.1, 0.9]);
  const lines = Array.from({ length: count }, (_, i) =>
    drawLine(random, { name: `${options.nr}-${i}`, routes, trouble }),
  );
  const texts = lines.map((line) => textOf(random, line));
  const isBad = random.chance(0.08);
  if (isBad) texts.splice(random.int(0, count), 0, random.pick(badLines));
  const end = random.pick(["\n", "\r\n", "\n\n"]);
  const text = `${random.chance(0.1) ? "\ufeff" : ""}${texts.join(end)}${random.chance(0.7) ? end : ""}`;
  return { bytes: Buffer.from(text), lines, isBad };
}

/** What an input that was written by others says, line by line, as a client reads it. */
export function readInput(bytes: Buffer): InputLine[] {
  const texts = bytes
    .toString()
    .replace(/^\ufeff/, "")
    .split(/\r?\n/);
  return texts
    .filter((text) => text !== "")
    .map((text) => {
      const line: { custom_id: string; url: string } = JSON.parse(text);
      return { customId: line.custom_id, url: line.url, body: bodyIn(text) };
    });
}

const badLines = [
  "not json",
  '{"custom_id":"x"}',
  '{"custom_id":"x","method":"GET","url":"/v1/embeddings","body":{"model":"m"}}',
];

const urls = ["/v1/chat/completions", "/v1/embeddings"];

interface LineWish {
  name: string;
  routes: number;
  trouble: number;
}

function drawLine(random: Random, { name, routes, trouble }: LineWish): InputLine {
  const route = random.int(0, routes - 1);
  const fate = random.chance(trouble) ? random.pick(fates) : "answer";
  const spaces = " ".repeat(random.int(0, 3));
  const padding = random.chance(0.1) ? "x".repeat(random.int(0, 300)) : "";
  return {
    customId: random.chance(0.1) ? `${name} \u00fc "\\ \u2028` : name,
    url: urls[route % 2] as string,
    // A number that no double holds: bodies go as they are.
    body: `{"model":"m${route >> 1}",${spaces}"n":1234567890123456789012.0,"fate":"${fate}","name":"${name}","p":"${padding}"}`,
  };
}

/** The body comes last, so that `readInput` can find it without a parser of its own. */
function textOf(random: Random, { customId, url, body }: InputLine): string {
  const head = [`"custom_id":${JSON.stringify(customId)}`, '"method":"POST"', `"url":"${url}"`];
  return `{${(random.chance(0.5) ? head : head.reverse()).join(",")},"body":${body}}`;
}

function bodyIn(text: string): string {
  return text.slice(text.indexOf('"body":') + '"body":'.length, -1);
}
