import { expect, test } from "vitest";
import { openPostgresControlStore } from "./postgres.ts";

test.each([
  ["postgres://me:secret@127.0.0.1:1/x?port=abc", /its port must be a number/],
  [
    "postgres://me:secret@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
    /a file that it names/,
  ],
  ["not a URL, secret", /must look like/],
])("a database URL that cannot be used is refused at once, and not repeated: %s", async (url, message) => {
  const error: unknown = await openPostgresControlStore({ url }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "invalid_configuration", message: expect.stringMatching(message) });
  expect(String(error)).not.toContain("secret");
});
