"""What an artifact holds: real models of MLflow's flavours pass, whatever could run code on loading does not."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest

from promotion.archives import Unreadable
from promotion.formats import inspect
from promotion.gates.formats import refusals
from promotion.graphs import is_expression, is_guard
from promotion.pickles import PREFIX, beyond_tensors, is_pickle

pytestmark = pytest.mark.filterwarnings("default")


class Evil:
    """Runs a command when unpickled; nothing here ever does that."""

    def __reduce__(self):
        return os.system, ("touch /tmp/was-unpickled",)


EVIL = pickle.dumps(Evil())
TEXT_PICKLE = b"cos\nsystem\n(S'true'\ntR."


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A real pt2 model folder as MLflow writes it, with a dynamic batch, an embedding and a gather by index."""
    import mlflow.pytorch
    import numpy as np
    import torch
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(6, 2)
            self.register_buffer("mean", torch.zeros(3))
            self.table = torch.nn.Embedding(5, 3)

        def forward(self, x):
            rows = x.shape[0]
            window = (torch.arange(rows)[:, None] - torch.arange(4)[None, :]).clamp(min=0)
            earlier = (x - self.mean)[window].mean(dim=1)
            codes = x[:, 0].long().clamp(0, 4)
            return torch.softmax(self.linear(torch.cat([earlier, self.table(codes)], dim=1)), dim=1)

    folder = tmp_path_factory.mktemp("exported") / "model"
    signature = ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 3))]), Schema([TensorSpec(np.dtype("float32"), (-1, 2))]))
    example = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    mlflow.pytorch.save_model(
        Net().eval(), folder, serialization_format="pt2", signature=signature, input_example=example, pip_requirements=["torch"]
    )
    return folder


@pytest.fixture(scope="session", params=["json", "ubj"])
def boosted(request, tmp_path_factory):
    import mlflow.xgboost

    from tests.models import tiny_booster

    folder = tmp_path_factory.mktemp("boosted") / "model"
    mlflow.xgboost.save_model(tiny_booster(0), folder, model_format=request.param, pip_requirements=["xgboost"])
    return folder


@pytest.fixture
def model(exported, tmp_path):
    """A copy of the pt2 model to spoil."""
    return Path(shutil.copytree(exported, tmp_path / "model"))


def rewrite(path: Path, change) -> None:
    """Write a zip again with its entries (name → bytes) changed."""
    with zipfile.ZipFile(path) as archive:
        entries = {one.filename: archive.read(one) for one in archive.infolist()}
    entries = change(entries) or entries
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)


def zipped(entries) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return stream.getvalue()


def refused(folder: Path, words: str) -> None:
    found = refusals(inspect(folder))
    assert any(words in one for one in found), found


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


def set_entry(name, data):
    return lambda entries: entries.update({next(iter(entries)).split("/")[0] + "/" + name: data})


def edit_graph(edit):
    def change(entries):
        name = next(one for one in entries if "/models/" in one)
        graph = json.loads(entries[name])
        edit(graph)
        entries[name] = json.dumps(graph).encode()

    return change


def node(graph):
    return graph["graph_module"]["graph"]["nodes"][0]


def first_expression(graph):
    values = graph["graph_module"]["graph"]["tensor_values"]
    return next(size["as_expr"] for value in values.values() for size in value["sizes"] if "as_expr" in size)


def pickled_weight(entries):
    name = next(one for one in entries if one.endswith("_weights_config.json"))
    config = json.loads(entries[name])
    next(iter(config["config"].values()))["use_pickle"] = True
    entries[name] = json.dumps(config).encode()


CRAFTED = [
    (set_entry("data/weights/weight_0", EVIL), "a pickle"),
    (set_entry("data/weights/weight_99", b"1234"), "belongs to no tensor"),
    (set_entry("data/weights/model.pt", EVIL), "a pickle"),
    (set_entry("data/constants/custom_obj_0", EVIL), "a pickle"),
    (set_entry("data/aotinductor/model/x.so", b"\x7fELF"), "of no kind that a pt2 has"),
    (set_entry("extra/notes.txt", TEXT_PICKLE), "a pickle"),
    (set_entry("extra/more.zip", zipped({"a/b": b"x"})), "an archive in an archive"),
    (set_entry("data/weights/weight_0", zipped({"a/b": b"x"})), "an archive in an archive"),
    (set_entry("archive_format", b"zip"), "not pt2"),
    (set_entry("../outside", b"x"), "leads outside"),
    (set_entry("byteorder", EVIL), "not a line of text"),
    (lambda entries: entries.update({"/etc/cron.d/x": b"x"}), "leads outside"),
    (lambda entries: entries.update({"other/x": b"x"}), "more than one top folder"),
    (lambda entries: entries.update({"a\\b": b"x"}), "leads outside"),
    (lambda entries: {name: data for name, data in entries.items() if "/models/" not in name}, "without a graph"),
    (pickled_weight, "is a pickle"),
    (set_entry("data/sample_inputs/model.pt", EVIL), "a pickle"),
    (set_entry("data/sample_inputs/model.pt", zipped({"archive/data.pkl": EVIL})), "opcode STACK_GLOBAL"),
    (set_entry("data/sample_inputs/model.pt", zipped({"archive/data.pkl": pickle.dumps(Evil(), 2)})), "calls posix.system"),
    (set_entry("data/sample_inputs/model.pt", zipped({"archive/data.pkl": b"\x80\x02N.", "archive/x.py": b"x"})), "of no kind that sample"),
    (set_entry("data/sample_inputs/model.pt", zipped({"archive/data.pkl": b"\x80\x02N.", "archive/data/0": EVIL})), "a pickle"),
    (edit_graph(lambda graph: node(graph).update(target="torch.os.system")), "'torch.os.system' is not one of"),
    (edit_graph(lambda graph: node(graph).update(target="torch.ops.aten.from_file.default")), "from_file"),
    (edit_graph(lambda graph: node(graph).update(target="_operator.methodcaller")), "methodcaller"),
    (edit_graph(lambda graph: node(graph).update(target="#torch.x")), "#torch.x"),
    (edit_graph(lambda graph: first_expression(graph).update(expr_str="__import__('os').system('true')")), "more than arithmetic"),
    (edit_graph(lambda graph: graph.update(guards_code=["__import__('os').system('true')"])), "more than a comparison"),
    (
        edit_graph(
            lambda graph: graph["graph_module"]["module_call_graph"][0]["signature"].update(
                in_spec='[1, {"type": "collections.defaultdict", "context": "[]", "children_spec": []}]'
            )
        ),
        "more than tuples",
    ),
]


