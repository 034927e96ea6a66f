/* Which page is shown: #/, #/journal, #/model/NAME, #/entry/COMMIT. */

const main = document.getElementById("main");

const missing = (text) => ["Not here", h("h1", {}, "Not here"), h("p", {}, text, " ", link("#/", "All models"))];

/** Draw what the address asks for; a reader who followed a link is taken to its top. */
function route(first) {
  const [, kind, rest] = /^#\/(model|entry)\/(.*)$/.exec(location.hash) || [];
  let name = "";
  try { name = decodeURIComponent(rest || ""); } catch { name = ""; }
  const journal = location.hash === "#/journal";
  const [title, ...content] = kind === "model" ? modelView(name) : kind === "entry" ? entryView(name) : journal ? journalView() : overview();
  document.title = `${plain(title)} · Promotion`;
  main.replaceChildren(...content.flat(Infinity).filter((one) => one !== null && one !== undefined));
  if (first) return;
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

document.getElementById("origin").textContent = plain(page.registry);
document.getElementById("foot").append(`Read ${minute(page.at)} UTC from the journal and the registry. The same as data: `, link("report.json", "report.json"), ".");
addEventListener("hashchange", (event) => { if (new URL(event.newURL).hash !== "#main") route(false); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => route(true));
route(true);
document.documentElement.dataset.ready = "";
