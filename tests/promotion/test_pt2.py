"""What a pt2 archive holds: torch reads more than tensors from it, so all of that is looked at first."""

from __future__ import annotations

import json
import pickle
import zipfile

import pytest

from promotion.archives import Unreadable
from promotion.formats import inspect
from promotion.gates.formats import refusals
from promotion.graphs import is_expression, is_guard
from tests.promotion.crafting import EVIL, TEXT_PICKLE, Evil, refused, rewrite, zipped

pytestmark = pytest.mark.filterwarnings("default")


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
