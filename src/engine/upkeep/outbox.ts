import { limits } from "../../batch/limits.ts";
import { signingSecrets } from "../../batch/webhook.ts";
import type { ControlStore } from "../../control/control-store.ts";
import type { WebhookDelivery } from "../../control/webhook-records.ts";
import type { SendResult, WebhookSender } from "../../webhooks/sender.ts";
import { type Clock, unixSeconds } from "../clock.ts";
import type { Logger } from "../deps.ts";
import { createReceiver, type Receiver } from "./receiver.ts";

/** Events on their way at once: several times what all receivers of one project may have, as slow as they like. */
const mostInFlight = 256;
const firstDelaySeconds = 5;
const longestDelaySeconds = 3_600;
/** The longest sleep while something is undelivered, in milliseconds: the wall clock may jump. */
const longestSleepMs = 60_000;
/** How long `stop` waits for answers, in milliseconds, even where it is given more time. */
const longestGraceMs = 2_000;

/** Delivers what the control store has in its outbox, each event at least once. */
export interface Outbox {
  /** Call it when there may be something new. */
  look(): void;
  /**
   * Begins nothing new and breaks off what is on its way after at most 2 seconds. What is not answered then stays in
   * the outbox.
   */
  stop(graceMs: number): Promise<void>;
}

export interface OutboxDeps {
  control: ControlStore;
  sender: WebhookSender;
  clock: Clock;
  log: Logger;
  /** A number in [0, 1), for jitter. Default `Math.random`. */
  random?: () => number;
}

/** One process delivers: the one that executes. */
export function createOutbox({ control, sender, clock, log, random = Math.random }: OutboxDeps): Outbox {
  const inFlight = new Map<string, Promise<void>>();
  const receivers = new Map<string, Receiver>();
  const over = new AbortController();
  let stopped = false;
  let looking: Promise<void> | null = null;
  let again = false;
  let cancelSleep = () => {};

  function look(): void {
    again = true;
    if (stopped) return;
    looking ??= lookWhileAsked().finally(() => {
      looking = null;
    });
  }

  async function lookWhileAsked(): Promise<void> {
    while (again && !stopped) {
      again = false;
      cancelSleep();
      try {
        sleep(await beginDue());
      } catch (reason) {
        log.error({ err: reason }, "Cannot look for webhook deliveries; trying again");
        sleep(longestSleepMs);
      }
    }
  }

  /** Begins what is due and has room. Returns after how many milliseconds to look again; null: when something changes. */
  async function beginDue(): Promise<number | null> {
    for (;;) {
      const now = clock.monotonic();
      for (const [id, receiver] of receivers) if (receiver.isForgettable(now)) receivers.delete(id);
      const busy = [...receivers].filter(([, receiver]) => !receiver.hasRoom(now));
      const limit = mostInFlight - inFlight.size;
      // Whatever ends next looks again.
      if (limit <= 0 || stopped) return null;
      const next = await control.nextDeliveries({
        limit,
        exceptEndpoints: busy.map(([id]) => id),
        except: [...inFlight.keys()],
      });
      const due = next.filter(({ due_at }) => due_at * 1_000 <= clock.now());
      for (const delivery of due) begin(delivery);
      // All were due, and maybe more are, of receivers that have room.
      if (next.length > 0 && due.length === next.length) continue;
      const waits = busy.map(([, receiver]) => receiver.rest(now)).filter((ms) => ms !== null);
      const first = next.find(({ due_at }) => due_at * 1_000 > clock.now());
      if (first !== undefined) waits.push(first.due_at * 1_000 - clock.now());
      return waits.length === 0 ? null : Math.max(0, Math.min(...waits, longestSleepMs));
    }
  }

  function sleep(ms: number | null): void {
    if (ms === null || stopped) return;
    // An event that has to wait keeps no process alive; the next one that executes takes it up.
    cancelSleep = clock.after(ms, look, { keepAlive: false });
  }

  function begin(delivery: WebhookDelivery): void {
    const { id, endpoint } = delivery;
    const receiver = receivers.get(endpoint.id) ?? createReceiver();
    if (stopped || !receiver.hasRoom(clock.monotonic())) return;
    receivers.set(endpoint.id, receiver);
    receiver.inFlight += 1;
    const ended = deliver(delivery, receiver).finally(() => {
      inFlight.delete(id);
      receiver.inFlight -= 1;
      look();
    });
    inFlight.set(id, ended);
  }

  async function deliver(delivery: WebhookDelivery, receiver: Receiver): Promise<void> {
    const { id, endpoint, event } = delivery;
    try {
      const timestamp = unixSeconds(clock);
      const secrets = signingSecrets(endpoint, timestamp);
      const message = { url: endpoint.url, id, timestamp, body: JSON.stringify(event), secrets };
      const result = await sender.send(message, over.signal);
      if (isTaken(result)) {
        receiver.succeeded();
        await control.removeDelivery(id);
      } else if (!over.signal.aborted) {
        receiver.failed(clock.monotonic());
        await tryLater(delivery, result);
      }
    } catch (reason) {
      // Storage failed: the event is still in the outbox, and comes once more.
      receiver.failed(clock.monotonic());
      log.error({ err: reason, delivery: id }, "Cannot note what became of a webhook delivery; trying again");
    }
  }

  async function tryLater(
    { id, endpoint, event, attempts }: WebhookDelivery,
    result: SendResult,
  ): Promise<void> {
    const failure = result.status === null ? result.failure : `it answered ${result.status}`;
    // No URL: those of some receivers hold a secret.
    const about = { endpoint: endpoint.id, delivery: id, batch: event.data.id, attempts: attempts + 1 };
    const now = unixSeconds(clock);
    const end = event.created_at + limits.webhookDelivery.lifetime;
    if (now >= end) {
      log.warn(about, `Gave up telling a webhook endpoint of a batch after 72 hours: ${failure}`);
      return control.removeDelivery(id);
    }
    log.info(about, `Cannot tell a webhook endpoint of a batch: ${failure}; trying again later`);
    const due_at = Math.min(now + delaySeconds(attempts, random), end);
    return control.postponeDelivery(id, { attempts: attempts + 1, due_at });
  }

  return {
    look,
    async stop(graceMs) {
      // The last batch may have ended just now: its event gets its first try.
      if (graceMs > 0) await looking;
      stopped = true;
      cancelSleep();
      await looking;
      const cancel = clock.after(Math.min(graceMs, longestGraceMs), () => over.abort());
      if (graceMs <= 0) over.abort();
      await Promise.all(inFlight.values());
      cancel();
    },
  };
}

function isTaken({ status }: SendResult): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** 5 seconds, doubled with each failure up to an hour, give or take a quarter so that events do not come in step. */
function delaySeconds(failures: number, random: () => number): number {
  const seconds = Math.min(firstDelaySeconds * 2 ** Math.min(failures, 20), longestDelaySeconds);
  return Math.ceil(seconds * (0.75 + random() / 2));
}
