// The image's health check: whether the process in this container answers. There is no curl in the image.
const port = process.env.NERIF_PORT;

const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null);
process.exitCode = answer?.ok ? 0 : 1;