@pytest.mark.parametrize(("change", "words"), CRAFTED, ids=[f"{index}-{words}" for index, (_, words) in enumerate(CRAFTED)])
def test_a_crafted_pt2_is_refused(model, change, words):
    rewrite(model / "data/model.pt2", change)
    refused(model, words)


@pytest.mark.parametrize("samples", [b"", zipped({"archive/data.pkl": pickle.dumps(None, 2), "archive/version": b"3\n"})])
def test_empty_sample_inputs_pass(model, samples):
    rewrite(model / "data/model.pt2", set_entry("data/sample_inputs/model.pt", samples))
    assert refusals(inspect(model)) == ()


def test_a_crafted_graph_would_run_without_any_pickle(model, tmp_path):
    """Why graphs are read at all: torch evaluates this expression, although MLflow found no pickle."""
    import torch

    mark = tmp_path / "ran"
    expression = f"__import__('pathlib').Path('{mark}').write_text('x')"
    rewrite(model / "data/model.pt2", edit_graph(lambda graph: first_expression(graph).update(expr_str=expression)))
    refused(model, "more than arithmetic")
    assert not mark.exists()

    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever torch says afterwards, it has run by then
        torch.export.load(model / "data/model.pt2")
    assert mark.exists()


def test_bytes_around_the_archive_are_refused(model):
    path = model / "data/model.pt2"
    good = path.read_bytes()

    path.write_bytes(good + b"more")
    refused(model, "something hides behind the archive's end")
    inner = zipped({"archive/data.pkl": EVIL})
    path.write_bytes(good + inner)
    refused(model, "something hides before the entry")


def test_a_zip_bomb_is_refused_quickly(model):
    with zipfile.ZipFile(model / "data/model.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/extra/zeros", bytes(200 << 20))
    refused(model, "unpacks from")


def test_two_entries_of_one_name_are_refused(model):
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(model / "data/model.pt2", "a") as archive:
        archive.writestr("model/archive_format", "pt2")
    refused(model, "two entries of one name")


@pytest.mark.parametrize("missing", [1, 10, 22, 60, 2000, 9000])
def test_a_truncated_archive_never_passes(model, missing):
    path = model / "data/model.pt2"
    path.write_bytes(path.read_bytes()[:-missing])
    try:
        found = refusals(inspect(model))
    except Unreadable as error:
        found = (error.message,)
    # Where the end is missing, a reader may find the end of the archive of sample inputs inside: then something stands before it.
    assert found
    assert "cannot be read" in found[0] or "hides before" in found[0]


def test_a_damaged_entry_is_unreadable(model):
    path = model / "data/model.pt2"
    data = bytearray(path.read_bytes())
    at = data.index(b'"graph_module"')
    data[at : at + 4] = b"\x00\x01\x02\x03"
    path.write_bytes(data)
    with pytest.raises(Unreadable, match="cannot be read"):
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


@pytest.mark.parametrize(
    "text",
    [
        "Symbol('s77', positive=True, integer=True)",
        "Integer(4)",
        "s0*s1 + 4",
        "Max(1, s0//2)",
        "Add(Integer(-1), Symbol('s0'))",
        "Float('1.5', precision=53)",
    ],
)
def test_arithmetic_is_an_expression(text):
    assert is_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "Max('__import__(\"os\")')",
        "Symbol('s0').func",
        "(lambda: 1)()",
        "[x for x in s0]",
        "exec('1')",
        "eval",
        "s0; s1",
        "Symbol('s0', **{'a': 1})",
        "f'{s0}'",
        "Integer(" * 300 + ")" * 300,
        "1" * 5000,
        "s0\nimport os",
    ],
)
def test_anything_else_is_no_expression(text):
    assert not is_expression(text)


@pytest.mark.parametrize(
    ("text", "good"), [("L['x'].size()[0] >= 2", True), ("L['x'].stride()[-1] == 1 and 2 < 3", True), ("L['x'].load('f')", False)]
)
def test_guards(text, good):
    assert is_guard(text) is good


@pytest.mark.parametrize("text", ["print(1)", "L['\"]+evil']", "L['x'] # more", "open('x')", "L.__class__", "L['x'].size.__self__"])
def test_guards_that_do_more(text):
    assert not is_guard(text)


def test_nothing_was_unpickled():
    assert not Path("/tmp/was-unpickled").exists()
