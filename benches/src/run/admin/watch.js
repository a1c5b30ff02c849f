// Run before the page's own scripts: logs in as soon as there is a door, and notes on the page's own clock when calls are on the screen
// and how old what is told of them is by then.
(() => {
  const token = "TOKEN";
  const seen = { paint: null, whole: null, ages: [] };
  Object.defineProperty(window, "benchSeen", { value: seen });
  const painted = (then) => requestAnimationFrame(() => setTimeout(then));
  const rows = new MutationObserver(() => {
    if (!document.querySelector("#calls .inner .row")) return;
    rows.disconnect();
    painted(() => { seen.paint = performance.now(); });
  });
  rows.observe(document, { childList: true, subtree: true });
  const parse = JSON.parse;
  JSON.parse = (text, ...rest) => {
    const value = parse(text, ...rest);
    if (Array.isArray(value?.calls) && Array.isArray(value.gone)) {
      if (seen.whole !== null && value.calls.length) {
        painted(() => {
          const now = performance.timeOrigin + performance.now();
          for (const call of value.calls) seen.ages.push(now - Date.parse(call.answered ?? call.ringing ?? call.started));
        });
      }
      if (value.whole) painted(() => { seen.whole = performance.now(); });
    }
    return value;
  };
  document.addEventListener("DOMContentLoaded", () => {
    const field = document.getElementById("token");
    if (!field) return;
    field.value = token;
    document.getElementById("login").requestSubmit();
  });
})();
