import { readFileSync } from "node:fs";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { isIP, type Socket } from "node:net";
import { isPublicAddress } from "./address.ts";
import { type AllowList, parseAllowList } from "./allow-list.ts";
import { connect } from "./connect.ts";
import { failureOf } from "./failure.ts";
import type { SendResult, WebhookMessage, WebhookSender } from "./sender.ts";
import { signatureHeaders } from "./sign.ts";

export interface HttpSenderOptions {
  /** Host names, addresses and ranges that are admitted although they are not public. Default: none. */
  allow?: readonly string[] | undefined;
  /** Milliseconds for a whole try, from the name's resolution to the answer. Default 10,000. */
  timeoutMs?: number | undefined;
  /** Addresses with ports of the name servers that are asked for what strangers name. Default: those of the system. */
  nameServers?: readonly string[] | undefined;
}

/** Bytes of an answer that are read so that the receiver can end it in peace; nobody looks at them. */
const politeBytes = 4 * 1024;

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/**
 * Sends events by HTTP/1.1, each on a connection of its own. Follows no redirects and asks no proxy.
 *
 * @throws NerifError `invalid_configuration` for an entry of `allow`
 */
export function createHttpSender({
  allow: entries = [],
  timeoutMs = 10_000,
  nameServers,
}: HttpSenderOptions = {}): WebhookSender {
  const allow = parseAllowList(entries);
  return {
    refusal: async (url) => refusalOf(url, allow),
    async send(message, stopped) {
      const refused = refusalOf(message.url, allow);
      // The list of what is admitted may be shorter than when the endpoint was created.
      if (refused !== null) return { status: null, failure: refused };
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(timeoutMs)]);
      try {
        const socket = await connect(new URL(message.url), { allow, nameServers, signal });
        return await post(message, { socket, signal });
      } catch (reason) {
        return { status: null, failure: failureOf(reason) };
      }
    },
  };
}

function refusalOf(text: string, allow: AllowList): string | null {
  const url = URL.parse(text);
  // Written out: the parser also takes `https:host` and `https:///host` for the same.
  if (url === null || !/^https?:\/\/[^/\\]/i.test(text)) return "it must begin with https://";
  // The parser leaves white space out, so that what is shown would not be what is asked.
  if (/[\s\p{Cc}]/u.test(text)) return "it must not hold white space";
  if (url.username !== "" || url.password !== "") return "it must not hold credentials";
  // The parser has turned all spellings of an address (decimal, octal, short, ...) into one.
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const isAddress = isIP(host) !== 0;
  if (allow.hasName(host) || (isAddress && allow.hasAddress(host))) return null;
  if (isAddress && !isPublicAddress(host))
    return "its address is private, local or reserved, and the operator of this server has not admitted it";
  return url.protocol === "http:"
    ? "it must begin with https:// unless the operator has admitted its host"
    : null;
}

async function post(
  message: WebhookMessage,
  { socket, signal }: { socket: Socket; signal: AbortSignal },
): Promise<SendResult> {
  const { host, pathname, search } = new URL(message.url);
  const sent: ClientRequest = request({
    method: "POST",
    path: `${pathname}${search}`,
    headers: {
      host,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(message.body),
      "user-agent": `Nerif/${version} (+webhooks)`,
      connection: "close",
      ...signatureHeaders(message),
    },
    createConnection: () => socket,
    signal,
  });
  // What is thrown below is told; what comes after it has nobody to tell.
  sent.on("error", () => {});
  try {
    sent.end(message.body);
    const answer = await answerTo(sent);
    await drain(answer);
    return { status: answer.statusCode ?? 0 };
  } catch (reason) {
    throw signal.aborted ? signal.reason : reason;
  } finally {
    sent.destroy();
    socket.destroy();
  }
}

function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once("response", resolve);
    sent.once("error", reject);
    // Comes alone when the receiver wants to switch protocols.
    sent.once("close", () => reject(new Error("The connection was closed without an answer")));
  });
}

async function drain(answer: IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of answer) {
      bytes += (chunk as Buffer).length;
      if (bytes > politeBytes) break;
    }
  } catch {
    // The status has been said; whether the rest arrives changes nothing.
  }
}
