/* The first page: every model in every environment, with search and sort. */

const SHOWN = 100;
const FIRST = 8;
const NEWEST = 12;
/* Kept while the page is open, so that going back finds it as it was left. */
const view = { query: "", key: "name", up: true, all: false };

function overview() {
  return ["What is where", h("h1", {}, "What is where"), facts(), ...modelTable(), toLookAt(), lostEvidence(),
    h("h2", {}, "Newest entries"), timeline(page.entries.slice(0, NEWEST), null),
    page.entries.length > NEWEST ? h("p", {}, link("#/journal", `All ${figure(page.entries.length)} entries of the journal`)) : null];
}

function facts() {
  const looked = [...urgent.values()].filter(Boolean).length;
  const newest = page.entries[0];
  const shown = [["models", page.models.length], ["to look at", looked], ["journal entries", page.entries.length],
    ["newest entry", newest ? day(newest.at) : "none"], ["journal", page.signed ? "signed" : "not signed"]];
  return h("dl", { class: "facts" }, shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** The search field with its count, the table, and the button for the rest. */
function modelTable() {
  const columns = [["name", "Model"], ...page.environments.map((one) => [`@${one}`, one]), ["attention", "To look at"]];
  const sortBy = (key) => { view.up = view.key === key ? !view.up : key === "name"; view.key = key; draw(); };
  const heads = columns.map(([key, title]) => h("th", { scope: "col" }, h("button", { type: "button", on: { click: () => sortBy(key) } }, title)));
  const body = h("tbody");
  const counted = h("p", { class: "soft", role: "status" });
  const more = h("button", { type: "button", on: { click: () => { view.all = true; draw(); } } });
  const search = h("input", { type: "search", placeholder: "Search models, people, digests", "aria-label": "Search", value: view.query,
    on: { input: () => { view.query = search.value; view.all = false; draw(); } } });
  const texts = new Map(page.models.map((model) => [model.name, searchText(model)]));

  function draw() {
    const words = view.query.toLowerCase().split(/\s+/).filter(Boolean);
    const found = page.models.filter((one) => words.every((word) => texts.get(one.name).includes(word)));
    const value = sortValue();
    found.sort((a, b) => { const x = value(a), y = value(b); return (x < y ? -1 : x > y ? 1 : 0) * (view.up ? 1 : -1); });
    columns.forEach(([key], index) => {
      if (key === view.key) heads[index].setAttribute("aria-sort", view.up ? "ascending" : "descending");
      else heads[index].removeAttribute("aria-sort");
    });
    const shown = view.all ? found : found.slice(0, SHOWN);
    body.replaceChildren(...shown.map(modelRow));
    const rest = shown.length < found.length;
    counted.textContent = `${found.length} ${found.length === 1 ? "model" : "models"}${rest ? `, the first ${shown.length} shown` : ""}`;
    more.textContent = `Show all ${found.length}`;
    more.hidden = !rest;
  }
  draw();
  const table = h("table", { class: "stack" }, h("thead", {}, h("tr", {}, heads)), body);
  return [h("div", { class: "tools" }, search, counted), frame("Models by environment", table), h("p", {}, more)];
}

function sortValue() {
  if (view.key === "name") return (model) => model.name;
  if (view.key === "attention") return (model) => urgent.get(model.name);
  return (model) => model.environments[view.key.slice(1)]?.applied?.at || "";
}

/** What a search finds a model by, in small letters. */
function searchText(model) {
  const parts = Object.values(model.environments).flatMap(({ applied, state }) => applied ? [`v${applied.version}`, applied.digest, applied.by, state] : [state]);
  return [model.name, ...parts].join(" ").toLowerCase();
}

function modelRow(model) {
  const found = notices(model);
  return h("tr", {}, h("th", { scope: "row" }, modelLink(model.name)),
    page.environments.map((name) => h("td", { "data-of": name }, bindingCell(model.environments[name]))),
    h("td", {}, found.length ? found : tag("good", "nothing")));
}

function bindingCell(binding) {
  if (!binding) return h("span", { class: "none" }, "not managed");
  const { applied, declared } = binding;
  if (!applied) {
    const text = declared === null ? "nothing, as declared" : "never applied";
    return [h("span", { class: "none" }, text, " "), binding.state === "in sync" ? null : stateTag(binding.state)];
  }
  const evidence = applied.evidence.length ? "evidence" : "no evidence";
  const lost = applied.evidence.some(whyLost) ? " that cannot be read" : "";
  return [
    h("span", { class: "v" }, applied.version === null ? "none" : `v${applied.version}`), " ", applied.digest ? short(applied.digest) : null,
    h("div", {}, soft(day(applied.at), " · ", who(applied.by), " · ", evidence, lost)),
    applied.unverified ? tag("warn", "unverified") : null,
    applied.adopted ? tag("warn", "adopted") : null,
  ];
}

function toLookAt() {
  const found = page.models.flatMap((model) => exceptions(model).filter((one) => one.weight < 4).map((one) => ({ model: model.name, ...one })));
  if (!found.length) return null;
  found.sort((a, b) => a.weight - b.weight);
  const rows = found.slice(0, FIRST).map((one) => [modelLink(one.model), one.what, one.where, one.why, one.when]);
  return [
    h("h2", {}, "Drift, lost evidence, holds and what expires soon"),
    grid("To look at", ["Model", "What", "Where", "Why", "When"], rows, "stack"),
    found.length > FIRST ? h("p", { class: "soft" }, `and ${found.length - FIRST} more: sort the table above by what is to look at`) : null,
  ];
}

function lostEvidence() {
  const found = Object.entries(page.unreadable);
  if (!found.length) return null;
  return [
    h("h2", {}, "Evidence that cannot be read"),
    h("p", { class: "soft" }, "It counts for nothing: what rests on it is measured again."),
    grid("Evidence that cannot be read", ["Statement", "Why"], found.slice(0, SHOWN).map(([digest, reason]) => [short(digest), reason]), "stack"),
  ];
}
