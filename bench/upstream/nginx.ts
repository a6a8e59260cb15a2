import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../test/support/free-port.ts";
import { answers } from "./answers.ts";
import type { Upstream } from "./upstream.ts";

const binary = "/usr/sbin/nginx";
const modules = ["ndk_http_module.so", "ngx_http_lua_module.so"].map((name) =>
  join("/usr/lib/nginx/modules", name),
);

/** Debian's nginx with one worker, on a free port, with nothing of the machine's own configuration. */
export async function startNginx(scratch: string): Promise<{ upstream: Upstream } | { missing: string }> {
  if (![binary, ...modules].every((path) => existsSync(path))) {
    return { missing: "apt-get install nginx-light libnginx-mod-http-lua" };
  }
  const directory = join(scratch, "nginx");
  mkdirSync(directory);
  for (const [name, text] of Object.entries(answers)) writeFileSync(join(directory, name), text);
  const port = await freePort();
  const file = join(directory, "nginx.conf");
  writeFileSync(file, configuration(directory, port));
  const child = spawn(binary, ["-p", directory, "-c", file], { stdio: ["ignore", "ignore", "inherit"] });
  const stop = () => void child.kill();
  process.once("exit", stop);
  await answering(`http://127.0.0.1:${port}/0/v1/embeddings`);
  const url = (delayMs: number) => `http://127.0.0.1:${port}/${delayMs}/v1`;
  return { upstream: { name: version(), url, stop } };
}

/** The delay stands in front of the path, in milliseconds. */
function configuration(directory: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `  ${name}_temp_path ${directory}/${name};`,
  );
  return `
${modules.map((path) => `load_module ${path};`).join("\n")}
daemon off;
master_process off;
pid ${directory}/pid;
error_log stderr error;
events { worker_connections 16384; }
http {
${temporary.join("\n")}
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1d;
  client_body_buffer_size 128k;
  client_max_body_size 16m;
  init_by_lua_block {
    local function text(name)
      local file = io.open("${directory}/" .. name)
      return file:read("*a"), file:close()
    end
    chat, embedding = text("chat"), text("embedding")
  }
  server {
    listen 127.0.0.1:${port} backlog=16384;
    default_type application/json;
    location ~ ^/(?<delay>\\d+)/v1/(?<endpoint>\\w+) {
      content_by_lua_block {
        ngx.req.read_body()
        local delay = tonumber(ngx.var.delay)
        if delay > 0 then ngx.sleep(delay / 1000) end
        local answer = ngx.var.endpoint == "embeddings" and embedding or chat
        ngx.header["Content-Length"] = #answer
        ngx.print(answer)
      }
    }
  }
}
`;
}

async function answering(url: string): Promise<void> {
  for (let left = 100; ; left -= 1) {
    try {
      const answer = await fetch(url, { method: "POST", body: "{}" });
      if ((await answer.text()) === answers.embedding) return;
      throw new Error(`nginx answers otherwise, with status ${answer.status}`);
    } catch (reason) {
      // It takes a moment until it listens.
      if (left === 0) throw reason;
    }
    await sleep(50);
  }
}

function version(): string {
  // nginx says it on stderr.
  const said = execFileSync("sh", ["-c", `${binary} -v 2>&1`], { encoding: "utf8" });
  return said.replace("nginx version: ", "").trim();
}
