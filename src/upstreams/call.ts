import type { Dispatcher } from "undici";
import type { Connection } from "./connections.ts";
import { decodeBody } from "./decode.ts";
import { answerOf, unanswered } from "./outcome.ts";
import { first, type ReplyHeaders } from "./retry-after.ts";
import type { Secret } from "./secret.ts";
import type { Answer, Failure } from "./upstream.ts";

/** What all calls to one upstream share. */
export interface CallSettings {
  /** Largest answer in bytes, before and after decoding. */
  maxAnswerBytes: number;
  secret: Secret | null;
  /** Called once per call, when undici is done with it and its connection is free again. */
  onFree(connection: Connection): void;
}

/** How a call ends for its caller. */
export interface CallEnd {
  signal: AbortSignal;
  /** Monotonic milliseconds. */
  deadline: number;
  /** What it throws is thrown at the process: undici would take it for trouble of the connection. */
  onAnswer: (answer: Answer) => void;
}

export interface CallOptions {
  request: Dispatcher.DispatchOptions;
  connection: Connection;
  end: CallEnd;
  settings: CallSettings;
}

const givenUp = new Error("The call was given up");
const noBody = Buffer.alloc(0);
/** Room is made at once for answers that announce up to this; a larger one has to come before it gets more. */
const believedBytes = 1024 * 1024;

/**
 * One request on its way, as undici sees it. It ends once, by an answer, a broken connection, or `giveUp`; what
 * undici reports later is ignored.
 */
export class Call implements Dispatcher.DispatchHandler {
  readonly signal: AbortSignal;
  readonly deadline: number;
  readonly #connection: Connection;
  readonly #request: Dispatcher.DispatchOptions;
  readonly #settings: CallSettings;
  readonly #onAnswer: (answer: Answer) => void;
  /** Set once the request is written; before that nothing was sent. */
  #controller: Dispatcher.DispatchController | null = null;
  #ended = false;
  #resent = false;
  #freed = false;
  #status = 0;
  #headers: ReplyHeaders = {};
  #body: Buffer = noBody;
  #bytes = 0;
  /** What `content-length` says; 0 where it is missing. */
  #announced = 0;

  constructor({ request, connection, end, settings }: CallOptions) {
    this.#request = request;
    this.#connection = connection;
    this.signal = end.signal;
    this.deadline = end.deadline;
    this.#onAnswer = end.onAnswer;
    this.#settings = settings;
  }

  /** Hands the request to undici. */
  start(): void {
    this.#connection.dispatcher.dispatch(this.#request, this);
  }

