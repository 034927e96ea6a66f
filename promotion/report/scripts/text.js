/* Values as people read them. Everything from the registry and the journal is untrusted text, and ends as text. */

const SHARES = new Set(["f1", "precision", "recall", "accuracy", "macro_f1", "false_alarm_rate"]);
/* The figures that a reader looks for first, in this order. */
const CHIEF = ["f1", "precision", "recall", "accuracy", "macro_f1", "roc_auc", "pr_auc", "false_alarm_rate", "rmse", "mae", "r2"];
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Characters that are not seen, or that turn the direction of others, are shown by their number. */
function plain(value) {
  return String(value).replace(UNSEEN, (one) => `⟨U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** 2026-11-20T09:30:00+00:00 → 2026-11-20 09:30; what the page knows is in UTC. */
const minute = (text) => text ? text.slice(0, 16).replace("T", " ") : "";
const day = (text) => text ? text.slice(0, 10) : "";

/** A person's name without the address, where there is little room. */
const who = (text) => text.replace(/^(.*\S)\s+<[^<>\s]+@[^<>\s]+>$/, "$1");

const versionText = (bound) => bound ? `version ${bound.version}` : "none";

function figure(value) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Math.abs(value) < 0.0001 ? value.toExponential(2) : value.toFixed(4);
}

/** The ends of a figure's 95 % interval; null is an end that resamples do not tell. A share of rows lies between 0 and 1, whatever they allow. */
function interval(evidence, name) {
  const ends = evidence?.intervals[name];
  if (!ends) return null;
  const share = SHARES.has(name.slice(name.lastIndexOf(".") + 1));
  return ends.map((end) => end !== null && share ? Math.min(1, Math.max(0, end)) : end);
}

const between = (ends) => ends.map(endText).join(" to ");

function endText(end) {
  if (end === null) return "unknown";
  if (Number.isInteger(end)) return String(end);
  return Math.abs(end) < 0.001 || Math.abs(end) > 100 ? figure(end) : end.toFixed(3);
}
