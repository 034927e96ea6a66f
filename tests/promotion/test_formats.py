"""What an artifact holds: real models of MLflow's flavours pass, whatever could run code on loading does not."""

from __future__ import annotations

import os
import pickle
import shutil
import struct
from collections import OrderedDict
from pathlib import Path

import pytest

from promotion.archives import Unreadable
from promotion.formats import inspect
from promotion.gates.formats import refusals
from promotion.pickles import PREFIX, beyond_tensors, is_pickle
from tests.promotion.crafting import EVIL, TEXT_PICKLE, Evil, refused, rewrite, zipped

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="session", params=["json", "ubj"])
def boosted(request, tmp_path_factory):
    import mlflow.xgboost

    from tests.models import tiny_booster

    folder = tmp_path_factory.mktemp("boosted") / "model"
    mlflow.xgboost.save_model(tiny_booster(0), folder, model_format=request.param, pip_requirements=["xgboost"])
    return folder


def test_a_real_pt2_passes(exported):
    form = inspect(exported)
    assert (form.kind, form.loader_module, form.findings) == ("pt2", "mlflow.pytorch", ())
    assert refusals(form) == ()


def test_a_pt2_written_again_by_python_passes(model):
    rewrite(model / "data/model.pt2", lambda entries: entries)
    assert refusals(inspect(model)) == ()


def test_a_real_xgboost_passes(boosted):
    form = inspect(boosted)
    assert (form.kind, form.loader_module, form.findings) == ("xgboost", "mlflow.xgboost", ())


def test_a_real_sklearn_pickle_is_refused(tmp_path):
    import mlflow.sklearn
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    mlflow.sklearn.save_model(fitted, tmp_path / "model", serialization_format="cloudpickle", pip_requirements=["scikit-learn"])
    form = inspect(tmp_path / "model")
    assert form.kind == "pickle"
    refused(tmp_path / "model", "model.pkl: a pickle")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("data/model.pt2", EVIL, "data/model.pt2: a pickle"),
        ("model.onnx", EVIL, "a pickle"),
        ("notes.txt", EVIL, "notes.txt: a pickle"),
        ("input_example.json", TEXT_PICKLE, "a pickle written as text"),
        ("notes.txt", TEXT_PICKLE + b"\nand then some prose", "a pickle written as text"),
        ("notes.txt", b"(S'true'\nios\nsystem\n.", "a pickle written as text"),
        ("notes.txt", b"c__builtin__\neval\n(S'1'\ntR\nno stop here", "a pickle written as text"),
        ("notes.txt", b"S'" + b"a" * (PREFIX + 10) + b"'\n0" + TEXT_PICKLE, "a pickle written as text"),
        ("x.bin", pickle.dumps({"weights": [1.0]}, protocol=4), "a pickle"),
        ("x.bin", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f", "x.bin: a pickle"),
        ("extra.whl", zipped({"a/b.txt": b"x"}), "not pt2"),
        ("weights.pth", zipped({"archive/data.pkl": EVIL, "archive/version": b"3\n"}), "not pt2"),
        ("x.bin", bytes(range(256)) * 4, "of no known kind"),
        ("x.gz", b"\x1f\x8b\x08" + bytes(40), "gzip"),
        ("lib.txt", b"\x7fELF" + bytes(200), "a program"),
        ("x.ubj", b"{L" + struct.pack(">q", 2**40), "of no known kind"),
        ("load.py", b"print('hello')\n", "source code"),
        ("x.onnx", b"\x08\x09\x3a\x02\x0a\x00" + zipped({"a/b": b"x"}), "an archive hides"),
    ],
)
def test_one_bad_file_among_good_ones(model, name, content, words):
    path = model / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    refused(model, words)


