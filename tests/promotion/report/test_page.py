"""The page in a real Chromium: what it tells, how it is used, and that it is safe against what it shows."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import replace
from datetime import date
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

from promotion.changes import ChangeKind
from promotion.figures import parse
from promotion.report.document import attention, document
from promotion.report.page import page as html
from promotion.report.page import write
from tests.acceptance.screenshots import SHOTS, shoot
from tests.acceptance.stage import PROJECT
from tests.acceptance.story import MODEL as MODEL_OF_THE_STORY
from tests.promotion.report.site import counts, evidence, seen

NAMES = ["churn-eu", "fraud-cards", "moe-flows", "price-forecast"]
MODEL = "#/model/moe-flows"
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "safe\u202egnp.exe",
    "{{ 7 * 7 }}",
    '"><b>bold</b>',
    "<!--<script>",
    "../../etc/passwd",
    "a%2Fb?c#d&e",
]


def rows(page):
    return page.get_by_role("region", name="Models by environment").locator("tbody tr > th").all_inner_texts()


def entry(found) -> str:
    return next(f"#/entry/{one.sha}" for one in found.entries if one.entry.changes and one.entry.changes[0].before)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["#/", "#/journal", MODEL, "entry"])
def test_axe_finds_nothing(opened, place, scheme):
    found = seen(NAMES)
    page = opened(found, entry(found) if place == "entry" else place, color_scheme=scheme)
    violations = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == []


@pytest.mark.parametrize("place", ["#/", MODEL, "entry"])
def test_a_phone_need_not_scroll_sideways(opened, place):
    found = seen(NAMES)
    page = opened(found, entry(found) if place == "entry" else place, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_search_narrows_and_tells_how_many(opened):
    page = opened(seen(NAMES))
    assert rows(page) == NAMES
    page.get_by_label("Search").fill("FRAUD")
    assert rows(page) == ["fraud-cards"]
    assert page.get_by_role("status").inner_text() == "1 model"


@pytest.mark.parametrize("width", [360, 1100])
@pytest.mark.parametrize("place", ["#/", "#/journal", "model", "entry", "refusal"])
def test_long_names_without_a_space_make_no_page_wider(opened, place, width):
    name = "a" * 250
    found = seen([name], by=name)
    refused = next(one for one in found.entries if one.entry.refusals)
    places = {"model": f"#/model/{name}", "entry": entry(found), "refusal": f"#/entry/{refused.sha}"}
    page = opened(found, places.get(place, place), viewport={"width": width, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_entry_of_the_journal_can_be_reached(opened):
    page = opened(seen(NAMES, entries=60))
    page.get_by_role("link", name="All 240 entries of the journal").click()
    page.get_by_role("heading", name="Journal", level=1).wait_for()
    lines = page.locator("ol.line > li")
    assert lines.count() == 200
    page.get_by_role("button", name="Show 40 more").focus()
    page.keyboard.press("Enter")
    assert lines.count() == 240
    assert page.evaluate("[...document.querySelectorAll('ol.line > li')].findIndex((one) => one.contains(document.activeElement))") == 200
    assert page.get_by_role("button", name="more").count() == 0


def test_the_same_as_data_is_a_click_away(opened):
    page = opened(seen(NAMES))
    assert page.locator("footer a").evaluate("(one) => one.href") == page.url.split("#")[0].replace("index.html", "report.json")


def test_a_name_of_a_gate_is_not_torn(opened):
    found = seen(NAMES)
    page = opened(found, entry(found), viewport={"width": 1100, "height": 740})
    table = page.get_by_role("region", name="Verdicts")
    measure = "(one) => { const r = document.createRange(); r.selectNodeContents(one); return r.getBoundingClientRect().height }"
    for name in ("staging_first", "quarantine"):
        first = table.locator("tbody th").first
        line = first.evaluate("(one) => parseFloat(getComputedStyle(one).lineHeight)")
        first.evaluate("(one, name) => { one.textContent = name }", name)
        table.locator("tbody td").nth(1).evaluate("(one) => { one.textContent = 'word '.repeat(200) }")
        assert first.evaluate(measure) < 1.5 * line


def test_a_line_of_the_journal_bears_the_colour_of_its_own_model(opened):
    found = seen(["one", "two"])
    other = next(one for one in found.entries if one.entry.changes and one.entry.changes[0].model == "two")
    back = replace(other.entry.changes[0], kind=ChangeKind.ROLLBACK)
    mine = next(one for one in found.entries if one.entry.changes and one.entry.changes[0].model == "one")
    both = replace(mine, entry=replace(mine.entry, changes=(mine.entry.changes[0], back)))
    place = f"a[href='#/entry/{both.sha}']"
    for name, colour in (("one", "is-good"), ("two", "is-warn")):
        page = opened(replace(found, entries=(both,)), f"#/model/{name}")
        assert page.locator("ol.line > li").filter(has=page.locator(place)).get_attribute("class") == colour


def test_sorting_by_keyboard_alone(opened):
    page = opened(seen(NAMES))
    button = page.get_by_role("button", name="Model")
    button.focus()
    page.keyboard.press("Enter")
    assert rows(page) == NAMES[::-1]
    assert page.locator("thead th").first.get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="To look at").focus()
    page.keyboard.press("Space")
    assert rows(page)[0] == "moe-flows"


def test_a_model_is_reached_by_keyboard_and_its_link_keeps(opened):
    page = opened(seen(NAMES))
    page.get_by_role("link", name="moe-flows").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="moe-flows", level=1).wait_for()
    assert page.evaluate("document.activeElement.id") == "main"
    page.go_back()
    page.get_by_role("heading", name="What is where").wait_for()


def test_the_slider_tells_what_was_where(opened):
    page = opened(seen(NAMES), MODEL)
    slider = page.locator("#moment")
    assert page.locator("output").inner_text().startswith("staging: version 1, production: version 1")
    slider.focus()
    page.keyboard.press("Home")
    assert page.locator("output").inner_text().startswith("staging: none, production: none\n\nBefore 2026-09-21") or page.locator(
        "output"
    ).inner_text().startswith("staging: none, production: none\nBefore 2026-09-21")
    page.keyboard.press("ArrowRight")
    assert page.locator("output").inner_text().startswith("staging: version 1, production: none")
    assert "staging: version 1, production: none" in (slider.get_attribute("aria-valuetext") or "")


def test_a_model_shows_figures_parts_and_links(opened):
    page = opened(seen(NAMES), MODEL)
    figures = page.get_by_role("region", name="Metrics by version")
    assert "version 5" in figures.inner_text()
    assert page.locator(".chart canvas").count() == 1
    assert page.get_by_role("region", name="Part: tabular, confusion matrix").count() == 1
    links = page.locator("main a").evaluate_all("all => all.map((one) => one.href)")
    assert "http://127.0.0.1:5000/#/models/moe-flows/versions/5" in links
    assert any(one.startswith("https://example.org/team/models/commit/") for one in links)
    assert page.locator(".u-legend .u-label").all_inner_texts() == ["f1", "precision", "recall"]


def test_figures_bear_their_intervals_within_what_a_share_can_be(opened):
    page = opened(seen(NAMES), MODEL)
    shown = cells(page, "Metrics by version")
    found = evidence("moe-flows", 5)
    f1 = found.figures["f1"]
    last = dict(zip(shown[0], shown[-1], strict=True))
    assert last["Version"] == "version 5"
    assert last["f1"].split("\n") == [f"{f1:.4f}", f"{f1 - 0.02:.3f} to {min(1, f1 + 0.02):.3f}".replace("1.000", "1")]
    assert last["precision"].split("\n")[1] == "0.900 to unknown"
    assert "\n" not in last["accuracy"], "resamples do not give it, so none is shown"
    assert page.get_by_text("95 % interval").count() == 1


def test_a_composite_model_shows_the_matrix_of_each_part_as_it_was_counted(opened):
    page = opened(seen(NAMES), MODEL)
    for name, one in counts(5).parts.items():
        label = ("The whole model" if name == "model" else f"Part: {name}") + ", confusion matrix"
        shown = cells(page, label)
        assert shown[0][1:] == list(one.labels)
        assert [[int(cell.replace(",", "")) for cell in row[1:]] for row in shown[1:]] == one.confusion


def cells(page, label: str) -> list[list[str]]:
    """A table's cells, row by row."""
    rows = page.get_by_role("region", name=label, exact=True).locator("tr")
    found: list[list[str]] = rows.evaluate_all("all => all.map((row) => [...row.cells].map((one) => one.innerText.trim()))")
    return found


