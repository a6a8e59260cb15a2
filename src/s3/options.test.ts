import { expect, test } from "vitest";
import { parseS3Options } from "./options.ts";

test.each([
  ["s3://logs", { bucket: "logs", prefix: "" }],
  ["logs", { bucket: "logs", prefix: "" }],
  ["s3://logs/", { bucket: "logs", prefix: "" }],
  ["s3://logs/a/b", { bucket: "logs", prefix: "a/b/" }],
  ["s3://logs/a/b/", { bucket: "logs", prefix: "a/b/" }],
])("an address reads as a bucket and a prefix when it is %s", (url, expected) => {
  expect(parseS3Options({ url }, {})).toEqual({ ...expected, pathStyle: false });
});

test("an endpoint of its own gets path style and a region unless it is told others", () => {
  const url = "s3://logs";
  expect(parseS3Options({ url, endpoint: "http://minio:9000/" }, {})).toEqual({
    ...{ bucket: "logs", prefix: "", endpoint: "http://minio:9000" },
    ...{ region: "us-east-1", pathStyle: true },
  });
  const told = { url, endpoint: "https://s3.eu-central-1.amazonaws.com", region: "eu-central-1" };
  expect(parseS3Options(told, {})).toMatchObject({ region: "eu-central-1", pathStyle: false });
  expect(parseS3Options({ ...told, pathStyle: true }, {})).toMatchObject({ pathStyle: true });
});

test("endpoint and region come from the environment when they are not given", () => {
  const environment = { AWS_ENDPOINT_URL_S3: "https://id.r2.cloudflarestorage.com", AWS_REGION: "auto" };
  expect(parseS3Options({ url: "s3://logs" }, environment)).toEqual({
    ...{ bucket: "logs", prefix: "", endpoint: "https://id.r2.cloudflarestorage.com" },
    ...{ region: "auto", pathStyle: true },
  });
});

test.each([
  { url: "s3://" },
  { url: "s3://UPPER" },
  { url: "s3://a/b//c" },
  { url: "s3://logs/ü" },
  { url: `s3://logs/${"x".repeat(300)}` },
  { url: "https://logs.s3.amazonaws.com/x" },
  { url: "s3://key:secret@logs" },
  { url: "s3://logs?secret=x" },
  { url: "s3://logs", endpoint: "minio:9000" },
  { url: "s3://logs", endpoint: "http://key:secret@minio" },
])("what is no bucket or endpoint is refused, without a key in the message: %j", (settings) => {
  expect(() => parseS3Options(settings, {})).toThrow(
    expect.objectContaining({
      code: "invalid_configuration",
      message: expect.not.stringContaining("secret"),
    }),
  );
});
