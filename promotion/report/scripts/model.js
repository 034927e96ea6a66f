/* The page of one model: where it is, what is to look at, how good its versions are, where they come from, and what happened. */

function modelView(name) {
  const model = models.get(name);
  if (!model) return missing("There is no model of this name.");
  const found = entriesOf.get(name) || [];
  return [name, h("p", { class: "soft" }, link("#/", "All models")), h("h1", {}, h("bdi", {}, name)),
    h("div", { class: "cards" }, page.environments.filter((one) => model.environments[one]).map((one) => environmentCard(model, one))),
    lookedAt(model),
    h("h2", {}, "What was where, at a time"), slider(model, found),
    h("h2", {}, "Metrics by version"), metrics(model),
    matrixSection(model),
    h("h2", {}, "Versions and where they come from"), versions(model),
    h("h2", {}, "Promotions, refusals and rollbacks"), timeline(found, name)];
}

function environmentCard(model, environment) {
  const { applied, state, declared } = model.environments[environment];
  const title = h("h2", {}, environment);
  if (!applied) {
    return h("div", { class: "card" }, title, h("p", { class: "none" }, declared === null ? "nothing, as declared" : "never applied"), h("p", {}, stateTag(state)));
  }
  const entry = entryOfBinding(model, environment);
  const evidence = applied.evidence.map((one) => page.evidence[one]).find((one) => one && typeof one.figures.f1 === "number");
  return h("div", { class: "card" }, title,
    h("p", { class: "v" }, applied.version === null ? "none" : versionLink(model.name, applied.version)),
    h("p", {}, stateTag(state), applied.unverified ? tag("warn", "unverified") : null, applied.adopted ? tag("warn", "adopted") : null),
    h("p", { class: "soft" }, "since ", moment(applied.at), " by ", applied.by),
    evidence ? h("p", {}, "f1 ", figure(evidence.figures.f1), intervalText(evidence, "f1"), h("span", { class: "soft" }, ` on ${figure(evidence.rows)} rows`)) : null,
    h("p", {}, "commit ", commitLink(applied.commit), applied.digest ? [" · digest ", short(applied.digest)] : null),
    entry ? h("p", {}, link(entryPage(entry.sha), "why: verdicts, evidence, what changed")) : null);
}

function intervalText(evidence, name) {
  const ends = interval(evidence, name);
  return ends ? h("span", { class: "soft" }, ` (${between(ends)})`) : null;
}

function lookedAt(model) {
  const rows = exceptions(model).map((one) => [one.what, one.where, one.why, one.when]);
  return rows.length ? [h("h2", {}, "To look at"), grid("Drift, evidence, holds and waivers", ["What", "Where", "Why", "When"], rows, "stack")] : null;
}

/** What stood in each environment after each entry; by arrow keys too, and read aloud. */
function slider(model, found) {
  const mine = (entry) => entry.changes.filter((one) => one.model === model.name);
  const events = found.filter((entry) => ["outcome", "adopted"].includes(entry.kind) && mine(entry).length).reverse();
  if (!events.length) return h("p", { class: "none" }, "Nothing was ever applied.");
  const out = h("output", { for: "moment", "aria-live": "polite" });
  const range = h("input", { id: "moment", type: "range", min: 0, max: events.length, step: 1, "aria-label": "Time, from before the first entry to now" });
  range.value = events.length;
  const draw = () => {
    const count = Number(range.value);
    const bound = {};
    for (const entry of events.slice(0, count)) for (const one of mine(entry)) bound[one.environment] = one.after;
    const until = count < events.length ? `${minute(events[count].at)} UTC` : "now";
    const when = count ? `From ${minute(events[count - 1].at)} UTC until ${until}` : `Before ${until}`;
    const what = page.environments.map((name) => `${name}: ${versionText(bound[name])}`).join(", ");
    range.setAttribute("aria-valuetext", plain(`${when}, ${what}`));
    out.replaceChildren(h("strong", {}, what), h("div", { class: "soft" }, when));
  };
  range.addEventListener("input", draw);
  draw();
  return h("div", { class: "then" }, range, out);
}

