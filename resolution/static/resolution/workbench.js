// The workbench: the result follows each pick, one key a decision, the claim is kept while one works.
// The page works without this file; "Preview" then shows what a pick does.
"use strict";

const form = document.getElementById("workbench");
const table = document.getElementById("bench-table");
const leftOut = document.getElementById("left-out");
const dialog = document.getElementById("keys");
const keysOn = document.getElementById("keys-on");
const lease = document.getElementById("lease");
const RENEW_EVERY = 4 * 60 * 1000;
const KEYS_OFF = "identity-desk-keys-off";

// Result column

// As the filter `breakable` has it: a narrow column breaks after an "@" or a dot.
const breakable = (text) => text.split(/(?<=[@.])/).flatMap((part) => [part, document.createElement("wbr")]);

const showResult = (row, value, rule) => {
  const output = row.querySelector(".result-value");
  output.replaceChildren(...breakable(value || "empty"));
  output.classList.toggle("quiet", !value);
  row.querySelector(".result").classList.toggle("picked", rule === "picked by you");
};

const markWinner = (row, chosen) => {
  for (const cell of row.querySelectorAll(".cell")) {
    const value = cell.querySelector(".value").textContent.trim();
    const wins = chosen.value === "" ? value === chosen.dataset.value : cell.contains(chosen);
    cell.classList.toggle("wins", wins);
  }
};

const follow = (radio) => {
  const row = radio.closest("tr.bench-row");
  if (radio.value === "" && radio.dataset.value === undefined) return preview();
  const typed = row.querySelector(".typed");
  const value = radio.value === "typed" ? typed.value : radio.dataset.value;
  showResult(row, value, radio.value === "" ? "by rule" : "picked by you");
  markWinner(row, radio);
  if (radio.value === "typed") typed.focus();
};

const preview = async () => {
  const button = form.querySelector("[data-preview]");
  const response = await fetch(form.getAttribute("action"), { method: "POST", body: new FormData(form, button) });
  if (!response.ok) return form.requestSubmit(button);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of [table, leftOut]) part.replaceChildren(...page.getElementById(part.id).childNodes);
};

form.addEventListener("change", (event) => {
  if (event.target.matches("[data-preview-on-change]")) preview();
  else if (event.target.name.startsWith("pick-")) follow(event.target);
});

form.addEventListener("input", (event) => {
  if (!event.target.matches(".typed")) return;
  const row = event.target.closest("tr.bench-row");
  row.querySelector("input[value=typed]").checked = true;
  showResult(row, event.target.value, "picked by you");
});

// Keys: the buttons of the page are their registry

const typing = (target) => target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, dialog[open]");
const rows = () => [...table.querySelectorAll("tr.bench-row")].filter((row) => row.checkVisibility());
const current = () => table.querySelector("tr.bench-row.current");

const move = (step) => {
  const shown = rows();
  const index = shown.indexOf(current());
  const next = shown[Math.min(Math.max(index + step, 0), shown.length - 1)];
  if (!next) return;
  current()?.classList.remove("current");
  next.classList.add("current");
  next.scrollIntoView({ block: "nearest" });
  next.querySelector("input[type=radio]:checked, input[type=radio]")?.focus();
};

const click = (target) => target && (() => target.click());
const pick = (selector) => click(current()?.querySelector(selector));

// What a key does here and now; nothing when it is not one of ours, so that Space and the like stay the browser's.
const actOf = (key) => {
  if (key === "j") return () => move(1);
  if (key === "k") return () => move(-1);
  if (key === "e") return pick("input[value=typed]");
  if (key === "0") return pick(".choice input[value='']");
  if (key >= "1" && key <= "5") return pick(`td[data-label="${key}"] input[type=radio]`);
  return click(document.querySelector(`[data-key="${CSS.escape(key)}"]`));
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.key.length > 1) return;
  if (!keysOn.checked || typing(event.target)) return;
  const act = actOf(event.key);
  if (!act) return;
  event.preventDefault();
  act();
});

table.addEventListener("focusin", (event) => {
  const row = event.target.closest("tr.bench-row");
  if (!row || row === current()) return;
  current()?.classList.remove("current");
  row.classList.add("current");
});

const helpButton = document.getElementById("help-button");
helpButton.hidden = false;
helpButton.addEventListener("click", () => dialog.showModal());
keysOn.checked = localStorage.getItem(KEYS_OFF) === null;
keysOn.addEventListener("change", () => {
  if (keysOn.checked) localStorage.removeItem(KEYS_OFF);
  else localStorage.setItem(KEYS_OFF, "1");
});

// The claim is prolonged while somebody works here, and its loss is told at once

let active = false;
for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => { active = true; });

const renew = async () => {
  if (!active) return;
  active = false;
  const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
  const response = await fetch(lease.dataset.renew, { method: "POST", headers });
  if (response.status === 409) lease.textContent = await response.text();
};

if (lease) setInterval(renew, RENEW_EVERY);
form.querySelector("[data-preview]").classList.add("visually-hidden");
