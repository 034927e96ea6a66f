/* The document that the page is drawn from (promotion/report/v1), and what is asked of it again and again. */

const page = JSON.parse(document.getElementById("document").textContent);
const models = new Map(page.models.map((model) => [model.name, model]));
const entries = new Map(page.entries.map((entry) => [entry.sha, entry]));

/** A model's entries, newest first. */
const entriesOf = new Map();
for (const entry of page.entries) {
  for (const name of new Set([...entry.changes, ...entry.refusals].map((one) => one.model))) {
    if (!entriesOf.has(name)) entriesOf.set(name, []);
    entriesOf.get(name).push(entry);
  }
}

const commitLink = (sha) => !sha ? "none" : page.commits ? link(page.commits + part(sha), short(sha)) : short(sha);
const runLink = (id) => !id ? "none" : page.mlflow ? link(`${page.mlflow}/#/runs/${part(id)}`, short(id)) : short(id);

function versionLink(name, version) {
  const text = `version ${version}`;
  return page.mlflow ? link(`${page.mlflow}/#/models/${part(name)}/versions/${part(version)}`, text) : text;
}

/** Evidence of a version's bytes, newest first: the digests that were ever applied under its number. */
function evidenceOf(model, version) {
  const digests = new Set();
  for (const { applied } of Object.values(model.environments)) if (applied?.version === version && applied.digest) digests.add(applied.digest);
  for (const entry of entriesOf.get(model.name) || []) {
    for (const one of entry.changes) if (one.model === model.name && one.after?.version === version) digests.add(one.after.digest);
  }
  return Object.values(page.evidence).filter((one) => digests.has(one.artifact)).sort((a, b) => a.finished < b.finished ? 1 : -1);
}

/** Why a statement counts for nothing; null for one that can be read. */
const whyLost = (digest) => page.unreadable[digest] || (page.evidence[digest] ? null : "the journal does not keep it");

/** The entry that applied what stands in an environment now; null where it is not on the page. */
function entryOfBinding(model, environment) {
  const version = model.environments[environment].applied?.version ?? null;
  return (entriesOf.get(model.name) || []).find((entry) => entry.kind !== "intent" && entry.changes.some((one) =>
    one.model === model.name && one.environment === environment && one.kind !== "heal" && (one.after?.version ?? null) === version)) || null;
}

/** What somebody should look at, the worst first: {weight, what, where, why, when}; from 4 on it is for information. */
function exceptions(model) {
  const drift = model.drift.map((one) => (
    { weight: 0, what: "drift", where: one.environment, why: `expected ${one.expected}, got ${one.got}`, when: minute(one.since) }));
  const faults = model.faults.map((one) => (
    { weight: 1, what: "evidence", where: one.environment, why: [short(one.evidence), " cannot be read: ", one.reason], when: "" }));
  const holds = model.holds.map((one) => (
    { weight: 3, what: "hold", where: one.environment, why: `version ${one.version}: ${one.reason} (${one.by})`, when: `since ${minute(one.at)}` }));
  const waivers = model.waivers.map((one) => ({
    weight: one.state === "in force" ? 4 : 2,
    what: `waiver, ${one.state}`,
    where: one.environment,
    why: `${one.gate} of version ${one.version}: ${one.reason} (${one.owner})`,
    when: (one.state === "expired" ? "on " : "until ") + one.expires,
  }));
  return [...drift, ...faults, ...holds, ...waivers];
}

/** The same in a few words each, as tags. */
function notices(model) {
  const states = Object.entries(model.environments).filter(([, one]) => one.state === "pending" || one.state === "impossible");
  return [
    ...model.drift.map((one) => tag("bad", `drifted: ${one.environment}`)),
    ...states.map(([name, one]) => tag(one.state === "pending" ? "warn" : "bad", `${one.state}: ${name}`)),
    ...model.faults.map((one) => tag("bad", `evidence cannot be read: ${one.environment}`)),
    ...model.holds.map((one) => tag("warn", `held: version ${one.version}`)),
    ...model.waivers.map((one) => tag(one.state === "in force" ? "soft" : "warn", `waiver ${one.state}: ${one.gate}`)),
  ];
}
const urgent = new Map(page.models.map((model) => [model.name, notices(model).filter((one) => !one.classList.contains("soft")).length]));
