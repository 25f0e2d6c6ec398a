// The journey beside GraphiQL: fills the editor in the frame, runs it, and remembers what later steps need.
// Runs in the browser as it is; the frame is of the same origin, so its editor can be reached.
const { journey, mode, regionUrls } = JSON.parse(document.getElementById("data").textContent);
const frame = document.getElementById("editor");
const hint = document.getElementById("hint");
const actor = document.getElementById("actor");
// Pasted by the person; kept in this page only, for as long as it is open.
const token = document.getElementById("token");
for (const label of document.querySelectorAll("[data-mode]")) label.hidden = label.dataset.mode !== mode;
// Where GraphiQL keeps its editor for those who want to reach it.
const MONACO = "__MONACO";
const WELCOME = hint.textContent;

/** What earlier steps gave, by name. */
let saved = {};
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
  open.append(number, step.title);
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
  for (const [position, item] of items.entries()) item.classList.toggle("chosen", position === index);
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
  const failed = data.answer.errors !== undefined;
  items[index].classList.toggle("done", !failed);
  items[index].classList.toggle("failed", failed);
  if (failed) {
    say(data.answer.errors[0].message, true);
    return;
  }
  for (const [name, path] of Object.entries(step.saves ?? {})) {
    saved[name] = path.split(".").reduce((value, key) => value?.[key], data.answer.data);
    if (name === "user") actor.append(new Option(`${data.answer.data.createUser.name}, made in step 1`, saved[name]));
  }
  say(index + 1 < journey.length ? `Done. Next: ${journey[index + 1].title}.` : "That was the whole journey.", false);
});

actor.addEventListener("change", setHeaders);
token.addEventListener("change", setHeaders);
document.getElementById("again").addEventListener("click", () => {
  saved = {};
  running = -1;
  actor.length = 1;
  for (const item of items) item.classList.remove("done", "failed");
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
  show(0);
}
begin();
