/* Entries of the journal as a line through time. */

/** ``name``: the model that it is about; null: every model, each by its name. */
function timeline(found, name) {
  if (!found.length) return h("p", { class: "none" }, "The journal has no entry yet.");
  return h("ol", { class: "line" }, found.map((entry) => h("li", { class: colourOf(entry, name) },
    h("p", {}, link(entryPage(entry.sha), minute(entry.at), " UTC"), " ", soft(entry.kind, " · ", who(entry.by))),
    told(entry, name),
    h("p", {}, soft(entry.subject)))));
}

function colourOf(entry, name) {
  if (entry.refusals.some((one) => name === null || one.model === name)) return "is-bad";
  if (entry.changes.some((one) => one.kind === "rollback")) return "is-warn";
  return entry.changes.length ? "is-good" : "";
}

function told(entry, name) {
  const mine = (one) => name === null || one.model === name;
  const title = (one) => name === null ? [modelLink(one.model), " "] : null;
  return [
    ...entry.changes.filter(mine).map((one) => h("p", {}, title(one), fromTo(one))),
    ...entry.refusals.filter(mine).map((one) => h("p", {}, title(one), h("strong", { class: "bad" }, "refused"), " in ", one.environment, ": ",
      one.version === null ? "none" : `version ${one.version}`, " · ", one.reasons[0] || "")),
  ];
}

/** promote in staging: version 1 → version 2, and the worst verdict. */
function fromTo(change) {
  const same = change.before && change.after && change.before.version === change.after.version && change.before.digest === change.after.digest;
  const versions = same ? versionText(change.after) : `${versionText(change.before)} → ${versionText(change.after)}`;
  return [h("strong", {}, change.kind), " in ", change.environment, ": ", versions, " ", statusTag(change.status)];
}
