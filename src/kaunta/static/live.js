// Keeps a counter page true: the server says that something changed, the page reads itself again.
// What the reader has typed, opened or focused stays as it is, and nothing changes on a network error but the dot.
(() => {
  const $ = (id) => document.getElementById(id);
  let busy = 0;
  let timer;
  let failures = 0;
  const source = new EventSource($("main").dataset.live);

  const say = (state, words) => {
    $("link").dataset.state = state;
    $("link-word").textContent = words;
  };

  const states = () => new Map([...document.querySelectorAll("tr[data-paid]")].map((row) => [row.id, row.dataset.paid]));

  const swap = (html) => {
    const before = states();
    const old = $("main");
    const focused = document.activeElement.id;
    const kept = [...old.querySelectorAll("details,input,select")].map((e) => [
      e.id,
      e.open,
      e.value !== e.defaultValue && e.value,
    ]);
    const box = document.createElement("template");
    box.innerHTML = html;
    old.replaceWith(box.content.querySelector("#main"));
    for (const [id, open, value] of kept) {
      const now = id && $(id);
      if (!now) continue;
      now.open = open;
      if (value) now.value = value;
    }
    if (focused && $(focused)) $(focused).focus();
    const paid = [...document.querySelectorAll("tr[data-paid=completed]")].filter(
      (row) => before.get(row.id) !== "completed",
    );
    paid.forEach((row) => row.classList.add("new"));
    if (paid.length) $("say").textContent = paid.map((row) => `Paid. ${row.dataset.words}`).join(". ");
  };

  const read = async () => {
    if (busy++) return;
    try {
      const answer = await fetch("", {
        headers: { "X-Fragment": "main", "If-None-Match": $("main").dataset.v },
        redirect: "manual",
      });
      if (answer.type === "opaqueredirect") return location.reload();
      if (answer.status === 200) swap(await answer.text());
      failures = 0;
    } catch {
      failures += 1;
      say("lost", "No connection");
    }
    const again = busy > 1;
    busy = 0;
    clearTimeout(timer);
    if (again) read();
    else timer = setTimeout(read, 1000 * (source.readyState === 1 ? 30 : 5) * Math.min(4, 2 ** failures));
  };

  source.onopen = () => say("live", "Live");
  source.onerror = () => say("wait", "Reconnecting");
  source.onmessage = read;
  timer = setTimeout(read, 5000);
  document.addEventListener("visibilitychange", () => document.hidden || read());
  addEventListener("pageshow", (event) => event.persisted && read());
  addEventListener("online", read);
})();
