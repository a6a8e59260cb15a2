/** Sends signed events to receivers whose addresses strangers may have chosen. */
export interface WebhookSender {
  /**
   * Why nothing may be sent to this URL, as the end of a sentence; null when something may. What a name stands for
   * shows only when something is sent.
   */
  refusal(url: string): Promise<string | null>;
  /** Sends one event once. What goes wrong is a value: it is tried again, or told. */
  send(message: WebhookMessage, signal: AbortSignal): Promise<SendResult>;
}

export interface WebhookMessage {
  url: string;
  /** The `webhook-id`; the same at each try. */
  id: string;
  /** Unix seconds of this try; receivers refuse what is older than 5 minutes. */
  timestamp: number;
  /** JSON. */
  body: string;
  /** All that sign, as `whsec_` and base64; a receiver needs to know one of them. */
  secrets: readonly string[];
}

export type SendResult =
  /** The receiver answered; it took the event if the status is 2xx. */
  | { status: number }
  /** No answer came. `failure` says why in a few words that tell nothing of this machine or its network. */
  | { status: null; failure: string };
