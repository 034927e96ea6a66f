/* The page of one entry of the journal: what was declared, what was planned and written, what the rules said, on which evidence. */

function entryView(sha) {
  const entry = entries.get(sha);
  if (!entry) return missing("The journal has no such entry.");
  const title = entry.subject || `Entry ${sha.slice(0, 12)}`;
  return [`Entry ${sha.slice(0, 12)}`, h("p", { class: "soft" }, link("#/", "All models")), h("h1", {}, title),
    pairs(["what", entry.kind], ["when", moment(entry.at)], ["applied by", entry.by], ["author", entry.author], ["commit", commitLink(entry.commit)],
      ["journal", short(entry.sha)], ["signed by", entry.signer || "nobody"], entry.plan ? ["plan", short(entry.plan)] : null,
      entry.policies ? ["policies", short(entry.policies)] : null),
    declared(entry), written(entry), entry.changes.map((one) => changed(entry, one)), entry.refusals.map(refused),
    entry.changes.length || entry.refusals.length ? null : h("p", { class: "none" }, "This commit needed no change.")];
}

function declared(entry) {
  if (!entry.patch) return null;
  const kinds = { "+": "good", "-": "bad" };
  const lines = entry.patch.split("\n").map((line) => h("div", { class: kinds[line[0]] || "soft" }, line || " "));
  return [h("h2", {}, "What was declared since the entry before"), frame("Changes of the declaration", h("pre", {}, lines))];
}

function written(entry) {
  if (!entry.writes?.length) return null;
  return [h("h2", {}, "What was written to the registry"), h("ol", { class: "writes" }, entry.writes.map((one) => h("li", {}, one)))];
}

const where = (one) => h("h2", {}, modelLink(one.model), " in ", one.environment);

function changed(entry, change) {
  const digest = (bound) => bound ? h("code", {}, bound.digest) : "none";
  return [where(change), h("p", {}, fromTo(change)), pairs(["digest before", digest(change.before)], ["digest after", digest(change.after)]),
    verdicts(entry, change),
    change.evidence.length ? comparison(change) : h("p", { class: "none" }, "No evidence was recorded with this change.")];
}

/** Worst first, as they stand in the journal. */
function verdicts(entry, change) {
  if (!change.verdicts?.length) {
    return entry.kind === "outcome" ? h("p", { class: "soft" }, "Its verdicts are not on this page: promotion history --format json has those that the journal keeps.") : null;
  }
  const order = ["ERRORED", "FAILED", "INCONCLUSIVE", "WARNED", "PASSED"];
  const sorted = [...change.verdicts].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  const rows = sorted.map((one) => [one.gate, [statusTag(one.status), one.waiver ? h("div", {}, soft("waived by ", one.waiver)) : null],
    one.expected, one.got, one.rule ? h("code", {}, one.rule) : soft("always asked")]);
  return [h("h3", {}, "What the rules said"), grid("Verdicts", ["Gate", "Verdict", "Expected", "Got", "Rule"], rows, "stack")];
}

function refused(refusal) {
  return [where(refusal), h("p", {}, tag("bad", "refused"), refusal.version === null ? "none" : `version ${refusal.version}`),
    h("ul", {}, refusal.reasons.map((reason) => h("li", {}, reason)))];
}

/** The figures that the change rests on, beside those of the version before on the same rows. */
function comparison(change) {
  const after = change.evidence.map((one) => page.evidence[one]).filter(Boolean);
  const digestOf = (one) => change.evidence.find((digest) => page.evidence[digest] === one);
  const before = change.before ? Object.values(page.evidence).filter((one) => one.artifact === change.before.digest) : [];
  const lost = change.evidence.filter(whyLost).map((one) => h("p", {}, tag("bad", "evidence cannot be read"), short(one), ": ", whyLost(one)));
  return [h("h3", {}, "Evidence"), lost, after.map((one) => {
    const old = before.find((other) => other.evaluation === one.evaluation && other.dataset.sha256 === one.dataset.sha256);
    const rows = CHIEF.filter((name) => typeof one.figures[name] === "number").map((name) => [
      name, old ? measure(old, name) : "–", measure(one, name), difference(old?.figures[name], one.figures[name])]);
    return [h("p", { class: "soft" }, one.evaluation, " on ", one.dataset.path, ", ", figure(one.rows), " rows, by ", one.evaluator, ", isolation: ", one.isolation),
      pairs(["measured", [moment(one.finished), " by ", one.by]], ["statement", h("code", {}, digestOf(one))], ["dataset", h("code", {}, one.dataset.sha256)]),
      grid("Figures before and after", ["Figure", "Before", "After", "Difference"], rows)];
  })];
}

function difference(was, is) {
  return typeof was === "number" ? (is >= was ? "+" : "−") + figure(Math.abs(is - was)) : "–";
}