def test_what_expires_soon_is_told_on_the_first_page_and_what_is_in_force_is_not(opened):
    found = seen([*NAMES, "ticket-router"])
    (waiver,) = found.waivers
    far = replace(waiver, model="churn-eu", expires=date(2027, 11, 27))
    over = replace(waiver, model="ticket-router", expires=date(2026, 11, 19))
    page = opened(replace(found, waivers=(waiver, far, over)))
    shown = [row[:2] for row in cells(page, "To look at")]
    assert ["moe-flows", "waiver, expires soon"] in shown
    assert ["ticket-router", "waiver, expired"] in shown
    assert not [row for row in shown if row[0] == "churn-eu"]
    assert shown[1] == ["moe-flows", "drift"], "the worst comes first"


def test_evidence_that_cannot_be_read_is_told_where_it_was_relied_on(opened):
    found = seen(NAMES)
    lost = evidence("churn-eu", 4).digest
    kept = {name: one for name, one in found.evidence.items() if name != lost}
    page = opened(replace(found, evidence=kept, unreadable={lost: "not JSON: <b>x</b>"}))
    assert cells(page, "Evidence that cannot be read")[1] == [lost[:12], "not JSON: <b>x</b>"]
    assert "churn-eu" in cells(page, "To look at")[2][0]
    assert "that cannot be read" in cells(page, "Models by environment")[1][2]
    page.get_by_role("link", name="churn-eu").first.click()
    page.get_by_role("heading", name="churn-eu", level=1).wait_for()
    assert f"{lost[:12]} cannot be read: not JSON: <b>x</b>" in page.locator("main").inner_text()


