import { hash } from "node:crypto";

/** One request of an input file, and what the witness and the result files call it. */
export interface KnownRequest {
  customId: string;
  endpoint: "/v1/chat/completions" | "/v1/embeddings";
  /** The bytes of `body` as they stand in the line. */
  body: string;
  /** Hexadecimal SHA-256 of `body`. */
  digest: string;
  line: string;
}

export interface KnownFile {
  requests: KnownRequest[];
  text: string;
  sha256: string;
}

/**
 * An input file whose bodies occur nowhere else, so that a sum of a body in the witness's log means one line.
 * Spaces and numbers are written as no serialiser would write them: a body that is not sent as it stands shows.
 *
 * @param name unique among all files that one witness sees
 */
export function knownFile(name: string, lines: number): KnownFile {
  const requests = Array.from({ length: lines }, (_, index) => knownRequest(`${name}-${index}`, index));
  const text = requests.map(({ line }) => `${line}\n`).join("");
  return { requests, text, sha256: hash("sha256", text) };
}

function knownRequest(customId: string, index: number): KnownRequest {
  const isEmbedding = index % 3 === 2;
  const endpoint = isEmbedding ? "/v1/embeddings" : "/v1/chat/completions";
  const body = isEmbedding
    ? `{"model":"e", "input":"${customId}", "dimensions":16}`
    : `{"model":"m",  "messages":[{"role":"user","content":"${customId}"}], "seed":12345678901234567890, "max_tokens":12}`;
  const line = `{"custom_id":"${customId}","method":"POST","url":"${endpoint}","body":${body}}`;
  return { customId, endpoint, body, digest: hash("sha256", body), line };
}