function metrics(model) {
  const rows = model.versions.map((one) => [one.version, evidenceOf(model, one.version)[0]]).filter(([, one]) => one).reverse();
  if (!rows.length) return h("p", { class: "none" }, "The journal keeps no evidence of this model.");
  const names = CHIEF.filter((name) => rows.some(([, one]) => typeof one.figures[name] === "number"));
  const known = rows.some(([, one]) => names.some((name) => interval(one, name)));
  const cells = rows.map(([version, one]) => [`version ${version}`, figure(one.rows), ...names.map((name) => measure(one, name))]);
  const note = known
    ? "Below a figure, and as bars in the chart: its 95 % interval, from 1,000 resamples of the rows."
    : "This evidence keeps no resamples of its rows, so its figures have no intervals.";
  return [chart(rows, names.slice(0, 3)), grid("Metrics by version", ["Version", "Rows", ...names], cells), h("p", {}, soft(note))];
}

/** Of one version at a time: the newest first, the others by choice. */
function matrixSection(model) {
  const told = (evidence) => Object.keys(evidence.parts).length > 0; // models that tell numbers have none
  const found = model.versions.flatMap((one) => evidenceOf(model, one.version).filter(told).map((evidence) => ({ version: one.version, evidence })));
  if (!found.length) return null;
  const place = h("div");
  const draw = (index) => {
    const { evidence } = found[index];
    place.replaceChildren(h("p", { class: "soft" }, evidence.evaluation, " on ", evidence.dataset.path, ", ", figure(evidence.rows), " rows, ", minute(evidence.finished), " UTC"),
      ...matrices(evidence));
  };
  const choice = h("select", { id: "matrix-of", on: { change: () => draw(choice.selectedIndex) } },
    found.map(({ version, evidence }) => h("option", {}, `version ${version}, ${evidence.evaluation}`)));
  draw(0);
  return [h("h2", {}, "Confusion matrix"), h("p", { class: "tools" }, h("label", { for: "matrix-of" }, "Version and evaluation"), choice), place];
}

function matrices(evidence) {
  const bodies = Object.entries(evidence.parts).map(([name, one]) => {
    const label = name === "model" ? "The whole model" : `Part: ${name}`;
    const prefix = name === "model" ? "" : `${name}.`;
    const chief = CHIEF.filter((key) => typeof evidence.figures[prefix + key] === "number").slice(0, 4);
    const rows = one.labels.map((text, index) => [text, ...one.confusion[index].map(figure)]);
    return h("div", {}, h("h3", {}, label),
      h("p", {}, h("small", {}, chief.map((key) => h("div", {}, key, " ", figure(evidence.figures[prefix + key]), intervalText(evidence, prefix + key))))),
      grid(`${label}, confusion matrix`, ["true ↓ predicted →", ...one.labels], rows, "matrix"));
  });
  return [h("div", { class: "cards" }, bodies), h("div", { class: "cards wide" }, classes(evidence), means(evidence))];
}

function classes(evidence) {
  const names = Object.keys(evidence.figures).filter((one) => one.startsWith("class.") && one.endsWith(".recall")).map((one) => one.slice(6, -7));
  if (!names.length) return null;
  const rows = names.map((one) => [one, figure(evidence.figures[`class.${one}.support`]), measure(evidence, `class.${one}.recall`)]);
  return h("div", {}, h("h3", {}, "By class"), grid("Recall by class", ["Class", "Rows", "Recall"], rows));
}

function means(evidence) {
  if (!evidence.means.length) return null;
  return h("div", {}, h("h3", {}, "Means over the rows"), grid("Means over the rows", ["What", "Mean"], evidence.means.map((one) => [one, measure(evidence, one)])));
}

function versions(model) {
  if (!model.versions.length) return h("p", { class: "none" }, "The registry shows no version.");
  const rows = model.versions.map((one) => {
    const bound = page.environments.filter((name) => model.environments[name]?.applied?.version === one.version);
    const made = [new Date(one.created).toISOString().slice(0, 10), one.user ? ` by ${one.user}` : ""];
    return [versionLink(model.name, one.version), lineage(one), made, bound.length ? bound.join(", ") : "–"];
  });
  return grid("Versions", ["Version", "Data → commit → run", "Made", "In service"], rows, "stack");
}

/** From the data to the run that made a version; what nobody noted is told as such. */
function lineage(version) {
  const links = [
    ["data", version.data_version ? h("span", { title: version.data_digest }, version.data_version) : "not noted"],
    ["commit", version.git_commit ? commitLink(version.git_commit) : "not noted"],
    ["run", version.run ? runLink(version.run) : "not noted"],
  ];
  return h("ol", { class: "chain" }, links.map(([name, value]) => h("li", {}, soft(name, " "), value)));
}
