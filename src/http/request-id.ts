import { randomBytes } from "node:crypto";

/** The id under which a request is answered and logged: `req_` and 32 hexadecimal digits. */
export function newRequestId(): string {
  return `req_${randomBytes(16).toString("hex")}`;
}
