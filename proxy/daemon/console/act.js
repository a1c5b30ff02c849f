// Drains and drills: asked for once more before they begin, and followed to their end.

import { $, el, table } from "./dom.js";
import { lines } from "./api.js";

let running = null;

export function drain(kind, name, drained) {
  if (drained) {
    const back = el("input", { type: "checkbox", checked: true });
    ask({
      title: `Open ${name} again`,
      words: "New calls go there again.",
      fields: [el("label", {}, back, " move the calls back that began there")],
      go: "Open",
      path: `/v1/${kind}/${encodeURIComponent(name)}/undrain`,
      body: () => ({ move_back: back.checked }),
    });
    return;
  }
  const share = percent(100);
  ask({
    title: `Drain ${name}`,
    words: "No new calls go there, and answered ones move away, make before break. Closing this stops it and opens the place again.",
    fields: [el("label", {}, "share of its calls, in percent ", share)],
    go: "Drain",
    path: `/v1/${kind}/${encodeURIComponent(name)}/drain`,
    body: () => ({ share: Number(share.value) }),
  });
}

export function drill(name) {
  const share = percent(5);
  const cut = el("select", {}, ...["both", "signalling", "media"].map((word) => el("option", {}, word)));
  const lasts = el("input", { type: "number", min: 1, max: 600, value: 10, required: true });
  const typed = el("input", { required: true, autocomplete: "off", pattern: escaped(name) });
  ask({
    title: `Drill in ${name}`,
    words: "For the chosen calls the region is as good as dead, at once. It ends by itself, as soon as a call is dropped, and when this is closed.",
    fields: [
      el("label", {}, "share of its calls, in percent ", share), el("label", {}, "what they lose ", cut),
      el("label", {}, "seconds ", lasts), el("label", {}, `type ${name} to confirm `, typed),
    ],
    go: "Cut them off",
    path: `/v1/regions/${encodeURIComponent(name)}/drill`,
    body: () => ({ share: Number(share.value), cut: cut.value, for_ms: Number(lasts.value) * 1000, abort_if: ["dropped>0"] }),
  });
}

function percent(value) {
  return el("input", { type: "number", min: 1, max: 100, value, required: true });
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\\/-]/g, "\\$&");
}

function ask({ title, words, fields, go, path, body }) {
  $("act-title").textContent = title;
  $("act-words").textContent = words;
  $("act-fields").replaceChildren(...fields);
  $("act-fields").hidden = false;
  $("act-progress").replaceChildren();
  const button = $("act-go");
  button.textContent = go;
  button.hidden = false;
  $("act-form").onsubmit = (event) => {
    event.preventDefault();
    button.hidden = true;
    $("act-fields").hidden = true;
    run(path, body());
  };
  const dialog = $("act");
  // Whoever closes it leaves the connection, which stops what is under way.
  dialog.onclose = () => running?.abort();
  $("act-close").textContent = "Close";
  $("act-close").onclick = () => dialog.close();
  dialog.showModal();
}

async function run(path, body) {
  const stop = new AbortController();
  running = stop;
  const progress = $("act-progress");
  const bar = el("progress", { max: 1 });
  const counts = el("p", {}, "begun");
  const said = el("div");
  progress.replaceChildren(bar, counts, said);
  $("act-close").textContent = "Stop";
  try {
    for await (const line of lines(path, body, stop.signal)) {
      if (line.is === "warning") said.append(el("p", { className: "warning" }, `⚠ ${line.message} (${line.advice})`));
      if (line.is === "error") said.append(el("p", { className: "warning" }, `✕ ${line.message} (${line.advice})`));
      if (line.is === "progress" || line.is === "summary") {
        bar.max = Math.max(1, line.chosen);
        bar.value = line.moved + line.failed + line.gone;
        counts.textContent = `${line.moved} of ${line.chosen} moved, ${line.failed} not, ${line.gone} hung up; ${(line.elapsed_ms / 1000).toFixed(1)} s`;
      }
      if (line.is === "summary") {
        progress.dataset.end = line.end;
        said.append(summary(line));
      }
    }
  } catch (error) {
    if (!stop.signal.aborted) said.append(el("p", { className: "warning" }, `✕ ${error.message} (${error.advice ?? ""})`));
  }
  if (running === stop) running = null;
  $("act-close").textContent = "Close";
}

function summary(line) {
  const gaps = (of) => (of.calls ? `half up to ${of.p50} ms, 99 of 100 up to ${of.p99} ms, longest ${of.max} ms` : "none");
  const why = line.why ? `: ${line.why}` : "";
  return table(["", ""], [
    ["end", `${line.end}${why}`], ["calls dropped", line.dropped],
    ["carriers heard nothing", gaps(line.gap_media_ms)], ["carriers heard nobody", gaps(line.gap_conversation_ms)],
    ["new calls", line.drained ? "are kept away" : "go there"],
  ]);
}
