"""The graph of a pt2 archive: whether the JSON that torch.export reads can make it run anything but tensor operations.

No pickle is needed for that: torch evaluates the shape expressions as Python (through sympy), compiles the guards, and looks
up every operator by its dotted name, so that ``torch.os.system`` is an operator as well. Hence the lists below.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable

_OPERATOR = re.compile(
    r"torch\.ops\.(?:aten|prims|quantized_decomposed)\.(?!(?:from_file|save|load)\b)[A-Za-z_0-9]+(?:\.[A-Za-z_0-9]+)?"
    r"|torch\.ops\.higher_order\.(?:cond|while_loop|scan|map_impl|associative_scan|wrap_with_set_grad_enabled|wrap_with_autocast)"
    r"|_operator\.(?:add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|xor|not_|invert|lshift|rshift|getitem|index)"
    r"|math\.[a-z0-9_]+"
    r"|torch\.(?:sym_[a-z_]+|_sym_[a-z0-9_]+)"
)
_FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        """
        Symbol Dummy Integer Float Rational Add Mul Pow Max Min Abs And Or Not Eq Ne Lt Le Gt Ge Equality Unequality LessThan
        StrictLessThan GreaterThan StrictGreaterThan Piecewise ExprCondPair Tuple BooleanTrue BooleanFalse Infinity
        NegativeInfinity IntInfinity floor ceiling FloorDiv ModularIndexing Where PythonMod Mod CleanDiv CeilToInt FloorToInt
        CeilDiv LShift RShift PowByNatural FloatPow FloatTrueDiv IntTrueDiv IsNonOverlappingAndDenseIndicator TruncToFloat
        TruncToInt RoundToInt RoundDecimal ToFloat Identity
        """,
    )
)
_NAMES = re.compile(r"[a-z]{1,4}[0-9]{1,6}|oo|int_oo|true|false|zoo")
_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_NUMBER = re.compile(r"[-+]?[0-9.]{1,60}(?:[eE][-+]?[0-9]{1,5})?")
_METHODS = frozenset({"size", "stride", "storage_offset", "numel", "dim"})
_TREE = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})
_LONGEST = 4_000
_MOST = 20
_PLAIN = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
    ast.expr_context,
)


def findings(document: object) -> list[str]:
    """What a graph could run besides tensor operations, at most 20 phrases; empty when it may be loaded."""
    if not isinstance(document, dict) or "graph_module" not in document:
        return ["not a graph of torch.export"]
    found: list[str] = []
    pending: list[object] = [document]
    while pending and len(found) < _MOST:
        value = pending.pop()
        if isinstance(value, dict):
            found += [problem for key, inner in value.items() if (problem := _problem(key, inner))]
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return found


def _problem(key: str, value: object) -> str | None:
    """Why one member of the graph must not be read, or None. Each key is one that torch gives a meaning to."""
    if key == "target" and not (isinstance(value, str) and _OPERATOR.fullmatch(value)):
        return f"operator {_short(value)} is not one of PyTorch's tensor operations"
    if key == "expr_str" and not (isinstance(value, str) and is_expression(value)):
        return f"expression {_short(value)} is more than arithmetic on shapes"
    if key == "guards_code" and not (isinstance(value, list) and all(isinstance(one, str) and is_guard(one) for one in value)):
        return f"guard {_short(value)} is more than a comparison of shapes"
    if key in {"in_spec", "out_spec"} and not (isinstance(value, str) and _is_tree(value)):
        return f"structure {_short(value)} is more than tuples, lists and dictionaries"
    return None


def _short(value: object) -> str:
    return repr(value)[:100]


def is_expression(text: str) -> bool:
    """Whether text is arithmetic on symbols as sympy prints it, and nothing that it could evaluate to a call."""
    return _only(text, _in_expression)


def is_guard(text: str) -> bool:
    """Whether text only compares sizes of inputs, such as ``L['x'].size()[0] >= 2``."""
    return "#" not in text and _only(text, _in_guard)


def _only(text: str, allowed: Callable[[ast.AST], bool]) -> bool:
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable() or "\\" in text:
        return False
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(isinstance(node, _PLAIN) or allowed(node) for node in ast.walk(tree))


def _in_expression(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name in _FUNCTIONS
        case ast.Name(id=name):
            return name in _FUNCTIONS or _NAMES.fullmatch(name) is not None
        case ast.Constant(value=bool() | int() | float() | None):
            return True
        case ast.Constant(value=str() as text):
            return (_SYMBOL.fullmatch(text) or _NUMBER.fullmatch(text)) is not None
        case ast.keyword(arg=str(), value=ast.Constant(value=bool() | int())):
            return True
        case ast.Tuple():
            return True
    return False


def _in_guard(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=method), keywords=[]):
            return method in _METHODS
        case ast.Attribute(attr=method):
            return method in _METHODS
        case ast.Name(id=name):
            return name == "L"
        case ast.Subscript(slice=ast.Constant() | ast.UnaryOp()):
            return True
        case ast.Constant(value=bool() | int() | float() | None):
            return True
        case ast.Constant(value=str() as text):
            return _SYMBOL.fullmatch(text) is not None
    return False


def _is_tree(text: str) -> bool:
    """Whether a pytree structure is made of plain containers; others may import modules by name."""
    try:
        document = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return False
    pending: list[object] = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if value.get("type") not in _TREE:
                return False
            pending += value.get("children_spec") or []
        elif isinstance(value, list):
            pending += value
    return True
