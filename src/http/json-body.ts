import { NerifError } from "../batch/errors.ts";

const largestBody = 1024 * 1024;

/**
 * The JSON object in the body of a request, whatever its content type says.
 *
 * @param options.mayBeEmpty an empty body counts as an object without keys; default false
 * @throws NerifError `invalid_request`, `request_too_large` beyond 1 MiB
 */
export async function readJsonObject(
  request: Request,
  { mayBeEmpty = false }: { mayBeEmpty?: boolean } = {},
): Promise<Record<string, unknown>> {
  const text = await readText(request);
  if (mayBeEmpty && text.trim() === "") return {};
  const value = parse(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new NerifError("invalid_request", "Cannot read the body of the request: it must be a JSON object");
}

async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
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

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NerifError("invalid_request", "Cannot read the body of the request: it is not valid JSON", {
      cause,
    });
  }
}
