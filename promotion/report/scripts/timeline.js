/* Entries of the journal as a line through time. */

const AT_ONCE = 200;

/** ``name``: the model that it is about; null: every model, each by its name. */
function timeline(found, name) {
  if (!found.length) return h("p", { class: "none" }, "The journal has no entry yet.");
  return h("ol", { class: "line" }, found.map((entry) => h("li", { class: colourOf(entry, name) },
    h("p", {}, link(entryPage(entry.sha), minute(entry.at), " UTC"), " ", soft(entry.kind, " · ", who(entry.by))),
    told(entry, name),
    h("p", {}, soft(entry.subject)))));
}

/** Every entry, those without a change as well, some at a time. */
function journalView() {
  const place = h("div");
  const more = h("button", { type: "button", on: { click: () => draw(shown + AT_ONCE) } });
  let shown = 0;
  function draw(count) {
    const before = shown;
    shown = Math.min(count, page.entries.length);
    place.replaceChildren(timeline(page.entries.slice(0, shown), null));
    more.hidden = shown === page.entries.length;
    more.textContent = `Show ${Math.min(AT_ONCE, page.entries.length - shown)} more`;
    // Whoever asked for more reads on at the first of them.
    if (before) place.querySelectorAll(".line > li")[before].querySelector("a").focus();
  }
  draw(AT_ONCE);
  return ["Journal", h("p", { class: "soft" }, link("#/", "All models")), h("h1", {}, "Journal"),
    h("p", { class: "soft" }, figure(page.entries.length), " entries, newest first"), place, h("p", {}, more)];
}

function colourOf(entry, name) {
  if (entry.refusals.some((one) => name === null || one.model === name)) return "is-bad";
  const changes = entry.changes.filter((one) => name === null || one.model === name);
  if (changes.some((one) => one.kind === "rollback")) return "is-warn";
  return changes.length ? "is-good" : "";
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
