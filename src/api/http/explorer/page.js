// The journey beside GraphiQL: fills the editor in the frame, runs it, and remembers what later steps need.
// Runs in the browser as it is; the frame is of the same origin, so its editor can be reached.
import { isCutOff, tableOf } from "./overview.js";

const { journey, overview, home, mode, regionUrls } = JSON.parse(document.getElementById("data").textContent);
const frame = document.getElementById("editor");
const hint = document.getElementById("hint");
const actor = document.getElementById("actor");
// Pasted by the person; kept in this page only, for as long as it is open.
const token = document.getElementById("token");
for (const label of document.querySelectorAll("[data-mode]")) label.hidden = label.dataset.mode !== mode;
// Where GraphiQL keeps its editor for those who want to reach it.
const MONACO = "__MONACO";
const WELCOME = hint.textContent;

/** What is kept over a reload: nothing that is secret. */
const KEPT = "tenantry-journey";
const WORDS = { done: "✓ done", already: "✓ there already", failed: "✗ failed" };

/** What earlier steps gave, by name. */
let saved = {};
/** The outcome of each step, by its position; what has none is left out. */
let outcomes = {};
/** How the user of the first step is called. */
let userName;
let chosen = -1;
let running = -1;

const items = journey.map((step, index) => {
  const item = document.createElement("li");
  const open = document.createElement("button");
  open.type = "button";
  open.className = "open";
  const number = document.createElement("span");
  number.className = "number";
  number.textContent = String(index + 1);
  const outcome = document.createElement("span");
  outcome.className = "outcome";
  open.append(number, step.title, outcome);
  open.addEventListener("click", () => show(index));
  const run = document.createElement("button");
  run.type = "button";
  run.className = "run";
  run.textContent = "▶";
  run.setAttribute("aria-label", `Run: ${step.title}`);
  run.addEventListener("click", () => play(index));
  const text = document.createElement("p");
  text.textContent = step.text;
  item.append(open, run, text);
  document.getElementById("steps").append(item);
  return item;
});

/** Fills `{{name}}`; returns the variables, and the names that nothing is known for. */
function fill(variables) {
  const missing = new Set();
  const known = {
    ...saved,
    unique: Date.now().toString(36),
    "regionUrl.eu": regionUrls.eu ?? "postgres://user:password@host:5432",
    "regionUrl.us": regionUrls.us ?? "postgres://user:password@host:5432",
  };
  const text = JSON.stringify(variables, null, 2).replaceAll(/\{\{([\w.]+)\}\}/g, (whole, name) => {
    if (known[name] === undefined) missing.add(name);
    return known[name] === undefined ? whole : JSON.stringify(known[name]).slice(1, -1);
  });
  return { text, missing: [...missing] };
}

/** The editor's model whose file name ends like this, or undefined while the editor is loading. */
function model(name) {
  return frame.contentWindow[MONACO]?.editor.getModels().find(({ uri }) => uri.path.endsWith(name));
}

function setHeaders() {
  const headers = {};
  if (mode === "bearer" && token.value !== "") headers.authorization = `Bearer ${token.value.trim()}`;
  if (mode === "development" && actor.value !== "") headers["x-user-id"] = actor.value;
  const text = Object.keys(headers).length === 0 ? "" : JSON.stringify(headers, null, 2);
  // What a person wrote there themselves stays until they say who they are here.
  if (mode === "development" || text !== "") model("request-headers.json")?.setValue(text);
}

/** Puts a step into the editor. False when it cannot be: the editor is loading, or an earlier step is needed. */
function show(index) {
  const step = journey[index];
  const operation = model("operation.graphql");
  if (operation === undefined) return say("The editor is still loading …", true);
  const { text, missing } = fill(step.variables);
  operation.setValue(step.query);
  model("variables.json")?.setValue(text);
  setHeaders();
  chosen = index;
  for (const editor of frame.contentWindow[MONACO].editor.getEditors()) editor.updateOptions({ wordWrap: "on" });
  for (const [position, item] of items.entries()) item.classList.toggle("chosen", position === index);
  items[index].scrollIntoView({ block: "nearest" });
  const needed = journey.findIndex(({ saves }) => Object.keys(saves ?? {}).some((name) => missing.includes(name)));
  if (needed !== -1) return say(`Run step ${needed + 1} first: this one needs what it gives.`, true);
  say(WELCOME, false);
  return true;
}

function play(index) {
  if (!show(index)) return;
  running = index;
  const name = /(?:query|mutation) (\w+)/.exec(journey[index].query)?.[1];
  runWhenTaken(name, performance.now() + 5_000);
}

/** GraphiQL takes in what was put into its editor a moment later, and then shows its name on the tab. */
function runWhenTaken(name, deadline) {
  const tab = frame.contentDocument.querySelector(".graphiql-tab-active button");
  if (tab?.title !== name && performance.now() < deadline) {
    requestAnimationFrame(() => runWhenTaken(name, deadline));
    return;
  }
  frame.contentDocument.querySelector("button.graphiql-execute-button")?.click();
}

function say(text, bad) {
  hint.textContent = text;
  hint.classList.toggle("bad", bad);
  return !bad;
}