def test_evidence_that_the_journal_does_not_keep_is_told_too(opened):
    found = replace(seen(NAMES), evidence={}, intervals={})
    assert set(attention(document(found))) == set(NAMES)
    assert "the journal does not keep it" in opened(found, entry(found)).locator("main").inner_text()


def test_a_promotion_shows_what_changed(opened):
    found = seen(NAMES)
    page = opened(found, entry(found))
    table = page.get_by_role("region", name="Figures before and after").inner_text()
    assert "f1" in table
    assert "+" in table
    assert page.get_by_text("digest after").count() == 1
    shown = page.locator("main").inner_text()
    proof = next(one for one in found.entries if one.entry.changes and one.entry.changes[0].before).entry.changes[0].evidence[0]
    assert proof in shown, "promotion evidence verify asks for all of it"
    assert found.evidence[proof].dataset in shown


def test_a_promotion_shows_what_was_declared(opened):
    found = seen(NAMES)
    sha = next(iter(found.patches))
    page = opened(replace(found, patches={sha: "environments.yaml\n-      use: 1\n+      use: <b>2</b>"}), f"#/entry/{sha}")
    lines = page.get_by_role("region", name="Changes of the declaration").locator("pre div")
    assert lines.all_inner_texts() == ["environments.yaml", "-      use: 1", "+      use: <b>2</b>"]
    assert lines.evaluate_all("all => all.map((one) => one.className)") == ["soft", "bad", "good"]


def test_a_promotion_shows_its_verdicts_the_worst_first_and_what_was_written(opened):
    found = seen(NAMES)
    page = opened(found, entry(found))
    heads, first, second = cells(page, "Verdicts")
    assert heads == ["Gate", "Verdict", "Expected", "Got", "Rule"]
    assert first[0] == "bound"
    assert "WARNED" in first[1]
    assert "waived by Grace until 2026-12-01: new data" in first[1]
    assert first[2:4] == ["f1 ≥ 0.95", "f1 = 0.9312"]
    assert (second[0], second[4]) == ("digest", "always asked")
    assert "point alias" in page.locator("ol.writes li").first.inner_text()


def test_verdicts_that_are_not_on_the_page_are_told_as_such(opened):
    found = seen(NAMES)
    old = tuple(
        replace(one, entry=replace(one.entry, changes=tuple(replace(c, verdicts=()) for c in one.entry.changes))) for one in found.entries
    )
    text = opened(replace(found, entries=old), entry(found)).locator("main").inner_text()
    assert "promotion history --format json" in text


def test_the_newest_thousand_changes_bear_their_verdicts():
    told = document(seen([f"model-{number}" for number in range(100)], entries=14, measured=False))["entries"]
    counts = [len(one["changes"][0].get("verdicts", ())) for one in told if one["changes"]]
    assert len(counts) == 1200
    assert counts == [2] * 1000 + [0] * 200


def test_the_confusion_matrix_of_every_measured_version_can_be_chosen(opened):
    page = opened(seen(NAMES), MODEL)
    label = "The whole model, confusion matrix"
    newest = cells(page, label)
    page.get_by_label("Version and evaluation").select_option("version 2, held-out")
    second = counts(2).parts["model"].confusion
    assert newest != (shown := cells(page, label))
    assert [[int(cell.replace(",", "")) for cell in row[1:]] for row in shown[1:]] == second


def test_a_version_stands_at_the_end_of_its_chain_from_the_data_on(opened):
    page = opened(seen(NAMES), MODEL)
    version, chain, _, where = cells(page, "Versions")[1]
    assert (version, where) == ("version 5", "staging")
    assert re.fullmatch(r"data 2026-10\s+commit [0-9a-f]{12}\s+run [0-9a-f]{12}", chain)
    assert page.locator("ol.chain").first.locator("a").count() == 2, "the run's page in MLflow, and the commit's"


def test_what_is_in_service_leads_to_the_entry_that_put_it_there(opened):
    found = seen(NAMES)
    page = opened(found, MODEL)
    page.get_by_role("link", name="why: verdicts").first.click()
    page.get_by_role("heading", name="What the rules said").wait_for()
    assert "promote in staging: version 4 → version 5" in page.locator("main").inner_text()