  /** Whether its caller has the answer. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Ends the call with this answer and breaks its connection off, unless it has ended before. */
  giveUp(failure: Failure): void {
    if (this.#ended) return;
    this.#endLater(failure);
    this.#controller?.abort(givenUp);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for its connection: this keeps undici from writing it.
    if (this.#ended) controller.abort(givenUp);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    this.#status = status;
    this.#headers = headers;
    this.#announced = Number(first(headers["content-length"]));
    if (this.#announced > this.#settings.maxAnswerBytes) this.#refuseSize();
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return;
    const bytes = this.#bytes + chunk.length;
    if (bytes > this.#settings.maxAnswerBytes) {
      this.#refuseSize();
      return;
    }
    // Most answers come in one piece, which is used as it is.
    if (this.#bytes === 0) this.#body = chunk;
    else this.#append(chunk, bytes);
    this.#bytes = bytes;
  }

  onResponseEnd(): void {
    this.#free();
    if (this.#ended) return;
    const encoding = first(this.#headers["content-encoding"]);
    const body = this.#body.subarray(0, this.#bytes);
    this.#body = noBody;
    if (encoding === null || encoding === "identity" || encoding === "") this.#answer(body);
    else void this.#decode(body, encoding);
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    // A connection that was idle was reset before it carried this request. That says nothing about the upstream,
    // and nothing was sent; undici forgives this by itself when the other side closes in good order.
    if (this.#controller === null && !this.#ended && !this.#resent && codeOf(error) === "ECONNRESET") {
      this.#resent = true;
      queueMicrotask(() => this.start());
      return;
    }
    this.#free();
    this.#endLater(this.#controller === null ? refused(error) : broken(error));
  }

  /**
   * Copies into a buffer of the announced length, or one that doubles: a list of pieces of one byte each would take a
   * hundred times the memory.
   */
  #append(chunk: Buffer, bytes: number): void {
    if (bytes > this.#body.length) {
      const isAnnounced = bytes <= this.#announced && this.#announced <= believedBytes;
      const size = isAnnounced ? this.#announced : Math.max(2 * bytes, 16_384);
      const larger = Buffer.allocUnsafeSlow(Math.min(size, this.#settings.maxAnswerBytes));
      larger.set(this.#body.subarray(0, this.#bytes));
      this.#body = larger;
    }
    this.#body.set(chunk, this.#bytes);
  }

  async #decode(raw: Buffer, encoding: string): Promise<void> {
    const decoded = await decodeBody(raw, { encoding, maxBytes: this.#settings.maxAnswerBytes });
    if (decoded === "too_large") this.#refuseSize();
    else if (decoded === "damaged") this.#answer(Buffer.from("The body could not be decoded"));
    else this.#answer(decoded);
  }

  #answer(body: Buffer): void {
    const reply = { status: this.#status, headers: this.#headers, body };
    this.#end(answerOf(reply, { secret: this.#settings.secret, now: Date.now() }));
  }

  #refuseSize(): void {
    this.giveUp(tooLarge(this.#status, this.#settings.maxAnswerBytes));
  }

  #end(answer: Answer): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#body = noBody;
    try {
      this.#onAnswer(answer);
    } catch (reason) {
      queueMicrotask(() => {
        throw reason;
      });
    }
  }

  /** A failure comes while undici clears up, or in a loop over all calls: no place from where to send the next one. */
  #endLater(failure: Failure): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#body = noBody;
    queueMicrotask(() => this.#onAnswer(failure));
  }

  #free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#settings.onFree(this.#connection);
  }
}

export function aborted(): Failure {
  return unanswered("aborted", { code: "request_aborted", message: "The call was broken off" });
}

export function timedOut(ms: number): Failure {
  const message = `The upstream gave no whole answer within ${ms} ms`;
  return unanswered("timeout", { code: "request_timeout", message });
}

function tooLarge(status: number, limit: number): Failure {
  const message = `The upstream answered with status ${status} and more than the ${limit} bytes that are allowed`;
  return unanswered("too_large", { code: "response_too_large", message });
}

function refused(error: Error): Failure {
  const message = `The upstream cannot be reached: ${causeOf(error)}`;
  return unanswered("refused", { code: "connection_failed", message });
}

function broken(error: Error): Failure {
  if (codeOf(error) === "UND_ERR_HEADERS_OVERFLOW") {
    const message = "The upstream answered with more headers than are allowed";
    return unanswered("too_large", { code: "response_too_large", message });
  }
  const message = `The connection to the upstream broke before the answer was whole: ${causeOf(error)}`;
  return unanswered("reset", { code: "connection_failed", message });
}

const untrusted = "nobody who is trusted has signed its certificate; SSL_CERT_FILE names others to trust";

/** In words where the code says little. Never the error's own message, which holds addresses. */
const causes: Record<string, string> = {
  ECONNREFUSED: "nobody listens there",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name cannot be looked up now",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to it",
  UND_ERR_CONNECT_TIMEOUT: "it did not accept the connection in time",
  ETIMEDOUT: "it did not accept the connection in time",
  ECONNRESET: "it reset the connection",
  UND_ERR_SOCKET: "it closed the connection",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS, so its URL may have to begin with http://",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the answer was not as long as announced",
};

function causeOf(error: Error): string {
  const code = codeOf(error);
  const words = causes[code] ?? (code.startsWith("HPE_") ? "the answer is not HTTP" : null);
  return words === null ? code : `${words} (${code})`;
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
