"use strict";
/* Draws the page from the document beside it. Every value is untrusted text: it goes through textContent alone, never through markup,
   and addresses are made of the two that the page's writer gave and encoded parts. */
(() => {
  const page = JSON.parse(document.getElementById("document").textContent);
  const main = document.getElementById("main");
  const SHOWN = 100;
  const MARK = { good: "✓", warn: "!", bad: "✕", soft: "·" };

  /* Characters that are not seen, or that turn the direction of others, are shown by their number. */
  const plain = (value) => String(value).replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (one) => "⟨U+" + one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩");
  function h(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "on") for (const [event, call] of Object.entries(value)) made.addEventListener(event, call);
      else if (value !== null && value !== undefined) made.setAttribute(key, plain(value));
    }
    for (const child of children.flat(Infinity)) if (child !== null && child !== undefined)
      made.append(child instanceof Node ? child : document.createTextNode(plain(child)));
    return made;
  }
  const link = (href, ...children) => { const made = h("a", {}, ...children); made.setAttribute("href", href); return made; };
  const part = encodeURIComponent;
  const modelPage = (name) => "#/model/" + part(name);
  const entryPage = (sha) => "#/entry/" + part(sha);
  const tag = (kind, text) => h("span", { class: "tag " + kind }, h("span", { "aria-hidden": "true" }, MARK[kind]), text);
  const time = (text) => text ? text.slice(0, 16).replace("T", " ") : "";
  /* A person's name without the address, where there is little room. */
  const who = (text) => text.replace(/^(.*\S)\s+<[^<>\s]+@[^<>\s]+>$/, "$1");
  const day = (text) => text ? text.slice(0, 10) : "";
  const moment = (text) => h("time", { datetime: text }, time(text), " UTC");
  const short = (text) => h("code", { title: text }, text.slice(0, 12));
  const figure = (value) => value === null || value === undefined ? "–" : Number.isInteger(value) ? value.toLocaleString("en") :
    Math.abs(value) < 0.0001 && value !== 0 ? value.toExponential(2) : value.toFixed(4);
  const RATIOS = new Set(["f1", "precision", "recall", "accuracy", "macro_f1", "false_alarm_rate"]);
  /* An interval as it is drawn and written: a share of rows lies between 0 and 1, whatever resamples allow; null is an end that they do not tell. */
  const interval = (evidence, name) => {
    const found = evidence?.intervals[name], share = RATIOS.has(name.slice(name.lastIndexOf(".") + 1));
    return found ? found.map((one) => one === null ? null : share ? Math.min(1, Math.max(0, one)) : one) : null;
  };
  const between = (ends) => ends.map((one) => one === null ? "unknown" : Number.isInteger(one) ? one : Math.abs(one) < 0.001 || Math.abs(one) > 100 ? figure(one) : one.toFixed(3)).join(" to ");
  const measure = (evidence, name) => {
    const ends = interval(evidence, name);
    return [figure(evidence?.figures[name]), ends ? h("div", {}, h("small", { class: "soft" }, between(ends))) : null];
  };
  const commit = (sha) => !sha ? "none" : page.commits ? link(page.commits + part(sha), short(sha)) : short(sha);
  const run = (id) => !id ? "none" : page.mlflow ? link(page.mlflow + "/#/runs/" + part(id), short(id)) : short(id);
  const versionLink = (name, version) => page.mlflow ? link(page.mlflow + "/#/models/" + part(name) + "/versions/" + part(version), "version " + version) : "version " + version;
  const shownVersion = (bound) => bound ? "version " + bound.version : "none";
  const stateTag = (state) => tag(state === "in sync" ? "good" : state === "pending" ? "warn" : "bad", state);
  const statusTag = (status) => tag(status === "PASSED" ? "good" : status === "WARNED" ? "warn" : "bad", status);
  const pairs = (...rows) => h("dl", { class: "pairs" }, rows.filter(Boolean).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  const frame = (label, table) => h("div", { class: "frame", tabindex: "0", role: "region", "aria-label": label }, table);
  function grid(label, heads, rows, numbers = true, style = "") {
    return frame(label, h("table", { class: style || (numbers ? "numbers" : null) }, h("thead", {}, h("tr", {}, heads.map((one, index) => h("th", { scope: "col", class: numbers && index ? "num" : null }, one)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, index) => index === 0 ? h("th", { scope: "row" }, cell) :
        h("td", { class: numbers ? "num" : null, "data-of": numbers ? null : heads[index] }, cell)))))));
  }

  const entries = new Map();
  const byModel = new Map();
  for (const entry of page.entries) {
    entries.set(entry.sha, entry);
    for (const name of new Set([...entry.changes, ...entry.refusals].map((one) => one.model))) {
      if (!byModel.has(name)) byModel.set(name, []);
      byModel.get(name).push(entry);
    }
  }
  const models = new Map(page.models.map((model) => [model.name, model]));
  const notices = (model) => [
    ...model.drift.map((one) => tag("bad", "drifted: " + one.environment)),
    ...Object.entries(model.environments).filter(([, one]) => one.state === "pending" || one.state === "impossible").map(([name, one]) => tag(one.state === "pending" ? "warn" : "bad", one.state + ": " + name)),
    ...model.faults.map((one) => tag("bad", "evidence cannot be read: " + one.environment)),
    ...model.holds.map((one) => tag("warn", "held: version " + one.version)),
    ...model.waivers.map((one) => tag(one.state === "in force" ? "soft" : "warn", "waiver " + one.state + ": " + one.gate)),
  ];
  /* What somebody should look at, the worst first: [how bad, what, where, why, when]. */
  const exceptions = (model) => [...model.drift.map((one) => [0, "drift", one.environment, "expected " + one.expected + ", got " + one.got, time(one.since)]),
    ...model.faults.map((one) => [1, "evidence", one.environment, [short(one.evidence), " cannot be read: ", one.reason], ""]),
    ...model.holds.map((one) => [3, "hold", one.environment, "version " + one.version + ": " + one.reason + " (" + one.by + ")", "since " + time(one.at)]),
    ...model.waivers.map((one) => [{ expired: 2, "expires soon": 2, "in force": 4 }[one.state], "waiver, " + one.state, one.environment, one.gate + " of version " + one.version + ": " + one.reason + " (" + one.owner + ")", (one.state === "expired" ? "on " : "until ") + one.expires])];
  const urgent = new Map(page.models.map((model) => [model.name, notices(model).filter((one) => !one.classList.contains("soft")).length]));

  const lacks = (applied) => applied.evidence.some((one) => page.unreadable[one] || !page.evidence[one]);
  function bindingCell(binding) {
    if (!binding) return h("span", { class: "none" }, "not managed");
    const applied = binding.applied;
    if (!applied) return [h("span", { class: "none" }, "never applied "), stateTag(binding.state)];
    return [h("span", { class: "v" }, applied.version === null ? "none" : "v" + applied.version), " ", applied.digest ? short(applied.digest) : null,
      h("div", {}, h("small", { class: "soft" }, day(applied.at), " · ", who(applied.by), " · ", applied.evidence.length ? "evidence" : "no evidence", lacks(applied) ? " that cannot be read" : null)),
      applied.unverified ? tag("warn", "unverified") : null, applied.adopted ? tag("warn", "adopted") : null];
  }

  const view = { query: "", key: "name", up: true, all: false };
  const sinceOf = (model, environment) => model.environments[environment]?.applied?.at || "";
  function overview() {
    const newest = page.entries[0];
    const looked = [...urgent.values()].filter(Boolean).length;
    const counted = h("p", { class: "soft", role: "status" });
    const body = h("tbody");
    const heads = [["name", "Model"], ...page.environments.map((one) => ["@" + one, one]), ["attention", "To look at"]];
    const ths = heads.map(([key, title]) => h("th", { scope: "col" }, h("button", { type: "button", on: { click: () => {
      view.up = view.key === key ? !view.up : key === "name"; view.key = key; draw();
    } } }, title)));
    const more = h("button", { type: "button", on: { click: () => { view.all = true; draw(); } } });
    const search = h("input", { type: "search", placeholder: "Search models, people, digests", "aria-label": "Search", value: view.query, on: { input: (event) => {
      view.query = event.target.value; view.all = false; draw();
    } } });
    const text = new Map(page.models.map((model) => [model.name, [model.name, ...Object.values(model.environments).flatMap((one) => one.applied ? ["v" + one.applied.version, one.applied.digest, one.applied.by, one.state] : [one.state])].join(" ").toLowerCase()]));
    function draw() {
      const words = view.query.toLowerCase().split(/\s+/).filter(Boolean);
      const value = view.key === "name" ? (one) => one.name : view.key === "attention" ? (one) => urgent.get(one.name) : (one) => sinceOf(one, view.key.slice(1));
      const found = page.models.filter((one) => words.every((word) => text.get(one.name).includes(word)));
      found.sort((a, b) => { const x = value(a), y = value(b); return (x < y ? -1 : x > y ? 1 : 0) * (view.up ? 1 : -1); });
      heads.forEach(([key], index) => key === view.key ? ths[index].setAttribute("aria-sort", view.up ? "ascending" : "descending") : ths[index].removeAttribute("aria-sort"));
      const shown = view.all ? found : found.slice(0, SHOWN);
      body.replaceChildren(...shown.map((model) => h("tr", {}, h("th", { scope: "row" }, link(modelPage(model.name), h("bdi", {}, model.name))),
        page.environments.map((name) => h("td", { "data-of": name }, bindingCell(model.environments[name]))), h("td", {}, notices(model).length ? notices(model) : tag("good", "nothing")))));
      counted.textContent = found.length + (found.length === 1 ? " model" : " models") + (shown.length < found.length ? ", the first " + shown.length + " shown" : "");
      more.textContent = "Show all " + found.length; more.hidden = shown.length === found.length;
    }
    draw();
    const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
    return ["What is where", h("h1", {}, "What is where"),
      h("dl", { class: "facts" }, fact("models", page.models.length), fact("to look at", looked), fact("journal entries", page.entries.length), fact("newest entry", newest ? day(newest.at) : "none"), fact("journal", page.signed ? "signed" : "not signed")),
      h("div", { class: "tools" }, search, counted), frame("Models by environment", h("table", { class: "stack" }, h("thead", {}, h("tr", {}, ths)), body)), h("p", {}, more),
      toLookAt(), lost(),
      h("h2", {}, "Newest entries"), timeline(page.entries.slice(0, 12), null)];
  }

  const FIRST = 8;
  function toLookAt() {
    const found = page.models.flatMap((model) => exceptions(model).filter(([bad]) => bad < 4).map((one) => [model.name, ...one]));
    if (!found.length) return null;
    found.sort((a, b) => a[1] - b[1]);
    const rows = found.slice(0, FIRST).map(([name, , ...cells]) => [link(modelPage(name), h("bdi", {}, name)), ...cells]);
    return [h("h2", {}, "Drift, lost evidence, holds and what expires soon"), grid("To look at", ["Model", "What", "Where", "Why", "When"], rows, false, "stack"),
      found.length > FIRST ? h("p", { class: "soft" }, "and " + (found.length - FIRST) + " more: sort the table above by what is to look at") : null];
  }
  function lost() {
    const found = Object.entries(page.unreadable);
    return found.length ? [h("h2", {}, "Evidence that cannot be read"), h("p", { class: "soft" }, "It counts for nothing: what rests on it is measured again."),
      grid("Evidence that cannot be read", ["Statement", "Why"], found.slice(0, SHOWN).map(([digest, reason]) => [short(digest), reason]), false, "stack")] : null;
  }

  function told(entry, name) {
    const mine = (one) => name === null || one.model === name;
    const title = (one) => name === null ? [link(modelPage(one.model), h("bdi", {}, one.model)), " "] : null;
    return [...entry.changes.filter(mine).map((one) => h("p", {}, title(one), h("strong", {}, one.kind), " in ", one.environment, ": ", shownVersion(one.before), " → ", shownVersion(one.after), " ", statusTag(one.status))),
      ...entry.refusals.filter(mine).map((one) => h("p", {}, title(one), h("strong", { class: "bad" }, "refused"), " in ", one.environment, ": ", one.version === null ? "none" : "version " + one.version, " · ", one.reasons[0] || ""))];
  }
  function timeline(found, name) {
    if (!found.length) return h("p", { class: "none" }, "The journal has no entry yet.");
    return h("ol", { class: "line" }, found.map((entry) => {
      const refused = entry.refusals.some((one) => name === null || one.model === name);
      const back = entry.changes.some((one) => one.kind === "rollback");
      return h("li", { class: refused ? "is-bad" : back ? "is-warn" : entry.changes.length ? "is-good" : "" },
        h("p", {}, link(entryPage(entry.sha), time(entry.at) + " UTC"), " ", h("small", { class: "soft" }, entry.kind, " · ", who(entry.by))), told(entry, name),
        h("p", { class: "soft" }, h("small", {}, entry.subject)));
    }));
  }

  const measured = (model, version) => {
    const digests = new Set();
    for (const binding of Object.values(model.environments)) if (binding.applied?.version === version && binding.applied.digest) digests.add(binding.applied.digest);
    for (const entry of byModel.get(model.name) || []) for (const one of entry.changes) if (one.model === model.name && one.after?.version === version) digests.add(one.after.digest);
    return Object.values(page.evidence).filter((one) => digests.has(one.artifact)).sort((a, b) => a.finished < b.finished ? 1 : -1);
  };
  const CHIEF = ["f1", "precision", "recall", "accuracy", "macro_f1", "roc_auc", "pr_auc", "false_alarm_rate", "rmse", "mae", "r2"];

  function chart(rows, names) {
    const place = h("div", { class: "chart", "aria-hidden": "true" });
    const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    const strokes = ["--accent", "--good", "--warn"], dashes = [[], [6, 4], [2, 3]];
    /* Each figure stands a little beside its version's middle, so that its interval covers no other. */
    const beside = (index) => (index - (names.length - 1) / 2) * 0.1;
    const points = rows.flatMap(([version, one]) => names.map((name, index) => ({ x: version + beside(index), index, value: one.figures[name] ?? null, ends: interval(one, name) })));
    const data = [points.map((one) => one.x), ...names.map((_, index) => points.map((one) => one.index === index ? one.value : null))];
    const bounds = points.flatMap((one) => [one.value, ...(one.ends || [])]).filter((one) => typeof one === "number");
    const low = Math.min(...bounds), high = Math.max(...bounds), room = (high - low) * 0.08 || 0.01;
    const bars = (plot) => {
      const { ctx, bbox } = plot;
      ctx.save(); ctx.lineWidth = 1.5 * devicePixelRatio;
      for (const one of points) if (one.ends && one.value !== null) {
        const x = plot.valToPos(one.x, "x", true), at = (value, edge) => value === null ? edge : plot.valToPos(value, "y", true);
        const bottom = at(one.ends[0], bbox.top + bbox.height), top = at(one.ends[1], bbox.top), cap = 4 * devicePixelRatio;
        ctx.strokeStyle = colour(strokes[one.index]); ctx.beginPath(); ctx.moveTo(x, bottom); ctx.lineTo(x, top);
        for (const y of [bottom, top]) { ctx.moveTo(x - cap, y); ctx.lineTo(x + cap, y); }
        ctx.stroke();
      }
      ctx.restore();
    };
    requestAnimationFrame(() => { if (place.isConnected) new uPlot({
      width: Math.max(240, place.clientWidth - 20), height: 260, cursor: { show: false }, legend: { live: false }, hooks: { draw: [bars] },
      scales: { x: { time: false, range: () => [rows[0][0] - .5, rows[rows.length - 1][0] + .5] }, y: { range: () => [low - room, high + room] } },
      axes: [{ ...axis, incrs: [1, 2, 5, 10, 50], values: (_, ticks) => ticks.map((one) => Number.isInteger(one) ? "v" + one : "") }, { ...axis, size: 64 }],
      series: [{ label: "by version" }, ...names.map((name, index) => ({ label: name, stroke: colour(strokes[index]), width: 2, dash: dashes[index], spanGaps: true, points: { size: 8, show: true, fill: colour(strokes[index]) } }))],
    }, data, place); });
    return place;
  }
  function metrics(model) {
    const rows = model.versions.map((one) => [one.version, measured(model, one.version)[0]]).filter(([, one]) => one).reverse();
    if (!rows.length) return h("p", { class: "none" }, "The journal keeps no evidence of this model.");
    const names = CHIEF.filter((name) => rows.some(([, one]) => typeof one.figures[name] === "number"));
    const known = rows.some(([, one]) => names.some((name) => interval(one, name)));
    return [chart(rows, names.slice(0, 3)), grid("Metrics by version", ["Version", "Rows", ...names], rows.map(([version, one]) => ["version " + version, figure(one.rows), ...names.map((name) => measure(one, name))])),
      h("p", { class: "soft" }, h("small", {}, known ? "Below a figure, and as bars in the chart: its 95 % interval, from 1,000 resamples of the rows." : "This evidence keeps no resamples of its rows, so its figures have no intervals."))];
  }
  function matrices(evidence) {
    const bodies = Object.entries(evidence.parts).map(([name, one]) => {
      const label = name === "model" ? "The whole model" : "Part: " + name;
      const numbers = grid(label + ", confusion matrix", ["true ↓ predicted →", ...one.labels], one.labels.map((text, index) => [text, ...one.confusion[index].map(figure)]), true, "matrix");
      const prefix = name === "model" ? "" : name + ".";
      const chief = CHIEF.filter((key) => typeof evidence.figures[prefix + key] === "number").slice(0, 4).map((key) => {
        const ends = interval(evidence, prefix + key);
        return h("div", {}, key, " ", figure(evidence.figures[prefix + key]), ends ? h("span", { class: "soft" }, " (" + between(ends) + ")") : null);
      });
      return h("div", {}, h("h3", {}, label), h("p", {}, h("small", {}, chief)), numbers);
    });
    return [h("div", { class: "cards" }, bodies), h("div", { class: "cards wide" }, classes(evidence), means(evidence))];
  }
  function classes(evidence) {
    const names = Object.keys(evidence.figures).filter((one) => one.startsWith("class.") && one.endsWith(".recall")).map((one) => one.slice(6, -7));
    return names.length ? h("div", {}, h("h3", {}, "By class"), grid("Recall by class", ["Class", "Rows", "Recall"], names.map((one) => [one, figure(evidence.figures["class." + one + ".support"]), measure(evidence, "class." + one + ".recall")]))) : null;
  }
  function means(evidence) {
    return evidence.means.length ? h("div", {}, h("h3", {}, "Means over the rows"), grid("Means over the rows", ["What", "Mean"], evidence.means.map((one) => [one, measure(evidence, one)]))) : null;
  }
  function slider(model, found) {
    const events = found.filter((entry) => entry.kind === "outcome" || entry.kind === "adopted").filter((entry) => entry.changes.some((one) => one.model === model.name)).reverse();
    if (!events.length) return h("p", { class: "none" }, "Nothing was ever applied.");
    const out = h("output", { for: "moment", "aria-live": "polite" });
    const range = h("input", { id: "moment", type: "range", min: 0, max: events.length, step: 1, "aria-label": "Time, from before the first entry to now" });
    range.value = events.length;
    const draw = () => {
      const count = Number(range.value), bound = {};
      for (const entry of events.slice(0, count)) for (const one of entry.changes) if (one.model === model.name) bound[one.environment] = one.after;
      const when = count ? "From " + time(events[count - 1].at) + " UTC" + (count < events.length ? " until " + time(events[count].at) + " UTC" : " until now") : "Before " + time(events[0].at) + " UTC";
      const what = page.environments.map((name) => name + ": " + shownVersion(bound[name])).join(", ");
      range.setAttribute("aria-valuetext", plain(when + ", " + what));
      out.replaceChildren(h("strong", {}, what), h("div", { class: "soft" }, when));
    };
    range.addEventListener("input", draw); draw();
    return h("div", { class: "then" }, range, out);
  }
  function modelView(name) {
    const model = models.get(name);
    if (!model) return missing("There is no model of this name.");
    const found = byModel.get(name) || [];
    const latest = model.versions.flatMap((one) => measured(model, one.version).slice(0, 1).map((evidence) => [one.version, evidence]))[0];
    const bound = (one) => one.applied ? [h("p", { class: "v" }, one.applied.version === null ? "none" : versionLink(name, one.applied.version)), h("p", {}, stateTag(one.state), one.applied.unverified ? tag("warn", "unverified") : null, one.applied.adopted ? tag("warn", "adopted") : null),
      h("p", { class: "soft" }, "since ", moment(one.applied.at), " by ", one.applied.by), h("p", {}, "commit ", commit(one.applied.commit)), one.applied.digest ? h("p", {}, "digest ", short(one.applied.digest)) : null] : [h("p", { class: "none" }, "never applied"), stateTag(one.state)];
    const looked = exceptions(model).map(([, ...cells]) => cells);
    return [name, h("p", { class: "soft" }, link("#/", "All models")), h("h1", {}, h("bdi", {}, name)),
      h("div", { class: "cards" }, page.environments.filter((one) => model.environments[one]).map((one) => h("div", { class: "card" }, h("h2", {}, one), bound(model.environments[one])))),
      looked.length ? [h("h2", {}, "To look at"), grid("Drift, evidence, holds and waivers", ["What", "Where", "Why", "When"], looked, false, "stack")] : null,
      h("h2", {}, "What was where, at a time"), slider(model, found),
      h("h2", {}, "Metrics by version"), metrics(model),
      latest ? [h("h2", {}, "Confusion matrix of version ", latest[0]), h("p", { class: "soft" }, latest[1].evaluation, " on ", latest[1].dataset.path, ", ", figure(latest[1].rows), " rows"), matrices(latest[1])] : null,
      h("h2", {}, "Versions and where they come from"), model.versions.length ? grid("Versions", ["Version", "Run", "Commit", "Data", "Made"], model.versions.map((one) => [versionLink(name, one.version), run(one.run), commit(one.git_commit), one.data_version || "not said", [new Date(one.created).toISOString().slice(0, 10), one.user ? " by " + one.user : ""]]), false, "stack") : h("p", { class: "none" }, "The registry shows no version."),
      h("h2", {}, "Promotions, refusals and rollbacks"), timeline(found, name)];
  }
  function comparison(change) {
    const after = change.evidence.map((one) => page.evidence[one]).filter(Boolean);
    const faults = change.evidence.filter((one) => page.unreadable[one] || !page.evidence[one]).map((one) =>
      h("p", {}, tag("bad", "evidence cannot be read"), short(one), ": ", page.unreadable[one] || "the journal does not keep it"));
    const before = change.before ? Object.values(page.evidence).filter((one) => one.artifact === change.before.digest) : [];
    return [faults, after.map((one) => {
      const old = before.find((other) => other.evaluation === one.evaluation && other.dataset.sha256 === one.dataset.sha256);
      const names = CHIEF.filter((name) => typeof one.figures[name] === "number");
      return [h("p", { class: "soft" }, one.evaluation, " on ", one.dataset.path, ", ", figure(one.rows), " rows, by ", one.evaluator, ", isolation: ", one.isolation),
        grid("Figures before and after", ["Figure", "Before", "After", "Difference"], names.map((name) => { const was = old?.figures[name], is = one.figures[name]; return [name, old ? measure(old, name) : "–", measure(one, name), typeof was === "number" ? (is >= was ? "+" : "−") + figure(Math.abs(is - was)) : "–"]; }))];
    })];
  }
  function entryView(sha) {
    const entry = entries.get(sha);
    if (!entry) return missing("The journal has no such entry.");
    return ["Entry " + sha.slice(0, 12), h("p", { class: "soft" }, link("#/", "All models")), h("h1", {}, entry.subject || "Entry " + sha.slice(0, 12)),
      pairs(["what", entry.kind], ["when", moment(entry.at)], ["applied by", entry.by], ["author", entry.author], ["commit", commit(entry.commit)], ["journal", short(entry.sha)], ["signed by", entry.signer || "nobody"],
        entry.plan ? ["plan", short(entry.plan)] : null, entry.policies ? ["policies", short(entry.policies)] : null),
      entry.patch ? [h("h2", {}, "What was declared since the entry before"), frame("Changes of the declaration", h("pre", {}, entry.patch.split("\n").map((line) => h("div", { class: { "+": "good", "-": "bad" }[line[0]] || "soft" }, line || " "))))] : null,
      entry.changes.map((one) => [h("h2", {}, link(modelPage(one.model), h("bdi", {}, one.model)), " in ", one.environment), h("p", {}, h("strong", {}, one.kind), ": ", shownVersion(one.before), " → ", shownVersion(one.after), " ", statusTag(one.status)),
        pairs(["digest before", one.before ? h("code", {}, one.before.digest) : "none"], ["digest after", one.after ? h("code", {}, one.after.digest) : "none"]), one.evidence.length ? comparison(one) : h("p", { class: "none" }, "No evidence was recorded with this change.")]),
      entry.refusals.map((one) => [h("h2", {}, link(modelPage(one.model), h("bdi", {}, one.model)), " in ", one.environment), h("p", {}, tag("bad", "refused"), one.version === null ? "none" : "version " + one.version), h("ul", {}, one.reasons.map((reason) => h("li", {}, reason)))]),
      entry.changes.length || entry.refusals.length ? null : h("p", { class: "none" }, "This commit needed no change.")];
  }
  const missing = (text) => ["Not here", h("h1", {}, "Not here"), h("p", {}, text, " ", link("#/", "All models"))];

  function route(first) {
    const [, kind, rest] = /^#\/(model|entry)\/(.*)$/.exec(location.hash) || [];
    let name = "";
    try { name = decodeURIComponent(rest || ""); } catch { name = ""; }
    const [title, ...content] = kind === "model" ? modelView(name) : kind === "entry" ? entryView(name) : overview();
    document.title = plain(title) + " · Promotion";
    main.replaceChildren(...content.flat(Infinity).filter((one) => one !== null && one !== undefined));
    if (!first) { main.focus({ preventScroll: true }); scrollTo(0, 0); }
  }
  document.getElementById("origin").textContent = plain(page.registry);
  document.getElementById("foot").textContent = plain("Read " + time(page.at) + " UTC from the journal and the registry. The same as data: report.json.");
  addEventListener("hashchange", (event) => { if (new URL(event.newURL).hash !== "#main") route(false); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => route(true));
  route(true);
  document.documentElement.dataset.ready = "";
})();
