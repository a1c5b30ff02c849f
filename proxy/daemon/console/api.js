// The admin API. The token is kept in this module's memory, and nowhere else.

let token = "";

export class Refused extends Error {
  constructor(status, words) {
    super(words.message ?? `status ${status}`);
    this.status = status;
    this.advice = words.advice ?? "";
  }
}

export function carry(text) {
  token = text;
}

/** Asks, and reads what is answered as JSON. */
export async function ask(path, method = "GET", body = undefined, signal = undefined) {
  const reply = await send(path, method, body, signal);
  return reply.json();
}

async function send(path, method, body, signal) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const reply = await fetch(path, {
    method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer",
  });
  if (!reply.ok) {
    const words = await reply.json().catch(() => ({}));
    throw new Refused(reply.status, words);
  }
  return reply;
}

async function* pieces(reply, end) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split(end);
    text = parts.pop();
    yield* parts;
  }
}

/** The lines of a drain or a drill, each an object. */
export async function* lines(path, body, signal) {
  const reply = await send(path, "POST", body, signal);
  for await (const line of pieces(reply, "\n")) if (line) yield JSON.parse(line);
}

/** Server-sent events: `EventSource` cannot carry a token. */
export async function* events(path, signal) {
  const reply = await send(path, "GET", undefined, signal);
  for await (const block of pieces(reply, "\n\n")) {
    const field = (name) => block.split("\n").filter((l) => l.startsWith(`${name}: `)).map((l) => l.slice(name.length + 2)).join("\n");
    const data = field("data");
    if (data) yield { event: field("event"), data: JSON.parse(data) };
  }
}

/** Follows until it is told to stop: a connection that is lost is made again. `heard` is told of each event. */
export async function follow(path, signal, heard, lost) {
  for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 8000)) {
    try {
      for await (const { event, data } of events(path, signal)) {
        wait = 500;
        heard(event, data);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status !== 503) {
        lost(error, true);
        return;
      }
      lost(error, false);
    }
    await new Promise((go) => setTimeout(go, wait));
  }
}
