/* What only a browser can do: times of its own zone, time that passes, and to say so when the page is no longer live.
   Everything else works without this file. */
"use strict";
(() => {
  const HIDDEN_MS = 30000, LOST_MS = 6000;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const wantsUtc = () => { try { return localStorage.getItem("utc") === "yes"; } catch { return false; } };

  function showTimes(root) {
    const options = { dateStyle: "medium", timeStyle: "short", timeZone: wantsUtc() ? "UTC" : undefined };
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.dataset.utc ||= time.textContent;
      const seconds = time.dataset.form === "seconds";
      const format = seconds ? { timeStyle: "medium", timeZone: options.timeZone } : options;
      time.textContent = wantsUtc() ? time.dataset.utc : new Intl.DateTimeFormat(undefined, format).format(at);
      time.title = time.dataset.utc;
    }
  }

  function lapse(seconds) {
    if (seconds < 60) return `${Math.max(0, seconds)} s`;
    const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (minutes < 60) return `${minutes} min`;
    return hours < 24 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
  }

  function count() {
    for (const ago of document.querySelectorAll("[data-since]")) {
      const at = Date.parse(ago.dataset.since);
      if (!Number.isNaN(at)) ago.textContent = lapse(Math.floor((Date.now() - at) / 1000));
    }
  }

  function setUpZone() {
    const times = document.getElementById("times"), button = document.getElementById("utc");
    const show = () => {
      document.getElementById("zone").textContent = wantsUtc() ? "UTC" : zone;
      button.setAttribute("aria-pressed", String(wantsUtc()));
      showTimes(document);
    };
    times.hidden = false;
    button.addEventListener("click", () => {
      try { localStorage.setItem("utc", wantsUtc() ? "no" : "yes"); } catch { return; }
      show();
    });
    show();
  }

  /* Only what changed is spoken: the reasons below it carry times, which always change. */
  let line = null;
  function speak() {
    const now = document.getElementById("standing-line")?.textContent;
    if (line !== null && now && now !== line) document.getElementById("spoken").textContent = now;
    line = now ?? null;
  }

  /* Good news of a page that hears nothing more is no news. */
  let source = null, lostTimer = null;
  function lost() {
    const seen = document.getElementById("seen").textContent.trim(), note = document.getElementById("lost");
    note.textContent = `No longer live: what you see is from ${seen}. Trying again…`;
    note.hidden = false;
    document.getElementById("live-state").textContent = "";
    const standing = document.getElementById("standing-now");
    if (!standing) return;
    standing.className = "standing unproven";
    standing.querySelector(".mark").textContent = "?";
    document.getElementById("standing-line").textContent = `Not known since ${seen}`;
    speak();
  }
  function opened(event) {
    source = event.detail.source;
    clearTimeout(lostTimer);
    lostTimer = null;
    const wasLost = !document.getElementById("lost").hidden;
    if (wasLost) { location.reload(); return; }
    document.getElementById("live-state").textContent = "Live.";
  }
  function broken() { lostTimer ||= setTimeout(lost, LOST_MS); }

  /* A browser opens few connections to one host: pages that are not looked at give theirs back. */
  let hideTimer = null;
  function looked() {
    if (document.hidden) {
      hideTimer = setTimeout(() => { if (source) source.close(); }, HIDDEN_MS);
      return;
    }
    clearTimeout(hideTimer);
    if (source && source.readyState === EventSource.CLOSED) source.onerror(new Event("error"));
  }

  /* What is being typed is never replaced, and what was unfolded stays so. */
  const typed = new WeakSet();
  const isTouched = (keep) => keep.contains(document.activeElement) || [...keep.querySelectorAll("form")].some((form) => typed.has(form));
  let open = [];
  const remember = () => { open = [...document.querySelectorAll("details[id][open]")].map((each) => each.id); };
  const restore = () => { for (const id of open) { const each = document.getElementById(id); if (each) each.open = true; } };
  function renewed(event) {
    restore();
    showTimes(event.target);
    showTimes(document.getElementById("seen"));
    count();
    speak();
  }

  document.addEventListener("input", (event) => { if (event.target.form) typed.add(event.target.form); });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const keep = event.target.closest("[data-keep]");
    if (!keep || !isTouched(keep)) return;
    event.preventDefault();
    keep.querySelector(".changed-note").hidden = false;
  });
  document.addEventListener("htmx:sseBeforeMessage", remember);
  document.addEventListener("htmx:beforeSwap", remember);
  document.addEventListener("htmx:sseMessage", renewed);
  document.addEventListener("htmx:afterSettle", renewed);
  document.addEventListener("htmx:sseOpen", opened);
  document.addEventListener("htmx:sseError", broken);
  document.addEventListener("visibilitychange", looked);
  document.addEventListener("DOMContentLoaded", () => { setUpZone(); count(); speak(); setInterval(count, 1000); });
})();