@pytest.mark.parametrize(
    "text",
    [
        b"channels:\n- conda-forge\ndependencies:\n- python=3.11\n",
        b"cryptography\nclick\nNumPy==2.0\n",
        b"pandas\n(see README)\n.",
        b"I am a model.\n",
        b"N is for none\n",
        b"{}",
        b"",
        "Größe: 3 m².\n".encode(),
        b"]\n.",
    ],
)
def test_ordinary_text_is_no_pickle(model, text):
    (model / "notes.txt").write_bytes(text)
    assert refusals(inspect(model)) == ()


def test_a_code_folder_is_refused(model):
    (model / "code").mkdir()
    (model / "code/anything.txt").write_text("x")
    refused(model, "code/: a code folder")


def test_symbolic_links_are_refused(model, tmp_path):
    (tmp_path / "outside").mkdir()
    (model / "link.txt").symlink_to("/etc/hostname")
    (model / "more").symlink_to(tmp_path / "outside")
    refused(model, "link.txt: a symbolic link")
    refused(model, "more: a symbolic link")


def test_special_files_are_refused_not_opened(model):
    os.mkfifo(model / "pipe")
    refused(model, "pipe: not a regular file")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("loader_module: mlflow.pytorch", "loader_module: mlflow.pyfunc.model", "'mlflow.pyfunc.model' is not on the list"),
        ("loader_module: mlflow.pytorch", "loader_module: os", "'os' is not on the list"),
        ("loader_module: mlflow.pytorch", "loader_module: [mlflow.pytorch]", "names no loader_module"),
        ("    data: data\n", "    data: ../../other\n", "leads outside"),
        ("    data: data\n", "    data: /etc\n", "leads outside"),
        ("    data: data\n", "    data: 's3://bucket/model'\n", "leads outside"),
        ("    data: data\n", "    data: data\n    code: scripts\n", "brings code"),
        ("    code: null\n", "    code: scripts\n", "brings code"),
        ("    data: data\n", "    data: data\n    model_code_path: model.txt\n", "brings code"),
        ("flavors:", "flavours:", "names no flavour"),
    ],
)
def test_mlmodel_that_asks_for_more(model, old, new, words):
    text = (model / "MLmodel").read_text()
    assert old in text
    (model / "MLmodel").write_text(text.replace(old, new))
    refused(model, words)


def test_no_mlmodel_is_refused(model):
    (model / "MLmodel").unlink()
    refused(model, "MLmodel: missing")


def test_a_linked_mlmodel_is_refused(model, tmp_path):
    shutil.move(model / "MLmodel", tmp_path / "MLmodel")
    (model / "MLmodel").symlink_to(tmp_path / "MLmodel")
    refused(model, "MLmodel: a symbolic link")


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\nb: [*a, *a]\n",
        "{" * 5000,
        "[" * 40 + "]" * 40,
        "a: b: c",
        "\x00",
        "!!python/object/apply:os.system ['true']",
        "x" * (1 << 20) + "x",
    ],
)
def test_an_mlmodel_that_cannot_be_read_is_unreadable(model, text):
    (model / "MLmodel").write_text(text)
    with pytest.raises(Unreadable, match="MLmodel"):
        inspect(model)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_seen(protocol):
    data = pickle.dumps(Evil(), protocol)
    assert is_pickle(data, size=len(data))
    assert is_pickle(data + b"\nmore", size=len(data) + 5)
    plain = pickle.dumps([1, "two", None], protocol)
    assert is_pickle(plain, size=len(plain))


@pytest.mark.parametrize("value", [OrderedDict(a=1), [1, 2.5, "x"], None, ()])
def test_plain_values_hold_no_more_than_tensors(value):
    assert beyond_tensors(pickle.dumps(value, 2)) == []


@pytest.mark.parametrize(
    "data", [EVIL, pickle.dumps(Evil(), 2), pickle.dumps(print, 2), b"\x80\x02N.N.", b"\x80\x02", b"Pid\n.", b"nonsense"]
)
def test_anything_else_holds_more(data):
    assert beyond_tensors(data) != []


def test_nothing_was_unpickled():
    assert not Path("/tmp/was-unpickled").exists()
