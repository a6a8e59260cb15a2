"""Calls the official Python SDK on behalf of the contract suite.

Reads one call per line as JSON, {"id", "client", "method", "args"}, and answers each with one line:
{"id", "ok": true, "value"} or {"id", "error": {...}}. Calls run side by side.
"""

import base64
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import openai

output = Lock()
clients = {}


def main():
    with ThreadPoolExecutor(max_workers=16) as pool:
        say({"version": openai.__version__})
        for line in sys.stdin:
            pool.submit(handle, json.loads(line))


def handle(call):
    try:
        client = client_of(call["client"])
        value = calls[call["method"]](client, call["args"])
        say({"id": call["id"], "ok": True, "value": value})
    except Exception as reason:
        say({"id": call["id"], "error": error_of(reason)})


def say(message):
    with output:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def client_of(options):
    key = json.dumps(options, sort_keys=True)
    with output:
        if key not in clients:
            clients[key] = open_client(options)
        return clients[key]


def open_client(options):
    shared = {"api_key": options.get("apiKey", "unused"), "default_headers": options.get("headers")}
    if "maxRetries" in options:
        shared["max_retries"] = options["maxRetries"]
    if "webhookSecret" in options:
        shared["webhook_secret"] = options["webhookSecret"]
    azure = options.get("azure")
    if azure is None:
        return openai.OpenAI(base_url=options["baseUrl"], **shared)
    return openai.AzureOpenAI(
        azure_endpoint=options["baseUrl"],
        api_version=azure["apiVersion"],
        azure_deployment=azure.get("deployment"),
        **shared,
    )


def error_of(reason):
    body = getattr(reason, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    return {
        "status": getattr(reason, "status_code", None),
        "code": getattr(reason, "code", None),
        "type": getattr(reason, "type", None),
        "param": getattr(reason, "param", None),
        "requestId": getattr(reason, "request_id", None),
        "className": type(reason).__name__,
        "message": message or str(reason),
    }


def plain(answer):
    """What came over the wire, and the request id that the SDK tells beside it."""
    request_id = getattr(answer, "_request_id", None)
    value = answer.model_dump(mode="json", exclude_unset=True)
    return value if request_id is None else {**value, "_request_id": request_id}


def raw(response):
    """The same through `with_raw_response`."""
    return {**plain(response.parse()), "_request_id": response.request_id}


def source(file):
    if "path" in file:
        return open(file["path"], "rb")
    data = base64.b64decode(file["base64"])
    return (file["name"], data) if "name" in file else data


def create_file(client, args):
    rest = {key: value for key, value in args.items() if key != "file"}
    return plain(client.files.create(file=source(args["file"]), **rest))


def content_forms(client, args):
    content = client.files.content(args["id"])
    with tempfile.NamedTemporaryFile() as target:
        content.write_to_file(target.name)
        written = target.read().decode()
    lines = "".join(line + "\n" for line in content.iter_lines())
    return {"text": content.text, "read": content.read().decode(), "iter_lines": lines, "write_to_file": written}


def chunked(client, args):
    file = args["file"]
    data = file["path"] if "path" in file else base64.b64decode(file["base64"])
    return plain(client.uploads.upload_file_chunked(**{**args, "file": data}))


def request(client, args):
    options = {"headers": args.get("headers", {})}
    call = getattr(client, args["method"])
    body = {} if args["method"] == "get" else {"body": args.get("body")}
    return call(args["path"], cast_to=object, options=options, **body)


calls = {
    "files.create": create_file,
    "files.list": lambda client, args: plain(client.files.list(**args["query"])),
    "files.all": lambda client, args: [plain(item) for item in client.files.list(**args["query"])],
    "files.retrieve": lambda client, args: plain(client.files.retrieve(args["id"])),
    "files.delete": lambda client, args: plain(client.files.delete(args["id"])),
    "files.content": lambda client, args: base64.b64encode(client.files.content(args["id"]).content).decode(),
    "files.waitForProcessing": lambda client, args: plain(client.files.wait_for_processing(args["id"])),
    "files.contentForms": content_forms,
    "files.legacyContent": lambda client, args: client.files.retrieve_content(args["id"]),
    "uploads.create": lambda client, args: plain(client.uploads.create(**args["params"])),
    "uploads.part": lambda client, args: plain(
        client.uploads.parts.create(args["id"], data=base64.b64decode(args["base64"]))
    ),
    "uploads.complete": lambda client, args: plain(client.uploads.complete(args["id"], **args["params"])),
    "uploads.cancel": lambda client, args: plain(client.uploads.cancel(args["id"])),
    "uploads.chunked": chunked,
    "batches.create": lambda client, args: plain(client.batches.create(**args["params"])),
    "batches.list": lambda client, args: plain(client.batches.list(**args["query"])),
    "batches.all": lambda client, args: [plain(item) for item in client.batches.list(**args["query"])],
    "batches.retrieve": lambda client, args: raw(client.batches.with_raw_response.retrieve(args["id"])),
    "batches.cancel": lambda client, args: plain(client.batches.cancel(args["id"])),
    "webhooks.create": lambda client, args: plain(client.webhooks.create(**args["params"])),
    "webhooks.list": lambda client, args: plain(client.webhooks.list(**args["query"])),
    "webhooks.all": lambda client, args: [plain(item) for item in client.webhooks.list(**args["query"])],
    "webhooks.retrieve": lambda client, args: plain(client.webhooks.retrieve(args["id"])),
    "webhooks.update": lambda client, args: plain(client.webhooks.update(args["id"], **args["params"])),
    "webhooks.delete": lambda client, args: plain(client.webhooks.delete(args["id"])),
    "webhooks.rotateSecret": lambda client, args: plain(
        client.webhooks.rotate_secret(args["id"], **args["params"])
    ),
    "webhooks.test": lambda client, args: plain(client.webhooks.test(args["id"], **args["params"])),
    "webhooks.eventTypes": lambda client, args: plain(client.webhooks.event_types.list()),
    "webhooks.unwrap": lambda client, args: plain(
        client.webhooks.unwrap(args["body"], args["headers"], secret=args.get("secret"))
    ),
    "models.list": lambda client, args: [plain(item) for item in client.models.list()],
    "request": request,
}

main()
