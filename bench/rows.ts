import type { Row } from "./row.ts";
import { chat } from "./rows/chat.ts";
import { clusterRow } from "./rows/cluster.ts";
import { embeddings } from "./rows/embeddings.ts";
import { firstCall } from "./rows/first-call.ts";
import { inFlightRows } from "./rows/in-flight.ts";
import { journal } from "./rows/journal.ts";
import { memory, tenMillion } from "./rows/memory.ts";
import { restart } from "./rows/restart.ts";
import { serve } from "./rows/serve.ts";
import { startUp } from "./rows/start-up.ts";
import { statements } from "./rows/statements.ts";
import { validationRows } from "./rows/validation.ts";

/** In the order of the table. */
export const rows: readonly Row[] = [
  chat,
  serve,
  ...inFlightRows,
  embeddings,
  ...validationRows,
  memory,
  tenMillion,
  journal,
  firstCall,
  restart,
  startUp,
  statements,
  clusterRow,
];
