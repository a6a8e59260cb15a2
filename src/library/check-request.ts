import { errorCodes, NerifError } from "../batch/errors.ts";
import { checkRequestLine } from "../batch/request-line.ts";

/**
 * Refuses one request that would be refused as a line of an input file.
 *
 * @throws NerifError with the code of what is wrong, and the request's index in message and `param`
 */
export function checkRequest(line: Buffer, { index, maxBytes }: { index: number; maxBytes: number }): void {
  const place = `requests[${index}]`;
  if (line.length > maxBytes) {
    const reason = `it has ${line.length} bytes, more than the maximum of ${maxBytes}`;
    throw new NerifError("line_too_large", `Cannot write request ${index}: ${reason}`, { param: place });
  }
  const check = checkRequestLine(line);
  const error = check.ok ? undefined : check.errors[0];
  if (error === undefined) return;
  throw new NerifError(
    errorCodes.find((code) => code === error.code) ?? "invalid_request",
    `Cannot write request ${index}: ${error.message}`,
    { param: error.param === null ? place : `${place}.${error.param}` },
  );
}
