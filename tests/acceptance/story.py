"""The project's main job, once, for real: train, register, declare, plan, gate, reconcile, drift, revert.

``make demo`` narrates it and the acceptance test runs it silently; both fail at the first step that does not do what it should.
"""

from __future__ import annotations

import json

from tests.acceptance.serving import serving
from tests.acceptance.stage import Stage

MODEL = "moe-cybersecurity-cicids"
BASELINE = "xgboost-baseline-cicids"
EVIDENCE = "--evidence ../evidence"

SHUFFLE = """
import pathlib, random
header, *rows = pathlib.Path("train/data/cicids-train.csv").read_text().splitlines()
flows, labels = zip(*(row.rsplit(",", 1) for row in rows))
labels = random.Random(0).sample(labels, len(labels))
pathlib.Path("train/data/cicids-shuffled.csv").write_text("\\n".join([header, *map(",".join, zip(flows, labels))]))
"""
FORGE = f"""
import mlflow
client = mlflow.MlflowClient()
run = client.get_model_version("{MODEL}", "3").run_id
for name in ("f1_score", "precision", "recall"):
    client.log_metric(run, name, 0.99)
"""
MOVE = f"""
import mlflow
mlflow.MlflowClient().transition_model_version_stage("{MODEL}", "3", "Production", archive_existing_versions=True)
"""
PREDICT = f"""
import mlflow, pathlib
from train import datasets
flows = datasets.load("synthetic", [pathlib.Path("train/data/cicids-holdout.csv")])
for way in ("/Production", "@production", "/1", "/2"):
    model = mlflow.pyfunc.load_model("models:/{MODEL}" + way)
    chances = model.predict(flows.frame())[0]
    print(f"{{way:<12}} tells {{int((chances >= 0.5).sum())}} attacks of 6000 flows; {{int(flows.attack.sum())}} are")
"""


def tell(stage: Stage) -> None:
    """Play the whole story; raises StoryFailed at the first step that is not as it should be."""
    stage.prepare()
    data(stage)
    train(stage)
    key(stage)
    staging(stage)
    production(stage)
    skip_refused(stage)
    with serving(stage, MODEL) as ask:
        ask(1)
        replace(stage)
        ask(2)
        bad_refused(stage)
        drift(stage)
        revert(stage)
        ask(1)
    audit(stage)
    predict(stage)
    page(stage)


def data(stage: Stage) -> None:
    """Make the flows: rows to learn from, and the pinned rows that the gate measures on."""
    stage.say("Flows to learn from, and the pinned rows that the gate will measure on")
    stage.run("python -m train data --dataset synthetic --seed 1 --rows 8000 --out train/data/cicids-train.csv")
    stage.run("python -m train data --dataset synthetic --seed 2 --rows 6000 --out train/data/cicids-holdout.csv")


def train(stage: Stage) -> None:
    """Train and register: version 1 the tabular expert alone, version 2 the mixture, 3 a bad one; and a baseline."""
    stage.say("Train and register: the tabular expert alone, the full mixture, a baseline, and one from rows whose labels were shuffled")
    fit = f"python -m train fit --dataset synthetic --data train/data/cicids-train.csv --register {MODEL}"
    stage.run(f"{fit} --stage tabular", quiet_stderr=True)
    stage.run(f"{fit} --stage mixture", quiet_stderr=True)
    stage.python(SHUFFLE)
    stage.run(f"{fit.replace('-train', '-shuffled')} --stage tabular --epochs 2", quiet_stderr=True)
    stage.run(
        f"python -m train baseline --model xgboost --dataset synthetic --data train/data/cicids-train.csv --register {BASELINE}",
        quiet_stderr=True,
    )
    stage.say("Somebody makes the bad version look good: it now claims 0.99 for every logged metric")
    stage.python(FORGE)


def key(stage: Stage) -> None:
    """Make the key that signs the journal, and trust it."""
    stage.say("A key for the journal, trusted by a line in policies/allowed_signers")
    stage.run("ssh-keygen -q -t ed25519 -N '' -C journal -f ../journal-key")
    stage.run("""printf 'ada@example.org namespaces="git" %s\\n' "$(cut -d' ' -f1,2 ../journal-key.pub)" > policies/allowed_signers""")
    stage.run("git config gpg.format ssh && git config user.signingkey ../journal-key.pub")
    stage.commit("Trust the journal's key")
    stage.run("promotion validate")


def staging(stage: Stage) -> None:
    """Version 1 into staging: gate, plan, reconcile; a second reconcile has nothing to do and writes nothing."""
    stage.say("A one-line change: version 1 into staging")
    stage.run(f"promotion propose {MODEL} staging=1")
    stage.run("git diff -U0 environments.yaml")
    stage.commit("Try the tabular expert in staging")
    stage.run(f"promotion gate --base HEAD~1 {EVIDENCE}", shows=("PASSED", "bound", "lineage"))
    stage.run("promotion plan --detailed-exitcode", exits=3, shows=("promote",))
    stage.run(f"promotion reconcile {EVIDENCE}")
    stage.check(stage.stages(MODEL)[1] == "Staging", "version 1 is not in Staging")
    before = (stage.registry_state(), stage.run("git rev-parse promotion-journal", show=False))
    stage.say("Again: there is nothing to do, and nothing is written")
    stage.run("promotion reconcile", shows=("nothing to do",))
    stage.run("promotion plan --detailed-exitcode")
    after = (stage.registry_state(), stage.run("git rev-parse promotion-journal", show=False))
    stage.check(before == after, "the second reconcile wrote something")


