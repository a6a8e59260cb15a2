import { errnoOf, NerifError } from "../batch/errors.ts";

/** The connection was lost, maybe after the statement was done: nobody knows. */
export const connectionFailure = "08006";
/** There is no connection, so nothing was done. */
export const cannotConnect = "08001";

/** Classes of SQLSTATE (or whole ones) after which the same may succeed a moment later. */
const passing = [
  ...["08", "57P01", "57P02", "57P03", "57P05"], // the connection or the server went away, or comes up
  "53300", // too many connections
  "25006", // it has become a standby: the next connection leads to another one
  ...["40001", "40P01"], // could not be brought into an order with others: nothing was done
  "55P03", // a lock was not to be had
];

/** Whether the same may succeed a moment later. */
export function isPassing(reason: unknown): boolean {
  const code = errnoOf(reason);
  return code !== null && passing.some((start) => code.startsWith(start));
}

/** Whether what was asked for may have been done although no answer came. */
export function isDoubtful(reason: unknown): boolean {
  return errnoOf(reason) === connectionFailure;
}

/**
 * Turns what PostgreSQL or its client threw while Nerif wanted to `action` into an error of Nerif's. What the server
 * said stays in `cause`: it names users, hosts and values.
 */
export function fromPostgres(reason: unknown, action: string): NerifError {
  const code = errnoOf(reason);
  if (reason instanceof NerifError || code === null) return NerifError.fromUnknown(reason, action);
  const failure = failures.find(([start]) => code.startsWith(start));
  if (failure === undefined) return NerifError.fromUnknown(reason, action);
  const [, name, why] = failure;
  return new NerifError(name, `Cannot ${action}: ${why}`, { cause: reason });
}

const failures = [
  ["08", "storage_unavailable", "the database cannot be reached"],
  ["57014", "storage_unavailable", "the database took too long"],
  ["57", "storage_unavailable", "the database is shutting down or starting"],
  ["40", "storage_unavailable", "the database is too busy with changes by others"],
  ["55", "storage_unavailable", "the database stays locked by another process"],
  ["53100", "disk_full", "the disk of the database is full"],
  ["53", "storage_unavailable", "the database has no room for more"],
  ["25006", "storage_unavailable", "the database is read-only"],
  ["22021", "invalid_value", "it has a NUL character, which the database keeps in no text"],
  ["28", "storage_unavailable", "the database refuses this user or its password"],
  ["3D", "storage_unavailable", "there is no database of this name"],
  ["42501", "storage_unavailable", "the database user may not do this"],
  ["XX001", "data_damaged", "the database is damaged"],
  ["XX002", "data_damaged", "the database is damaged"],
  ["58", "storage_unavailable", "the disk of the database failed"],
] as const;
