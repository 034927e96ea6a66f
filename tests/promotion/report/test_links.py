"""The page's links into MLflow, followed in Chromium to the pages of a real server."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from playwright.sync_api import Browser, expect

from promotion.report.document import document
from promotion.report.page import write
from tests.models import register_version
from tests.promotion.report.site import seen


# MLflow's own UI shows an error for a name with a percent sign, however it is written.
@pytest.mark.parametrize("form", ["churn-eu-{}", "half off & more? #1+{}"])
def test_a_version_and_its_run_are_found_in_the_ui(form: str, browser: Browser, mlflow_server: str, tmp_path: Path) -> None:
    name = form.format(uuid4().hex[:8])
    register_version(mlflow_server, name)
    run = MlflowClient(mlflow_server).get_model_version(name, "1").run_id
    assert run is not None
    found = seen([name], versions=2, measured=False)
    model = found.models[name]
    first = replace(model.versions[1], identity=replace(model.versions[1].identity, run_id=run))
    (path, _) = write(document(replace(found, registry=mlflow_server, models={name: replace(model, versions={1: first})})), tmp_path)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(path.as_uri())
        page.get_by_role("link", name=name, exact=True).first.click()
        versions = page.get_by_role("region", name="Versions", exact=True)
        links = {
            kind: versions.get_by_role("link", name=text).get_attribute("href")
            for kind, text in (("version", "version 1"), ("run", run[:12]))
        }
        page.goto(str(links["version"]))
        expect(page.get_by_text(re.compile(r"^Version 1$")).first).to_be_visible(timeout=60_000)
        expect(page).to_have_title(f"{name} v1 - MLflow")
        page.goto("about:blank")
        page.goto(str(links["run"]))
        expect(page).to_have_url(re.compile(rf"^{re.escape(mlflow_server)}/#/experiments/\d+/runs/{run}$"), timeout=60_000)
        expect(page).to_have_title(re.compile(f"^Run {run}"), timeout=60_000)
