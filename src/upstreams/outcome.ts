import { isUtf8 } from "node:buffer";
import { beginText, nextStop } from "../batch/string-stops.ts";
import { tokensOf } from "../batch/usage.ts";
import { rateLimitsIn } from "./rate-limits.ts";
import { first, type ReplyHeaders, retryAfterMs } from "./retry-after.ts";
import type { Secret } from "./secret.ts";
import type { Answer, Failure, FailureReason } from "./upstream.ts";

/** An HTTP answer that came whole, decoded. */
export interface Reply {
  status: number;
  headers: ReplyHeaders;
  /** Changed in place. */
  body: Buffer;
}

/**
 * What an HTTP answer means for its line. The body is checked to be JSON, and becomes one line of text.
 *
 * @param secret the key that was sent; it appears in no answer
 * @param now Unix time in milliseconds
 */
export function answerOf(reply: Reply, { secret, now }: { secret: Secret | null; now: number }): Answer {
  const { status, headers, body } = reply;
  const accepted = status >= 200 && status < 300;
  secret?.blank(body, { ok: accepted });
  const json = parse(body);
  if (json === undefined) return notJson(reply, { secret, now });
  blankNewlines(body);
  if (accepted && !isErrorInDisguise(json)) {
    const tokens = isObject(json) ? tokensOf(json.usage) : null;
    return withLimits({ ok: true, status, requestId: requestId(headers, secret), body, tokens }, headers);
  }
  // A 200 that turns out to be an error: now short keys count as well.
  if (accepted) secret?.blank(body, { ok: false });
  return refusal(reply, { json, secret, now });
}

/** Adds what the headers say about rates, where they do. */
function withLimits<A extends Answer>(answer: A, headers: ReplyHeaders): A {
  const limits = rateLimitsIn(headers);
  if (limits !== undefined) answer.limits = limits;
  return answer;
}

/** The answer that holds no HTTP answer: nothing came, or not all of it, or too much. */
export function unanswered(
  reason: FailureReason,
  { code, message }: { code: string; message: string },
): Failure {
  return {
    ok: false,
    reason,
    status: null,
    requestId: null,
    body: null,
    error: { code, message, type: "upstream_error" },
    retryAfterMs: null,
  };
}

/** The parsed body, or undefined when it is not JSON in UTF-8. */
function parse(body: Buffer): unknown {
  if (!isUtf8(body)) return undefined;
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

const newline = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;

/** In valid JSON raw newlines stand between tokens only, so they may become spaces. */
function blankNewlines(body: Buffer): void {
  if (!body.includes(newline) && !body.includes(carriageReturn)) return;
  // Indented JSON has one every few bytes, where a search for each would cost more than a look at every byte.
  beginText(body);
  for (let at = nextStop(0); at < body.length; at = nextStop(at + 1)) {
    if (body[at] === newline || body[at] === carriageReturn) body[at] = space;
  }
}

const payloads = ["choices", "data", "output", "results"] as const;

/** Some servers answer 200 and say in the body that the request has failed. */
function isErrorInDisguise(json: unknown): boolean {
  if (!isObject(json) || json.error === undefined || json.error === null) return false;
  return payloads.every((name) => json[name] === undefined || json[name] === null);
}

/** Codes that say that the account, not the request, is the trouble; OpenAI sends some of them with 429. */
const accountCodes = new Set([
  "insufficient_quota",
  "insufficient_credits",
  "billing_not_active",
  "billing_hard_limit_reached",
  "account_deactivated",
  "invalid_api_key",
]);

/** Codes of 403 that say that the request, not the account, is the trouble. */
const contentCodes = new Set(["content_policy_violation", "content_filter", "moderation_blocked"]);

function reasonOf(status: number, codes: readonly (string | null)[]): FailureReason {
  if (codes.some((code) => code !== null && accountCodes.has(code))) return "account";
  if (status === 403 && codes.some((code) => code !== null && contentCodes.has(code))) return "rejected";
  // 403 may be about this one request or about all: whether another line fares better shows which.
  if (status === 401 || status === 402 || status === 403) return "account";
  if (status === 429) return "throttled";
  if (status === 408 || status === 409 || status >= 500) return "unavailable";
  return "rejected";
}

function refusal(
  { status, headers, body }: Reply,
  { json, secret, now }: { json: unknown; secret: Secret | null; now: number },
): Failure {
  const said = errorIn(json, secret);
  const failure: Failure = {
    ok: false,
    reason: reasonOf(status, [said.code, said.type]),
    status,
    requestId: requestId(headers, secret),
    body,
    error: {
      code: said.code ?? `upstream_http_${status}`,
      message: said.message ?? `The upstream answered with status ${status}`,
      type: said.type ?? "upstream_error",
    },
    retryAfterMs: retryAfterMs(status, headers, now),
  };
  return withLimits(failure, headers);
}

/**
 * Code, message and type as the upstream worded them. Beside OpenAI's `{"error": {...}}` there are servers that
 * send the fields bare, `{"error": "text"}` or `{"detail": "text"}`. A code that is a number repeats the status.
 */
function errorIn(json: unknown, secret: Secret | null) {
  const outer = isObject(json) ? json : {};
  const inner = isObject(outer.error) ? outer.error : outer;
  const text = (value: unknown, length: number) =>
    typeof value === "string" && value !== "" ? excerpt(secret?.blankText(value) ?? value, length) : null;
  return {
    code: text(inner.code, 200),
    message: text(inner.message, 1_000) ?? text(outer.error, 1_000) ?? text(outer.detail, 1_000),
    type: text(inner.type, 200),
  };
}

/** Statuses that say by themselves what is wrong: with these a proxy's HTML page changes nothing. */
function reasonWithoutJson(status: number): FailureReason {
  const reason = reasonOf(status, []);
  const redirected = status >= 300 && status < 400;
  return reason === "rejected" && !redirected ? "unavailable" : reason;
}

function notJson(
  { status, headers, body }: Reply,
  { secret, now }: { secret: Secret | null; now: number },
): Failure {
  // Up to four bytes make a character.
  secret?.blank(body, { ok: false });
  const message = excerpt(body.subarray(0, 4_000).toString(), 1_000);
  const code = "invalid_upstream_response";
  const hint = status >= 300 && status < 400 ? "; redirects are not followed, check the base URL" : "";
  return {
    ok: false,
    reason: reasonWithoutJson(status),
    status,
    requestId: requestId(headers, secret),
    body: Buffer.from(JSON.stringify({ error: { message, type: "upstream_error", param: null, code } })),
    error: {
      code,
      message: `The upstream answered with status ${status} and a body that is not JSON${hint}`,
      type: "upstream_error",
    },
    retryAfterMs: retryAfterMs(status, headers, now),
  };
}

/** The first `length` characters, none cut in half. */
function excerpt(text: string, length: number): string {
  return text.slice(0, length).toWellFormed();
}

function requestId(headers: ReplyHeaders, secret: Secret | null): string | null {
  const id = first(headers["x-request-id"]);
  if (id === null || id === "") return null;
  return excerpt(secret?.blankText(id) ?? id, 200);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
