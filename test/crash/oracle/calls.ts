import type { History } from "./history.ts";

/** Sends a request to the server, wherever it listens just now. */
export type Ask = (path: string, init?: RequestInit) => Promise<Response>;

export interface Answered<T> {
  status: number;
  body: T;
}

/** A call that goes into the history with its answer. Null: there was none. */
export type Call = <T>(name: string, path: string, init?: RequestInit) => Promise<Answered<T> | null>;

const callMs = 20_000;

/** @param ask to a server that may die at any moment */
export function createCall(history: History, ask: Ask): Call {
  return async <T>(name: string, path: string, init: RequestInit = {}) => {
    history.note({ call: name, path });
    history.pending.add(name);
    try {
      const response = await ask(path, { ...init, signal: AbortSignal.timeout(callMs) });
      const body = (await response.json()) as T;
      const { status } = response;
      history.note({ answered: name, path, status, answer: body });
      if (status === 401) history.violations.push(`I1 ${name} ${path}: an acknowledged key is refused`);
      if (status === 404) history.violations.push(`I2 ${name} ${path}: what was acknowledged is unknown`);
      if (status === 500) history.violations.push(`I9 ${name} ${path}: ${JSON.stringify(body)}`);
      return { status, body };
    } catch (reason) {
      if (reason instanceof Error && reason.name === "TimeoutError") {
        history.violations.push(`I9 ${name} ${path}: no answer in ${callMs} ms`);
      }
      history.note({ unanswered: name, path, reason: String(reason) });
      return null;
    } finally {
      history.pending.delete(name);
    }
  };
}
