import { expect, it } from "vitest";
import { attachment } from "./content-disposition.ts";

it.each([
  ["batch_1_output.jsonl", 'attachment; filename="batch_1_output.jsonl"'],
  ["a b.jsonl", 'attachment; filename="a b.jsonl"'],
  ["../../etc/passwd", 'attachment; filename="passwd"'],
  ["", 'attachment; filename="file"'],
  ['a"b\\c.jsonl', `attachment; filename="a_b_c.jsonl"; filename*=UTF-8''a%22b%5Cc.jsonl`],
  ["übung.jsonl", `attachment; filename="_bung.jsonl"; filename*=UTF-8''%C3%BCbung.jsonl`],
  [
    "a\r\nX-Evil: 1.jsonl",
    `attachment; filename="a__X-Evil: 1.jsonl"; filename*=UTF-8''a%0D%0AX-Evil%3A%201.jsonl`,
  ],
  ["100%(1)'*.jsonl", `attachment; filename="100_(1)'*.jsonl"; filename*=UTF-8''100%25%281%29%27%2A.jsonl`],
  ["\ud800.jsonl", `attachment; filename="_.jsonl"; filename*=UTF-8''%EF%BF%BD.jsonl`],
])("the file name %j is sent as %j", (filename, header) => {
  expect(attachment(filename)).toBe(header);
});
