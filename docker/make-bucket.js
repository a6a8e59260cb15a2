// Makes the bucket of compose.yaml where it is not there yet. Elsewhere a bucket is made by whoever gives rights on it.
import { CreateBucketCommand, HeadBucketCommand, S3Client } from "@aws-sdk/client-s3";

const { NERIF_S3_BUCKET: url, NERIF_S3_ENDPOINT: endpoint } = process.env;
const input = { Bucket: new URL(url).hostname };
// The server may still be starting.
const client = new S3Client({ endpoint, forcePathStyle: true, region: "us-east-1", maxAttempts: 10 });
try {
  await client.send(new HeadBucketCommand(input));
} catch (reason) {
  if (reason.$metadata?.httpStatusCode !== 404) throw reason;
  await client.send(new CreateBucketCommand(input));
}
