export interface Answer {
  id: string;
  data: { id: string; created_at: number }[];
  last_id: string;
  has_more: boolean;
}

export async function ask(url: string): Promise<Answer> {
  return read(await fetch(url));
}

/** Uploads an input; its id. */
export async function upload(url: string, lines: string): Promise<string> {
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", new Blob([lines]), "input.jsonl");
  return (await read(await fetch(`${url}/v1/files`, { method: "POST", body: form }))).id;
}

/** Creates a batch of an input; its id. */
export async function create(url: string, input_file_id: string): Promise<string> {
  const batch = { input_file_id, endpoint: "/v1/chat/completions", completion_window: "24h" };
  const body = JSON.stringify({ ...batch, metadata: { team: "open" } });
  const headers = { "content-type": "application/json" };
  return (await read(await fetch(`${url}/v1/batches`, { method: "POST", headers, body }))).id;
}

/** The last of 50 pages of 100. */
export async function deepCursor(url: string, what: "batches" | "files"): Promise<string> {
  let after = "";
  for (let page = 0; page < 50; page += 1) {
    const more = after === "" ? "" : `&after=${after}`;
    const { last_id, has_more } = await ask(`${url}/v1/${what}?limit=100${more}`);
    after = last_id;
    if (!has_more) break;
  }
  return after;
}

async function read(response: Response): Promise<Answer> {
  if (!response.ok) throw new Error(`The server answers ${response.status}: ${await response.text()}`);
  return (await response.json()) as Answer;
}
