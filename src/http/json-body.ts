import { NerifError } from "../batch/errors.ts";
import { isRecord } from "../service/type-name.ts";

const largestBody = 1024 * 1024;

/**
 * The JSON object in the body of a request, whatever its content type says.
 *
 * @param options.mayBeEmpty an empty body counts as an object without keys; default false
 * @param options.withinMs longest time for the whole body, in milliseconds; default 30 s
 * @throws NerifError `invalid_request`, `request_too_large` beyond 1 MiB, `aborted` when it takes too long
 */
export async function readJsonObject(
  request: Request,
  { mayBeEmpty = false, withinMs = 30_000 }: { mayBeEmpty?: boolean; withinMs?: number } = {},
): Promise<Record<string, unknown>> {
  const text = await inTime(readText(request), withinMs);
  if (mayBeEmpty && text.trim() === "") return {};
  const value = parse(text);
  if (isRecord(value)) return value;
  throw new NerifError("invalid_request", "Cannot read the body of the request: it must be a JSON object");
}

/** However small its pieces: a body that trickles in is given up, and the connection goes with it. */
async function inTime<T>(reading: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const message = `Cannot read the body of the request: it took longer than ${ms / 1_000} s`;
  const timer = setTimeout(() => late.reject(new NerifError("aborted", message)), ms);
  // When the time is over, nobody waits for the reading any more, which the end of the connection will fail.
  reading.catch(() => {});
  return Promise.race([reading, late.promise]).finally(() => clearTimeout(timer));
}

async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunksOf(request)) {
    bytes += chunk.length;
    if (bytes > largestBody) {
      throw new NerifError(
        "request_too_large",
        `Cannot read the body of the request: it is larger than ${largestBody} bytes`,
      );
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new NerifError("invalid_request", "Cannot read the body of the request: it is not UTF-8", {
      cause,
    });
  }
}

async function* chunksOf(request: Request): AsyncGenerator<Uint8Array> {
  try {
    yield* request.body ?? [];
  } catch (cause) {
    throw new NerifError("aborted", "Cannot read the body of the request: the connection broke off", {
      cause,
    });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NerifError("invalid_request", "Cannot read the body of the request: it is not valid JSON", {
      cause,
    });
  }
}