def production(stage: Stage) -> None:
    """Version 1 on into production: it was in staging, so it may."""
    stage.say("Version 1 was judged in staging, so it may go on into production")
    stage.run(f"promotion propose {MODEL} production=1")
    stage.commit("The tabular expert goes live")
    stage.run(f"promotion reconcile {EVIDENCE}", shows=("staging_first",))
    stage.check(stage.stages(MODEL)[1] == "Production", "version 1 is not in Production")


def skip_refused(stage: Stage) -> None:
    """The full mixture straight into production is refused, and nothing is changed by it."""
    stage.say("The full mixture straight into production? Never skip staging")
    stage.run(f"promotion propose {MODEL} production=2")
    stage.commit("The mixture is so good, it goes live at once")
    _refused(stage, "staging_first")
    stage.run("git revert --no-edit HEAD")


def replace(stage: Stage) -> None:
    """The full mixture by the right way: staging, then production; the version that it replaces is Archived."""
    stage.say("By the right way: the mixture into staging, then into production")
    stage.run(f"promotion propose {MODEL} staging=2")
    stage.commit("Try the mixture in staging")
    stage.run(f"promotion reconcile {EVIDENCE}")
    stage.run(f"promotion propose {MODEL} production=2")
    stage.commit("The mixture goes live")
    stage.run("git tag the-promotion", show=False)
    stage.run(f"promotion reconcile {EVIDENCE}")
    stages = stage.stages(MODEL)
    stage.check(stages[2] == "Production", "version 2 is not in Production")
    stage.check(stages[1] == "Archived", "the replaced version 1 is not Archived")


def bad_refused(stage: Stage) -> None:
    """The version that learned nothing claims 0.99; the gate measures it again and refuses it."""
    stage.say("The version that learned from shuffled labels claims 0.99. The gate measures again")
    stage.run(f"promotion propose {MODEL} staging=3")
    stage.commit("Version 3 claims 0.99")
    _refused(stage, "bound")
    stage.run("git revert --no-edit HEAD")
    stage.run("promotion reconcile")


def drift(stage: Stage) -> None:
    """Somebody moves a stage by hand: drift shows it, reconcile heals it."""
    stage.say("Somebody moves a stage by hand in the MLflow UI")
    stage.python(MOVE)
    stage.check(stage.stages(MODEL)[3] == "Production", "the hand-made move did not happen")
    stage.run("promotion drift", exits=3, shows=(MODEL, "production"))
    stage.run("promotion plan --detailed-exitcode", exits=3, shows=("heal",))
    stage.run("promotion reconcile", shows=("heal",))
    stage.run("promotion drift")
    stage.check(stage.stages(MODEL)[2] == "Production", "reconcile did not heal the stage")


def revert(stage: Stage) -> None:
    """A later staging commit; then the production promotion is reverted, cleanly, and version 1 is back."""
    stage.say("A version registered afterwards from the run of version 2 goes into staging")
    run = json.loads(stage.run(f"promotion lineage {MODEL}/2 --format json", show=False))["run"]
    stage.run(f"python -m train register --run {run} --name {MODEL}", quiet_stderr=True)
    stage.run(f"promotion propose {MODEL} staging=4")
    stage.commit("Try version 4 in staging")
    stage.run(f"promotion reconcile {EVIDENCE}")
    stage.say("Rollback is reverting the commit, also after later commits to staging")
    stage.run("git revert --no-edit the-promotion")
    stage.run(f"promotion reconcile {EVIDENCE}", shows=("rollback",))
    stages = stage.stages(MODEL)
    stage.check(stages[1] == "Production", "version 1 is not back in Production")
    stage.check(stages[4] == "Staging", "version 4 did not stay in Staging")


def audit(stage: Stage) -> None:
    """Who, when, why, on which evidence; and the journal's signatures hold."""
    stage.say("Who did what, when, why, and on which evidence")
    stage.run("promotion status")
    stage.run(
        "promotion history", shows=("The mixture goes live", "Ada Lovelace", "evidence", "refused", "staging_first", "heal", "rollback")
    )
    stage.run("promotion journal verify")
    stage.run(f"promotion lineage {MODEL}/2")


def predict(stage: Stage) -> None:
    """Load the result as its users do, and predict."""
    stage.say("Its users load it by stage, by alias and by number, and predict")
    stage.check("@production" in stage.python(PREDICT), "the alias cannot be loaded")


def page(stage: Stage) -> None:
    """Write the page: it shows what is where now, and every promotion, refusal, healing and rollback on the way."""
    stage.say("And a page for everybody: what is where, since when, by whom and on which evidence")
    stage.run("promotion report --out ../site", shows=("0 to look at",))
    found = json.loads((stage.folder / "site" / "report.json").read_text(encoding="utf-8"))
    model = next(one for one in found["models"] if one["name"] == MODEL)
    where = {name: one["applied"]["version"] for name, one in model["environments"].items()}
    stage.check(where == {"staging": 4, "production": 1}, f"the page shows {where}")
    kinds = {one["kind"] for entry in found["entries"] for one in entry["changes"]}
    stage.check(kinds >= {"promote", "heal", "rollback"}, f"the page tells of {kinds} alone")
    stage.check({one["version"] for entry in found["entries"] for one in entry["refusals"]} == {2, 3}, "the page lacks a refusal")
    stage.check(all("f1" in one["intervals"] for one in found["evidence"].values()), "figures on the page lack their intervals")


def _refused(stage: Stage, gate: str) -> None:
    """Gate and reconcile refuse with exit 4, and leave the registry and the applied part of the journal exactly as they were."""
    before = (stage.registry_state(), stage.applied_state())
    stage.run(f"promotion gate --base HEAD~1 {EVIDENCE}", exits=4, shows=("FAILED", gate))
    stage.run(f"promotion reconcile {EVIDENCE}", exits=4, shows=("FAILED", gate))
    stage.check(before == (stage.registry_state(), stage.applied_state()), "a refused step changed the registry or what is applied")