/** Hears every answer in the frame; what was run by its own ▶ counts for the chosen step too. */
globalThis.addEventListener("message", ({ origin, source, data }) => {
  if (origin !== location.origin || source !== frame.contentWindow || data?.kind !== "tenantry-answer") return;
  const index = running !== -1 ? running : chosen;
  const step = journey[index];
  if (step === undefined || !step.query.includes(` ${data.operationName}(`)) return;
  running = -1;
  void conclude(index, data.answer);
});

/** Shows and keeps what became of a step. */
async function conclude(index, answer) {
  const step = journey[index];
  const outcome = await outcomeOf(step, answer);
  outcomes[index] = outcome;
  if (outcome === "done")
    for (const [name, path] of Object.entries(step.saves ?? {})) {
      saved[name] = path.split(".").reduce((value, key) => value?.[key], answer.data);
      if (name === "user") nameActor(answer.data.createUser.name);
    }
  keep();
  showOutcomes();
  if (outcome === "failed") {
    say(`Step ${index + 1} failed: ${answer.errors[0].message}`, true);
    return;
  }
  const isLast = index + 1 === journey.length;
  const next = isLast ? "That was the whole journey." : `Next: ${journey[index + 1].title}.`;
  say(`Step ${index + 1} is ${outcome === "already" ? "there already" : "done"}. ${next}`, false);
  if (isLast) void look();
}

async function outcomeOf({ already }, { errors }) {
  if (errors === undefined) return "done";
  if (already === undefined || errors[0].extensions?.code !== "CONFLICT") return "failed";
  try {
    return (await ask(already)).errors === undefined ? "already" : "failed";
  } catch {
    return "failed";
  }
}

/** Asks the API, as the operator in development, else with the token that was pasted. */
async function ask(query) {
  const headers = { "content-type": "application/json" };
  if (mode === "bearer" && token.value !== "") headers.authorization = `Bearer ${token.value.trim()}`;
  return (await fetch("/graphql", { method: "POST", headers, body: JSON.stringify({ query }) })).json();
}

function showOutcomes() {
  for (const [index, item] of items.entries()) {
    const outcome = outcomes[index];
    item.classList.toggle("done", outcome === "done" || outcome === "already");
    item.classList.toggle("failed", outcome === "failed");
    item.querySelector(".outcome").textContent = WORDS[outcome] ?? "";
  }
}

function nameActor(name) {
  userName = name;
  actor.append(new Option(`${name}, made in step 1`, saved.user));
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ home, saved, outcomes, userName }));
  } catch {
    // A browser that keeps nothing: the journey is gone with the page.
  }
}

/** Takes up what was kept. Returns what to say of it; undefined: there was nothing. */
function resume() {
  let kept;
  try {
    kept = JSON.parse(localStorage.getItem(KEPT));
  } catch {
    return undefined;
  }
  if (kept === null || kept === undefined) return undefined;
  if (kept.home !== home) {
    localStorage.removeItem(KEPT);
    return "The server has another home database than before, so the journey begins anew.";
  }
  ({ saved, outcomes } = kept);
  if (kept.userName !== undefined) nameActor(kept.userName);
  showOutcomes();
  return "This is where you were before the page was loaded again.";
}

const where = document.getElementById("where");
const lookButton = document.getElementById("look");
lookButton.hidden = overview === undefined || overview === null;

/** Asks the API for what there is, as the operator in development, and shows how much of it lies where. */
async function look() {
  if (lookButton.hidden) return;
  const places = document.getElementById("places");
  const note = document.getElementById("places-hint");
  where.hidden = false;
  note.textContent = "Counting …";
  try {
    const { data, errors } = await ask(overview.query);
    const failure = errors === undefined ? "" : `Not all of it could be counted: ${errors[0].message}`;
    places.replaceChildren(...(data?.regions ? [tableOf(overview, data)] : []));
    const cut = isCutOff(data) ? "Long lists are counted up to their first page only: there is more." : "";
    note.textContent = failure || cut || "Counted just now, by one query to the API.";
  } catch {
    note.textContent = "The API does not answer.";
  }
}

lookButton.addEventListener("click", () => void look());
document.getElementById("hide").addEventListener("click", () => {
  where.hidden = true;
  lookButton.focus();
});

// GraphiQL follows the system's colours at once, and its editor only when it is loaded.
globalThis.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ({ matches }) => {
  frame.contentWindow[MONACO]?.editor.setTheme(matches ? "graphiql-DARK" : "graphiql-LIGHT");
});
actor.addEventListener("change", setHeaders);
token.addEventListener("change", setHeaders);
document.getElementById("again").addEventListener("click", () => {
  saved = {};
  outcomes = {};
  userName = undefined;
  running = -1;
  actor.length = 1;
  where.hidden = true;
  keep();
  showOutcomes();
  show(0);
});
document.getElementById("sandbox").href =
  `https://studio.apollographql.com/sandbox/explorer?endpoint=${encodeURIComponent(`${location.origin}/graphql`)}`;

/** The first step waits in the editor when it has loaded. */
function begin() {
  if (model("operation.graphql") === undefined || model("variables.json") === undefined) {
    requestAnimationFrame(begin);
    return;
  }
  document.body.dataset.ready = "true";
  const resumed = resume();
  const next = journey.findIndex((_, index) => !["done", "already"].includes(outcomes[index]));
  show(next === -1 ? journey.length - 1 : next);
  if (resumed !== undefined) say(resumed, false);
  if (next === -1) void look();
}
begin();
