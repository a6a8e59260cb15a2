import { errnoOf } from "../batch/errors.ts";
import { AddressRefused } from "./connect.ts";
import { NameUnresolved } from "./resolve.ts";

/** What went wrong, in words that are fit for whoever chose the URL: they name no address and no file of ours. */
export function failureOf(reason: unknown): string {
  if (reason instanceof AddressRefused) {
    return "its name leads to a private, local or reserved address, to which nothing is sent";
  }
  if (reason instanceof NameUnresolved) return "its name cannot be resolved";
  if (reason instanceof Error && reason.name === "TimeoutError") return "it did not answer in time";
  if (reason instanceof Error && reason.name === "AbortError") return "this process stopped first";
  const code = errnoOf(reason) ?? "";
  const known = reasons.find(([pattern]) => pattern.test(code));
  return known?.[1] ?? "the connection failed";
}

const reasons: readonly [RegExp, string][] = [
  [/^ECONNREFUSED$/, "the connection was refused"],
  [/^(ECONNRESET|EPIPE)$/, "the connection broke"],
  [/^(EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/, "there is no way to its address"],
  [/^ETIMEDOUT$/, "it did not answer in time"],
  [/^HPE_/, "its answer is not HTTP"],
  [/CERT|TLS|SSL|^UNABLE_TO|SELF_SIGNED|^EPROTO$/, "no TLS connection came about; is its certificate valid?"],
];