def test_a_refusal_tells_why(opened):
    found = seen(NAMES)
    refused = next(one for one in found.entries if one.entry.refusals)
    assert "got 0.9312" in opened(found, f"#/entry/{refused.sha}").locator("main").inner_text()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_and_do_nothing(opened, name):
    found = seen([name], by=name)
    page = opened(found)
    written = name.replace("\u202e", "⟨U+202E⟩")
    assert rows(page) == [written]
    page.goto(page.url.split("#")[0] + "#/model/" + quote(name, safe=""))
    page.get_by_role("heading", level=1).wait_for()
    assert page.locator("h1").inner_text() == written
    assert page.locator("main img, main script, main b").count() == 0
    hrefs = page.locator("a").evaluate_all("all => all.map((one) => one.protocol)")
    assert set(hrefs) == {"file:", "http:", "https:"}


def test_hostile_names_in_evidence_are_shown_and_do_nothing(opened):
    found = seen(["one"])
    good = evidence("one", 5)
    labels = [one for one in HOSTILE if "\u202e" not in one]  # that one is written by its number
    size = len(labels)
    matrix = [[row * size + column for column in range(size)] for row in range(size)]
    part = {"labels": labels, "confusion": matrix}
    total = sum(map(sum, matrix))
    counts = parse(
        {
            "schema": "promotion/counts/v1",
            "rows": total,
            "seconds": 1.0,
            "positive": labels[0],
            "parts": {"model": part, labels[1]: part},
            "classes": {labels[0]: {"support": total, "correct": 1}},
            "sums": {labels[1]: 2.5},
        }
    )
    bad = replace(good, counts=counts, dataset_path=HOSTILE[0], evaluation=HOSTILE[1])
    page = opened(replace(found, evidence={good.digest: bad}, intervals={}), "#/model/one")
    assert cells(page, "The whole model, confusion matrix")[0][1:] == labels
    assert cells(page, "Recall by class")[1][0] == labels[0]
    assert cells(page, "Means over the rows")[1][0] == labels[1]
    assert page.locator("main img, main script, main b").count() == 0


def test_a_model_that_tells_numbers_has_its_figures_and_no_matrix(opened):
    found, good = seen(["one"]), evidence("one", 5)
    sums = {"schema": "promotion/regression-counts/v1", "rows": 400, "seconds": 1.0}
    truth, part = {"origin": 0.0, "total": 0.0, "squares": 4e4}, {"error": 0.0, "absolute": 810.0, "squared": 2500.0}
    prices = replace(good, counts=parse({**sums, "truth": truth, "parts": {"model": part}}))
    page = opened(replace(found, evidence={good.digest: prices}, intervals={}), "#/model/one")
    shown = dict(zip(*(cells(page, "Metrics by version")[row] for row in (0, 1)), strict=True))
    assert (shown["rmse"], shown["mae"]) == ("2.5000", "2.0250")
    assert page.get_by_role("heading", name="Confusion matrix").count() == 0


def test_a_page_that_does_not_exist_says_so(opened):
    for place in ("#/model/nobody", "#/entry/%E0%A4%A"):
        assert opened(seen(NAMES), place).locator("h1").inner_text() == "Not here"


def test_an_empty_journal_is_a_page_too(opened):
    found = replace(seen(["one"], entries=0, measured=False), rows=())
    assert opened(found).locator("main").inner_text().count("0") >= 1


def test_what_is_allowed_stands_in_the_policy_by_hash_alone():
    text = html("{}")
    policy = text.split('Content-Security-Policy" content="')[1].split('"')[0]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert " on" not in text.split("<body>")[1].split("<script")[0]


def test_the_document_is_json_with_nothing_undefined():
    found = document(seen(NAMES))
    assert json.loads(json.dumps(found, allow_nan=False))["schema"] == "promotion/report/v1"
    assert attention(found) == ("fraud-cards", "moe-flows")
    assert next(one for one in found["models"] if one["name"] == "moe-flows")["waivers"][0]["state"] == "expires soon"


def test_the_pictures_of_the_readme_can_be_taken_anew(browser, tmp_path):
    write(document(seen([MODEL_OF_THE_STORY, *NAMES])), tmp_path / "site")
    shoot(browser, tmp_path / "site", tmp_path / "images")
    taken = {file.stem: file.read_bytes() for file in (tmp_path / "images").iterdir()}
    assert {f".github/images/{name}.png" for name in taken} == set(re.findall(r"\]\((.*?\.png)\)", (PROJECT / "README.md").read_text()))
    assert all(struct.unpack(">II", content[16:24]) == tuple(SHOTS[name][1]["viewport"].values()) for name, content in taken.items())
