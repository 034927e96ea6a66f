"""UNSW-NB15 (Moustafa, Slay 2015): the owners' partitions, 45 columns, and their raw captures, 49 columns without a head.

Both give the 42 features of the partitions; ``rate`` of a raw flow is computed as theirs is: packets but one by the duration. ``id`` is
the row's number, addresses and ports are identities: none is a feature. Three columns are words, coded by ``categories.json``: 0 for any
other word. Partitions stand in no order of capture that may be used (training and testing set are told apart by nothing that is read
here: swapped names do no harm), so their rows have no context, and groups are equal feature vectors. A raw file in order of its start
times is a stream, a new one after an hour without a flow; groups are who talked to whom in which minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from train.datasets.categories import codes, published
from train.datasets.rows import Array, Streams, hashed, known
from train.datasets.table import Layout, Piece, pieces
from train.errors import TrainError
from train.flows import Flows, vectors

COLUMNS = tuple(
    """id,dur,proto,service,state,spkts,dpkts,sbytes,dbytes,rate,sttl,dttl,sload,dload,sloss,dloss,sinpkt,dinpkt,sjit,djit,swin,\
stcpb,dtcpb,dwin,tcprtt,synack,ackdat,smean,dmean,trans_depth,response_body_len,ct_srv_src,ct_state_ttl,ct_dst_ltm,\
ct_src_dport_ltm,ct_dst_sport_ltm,ct_dst_src_ltm,is_ftp_login,ct_ftp_cmd,ct_flw_http_mthd,ct_src_ltm,ct_srv_dst,is_sm_ips_ports,\
attack_cat,label""".split(",")  # noqa: SIM905 - as the owners write it
)
RAW = tuple(
    """srcip,sport,dstip,dsport,proto,state,dur,sbytes,dbytes,sttl,dttl,sloss,dloss,service,sload,dload,spkts,dpkts,swin,dwin,stcpb,\
dtcpb,smean,dmean,trans_depth,response_body_len,sjit,djit,stime,ltime,sinpkt,dinpkt,tcprtt,synack,ackdat,is_sm_ips_ports,ct_state_ttl,\
ct_flw_http_mthd,is_ftp_login,ct_ftp_cmd,ct_srv_src,ct_srv_dst,ct_dst_ltm,ct_src_ltm,ct_src_dport_ltm,ct_dst_sport_ltm,\
ct_dst_src_ltm,attack_cat,label""".split(",")  # noqa: SIM905 - the owners' list of columns, by the partitions' names
)
WORDS = ("proto", "service", "state")
FEATURES = tuple(name for name in COLUMNS if name not in {"id", "attack_cat", "label"})
SOMETIMES_EMPTY = ("ct_flw_http_mthd", "is_ftp_login", "ct_ftp_cmd")
"""Counts that some raw captures leave empty where others write 0: an empty one is 0."""
LAYOUTS = (
    Layout("partition", COLUMNS, (*(name for name in FEATURES if name not in WORDS), "label")),
    Layout("raw", RAW, (*(name for name in FEATURES if name not in {*WORDS, "rate"}), "stime", "label"), head=False),
)
CATEGORIES = ("Normal", "Analysis", "Backdoor", "DoS", "Exploits", "Fuzzers", "Generic", "Reconnaissance", "Shellcode", "Worms")
_NAMES = {name.casefold(): name for name in CATEGORIES} | {"backdoors": "Backdoor", "": "Normal"}
SILENCE = 3600.0
"""Seconds without a flow after which a new capture has begun."""
BACKWARD = 0.05
"""Share of steps back in time that a file in order may have."""


@lru_cache(maxsize=1)
def categories() -> dict[str, tuple[str, ...]]:
    """The words that codes stand for, by column."""
    return published(WORDS)


def parts(paths: list[Path]) -> Iterator[Flows]:
    """The rows of files, piece by piece. Raises TrainError."""
    streams = Streams()
    layout: Layout | None = None
    for path in paths:
        clock = _Clock()
        for piece in pieces(path, LAYOUTS, "utf-8-sig"):
            layout = layout or piece.layout
            if piece.layout != layout:
                raise TrainError(f"{path}: a {piece.layout.name} beside a {layout.name}", hint="give files of one format")
            yield _flows(path, piece, streams, clock)


class _Clock:
    """Where the rows of one raw file stand in time."""

    def __init__(self) -> None:
        self.ordered: bool | None = None
        self._last = np.nan

    def breaks(self, times: Array) -> Array:
        """(N,) true where a new stream begins."""
        if self.ordered is None:
            steps = np.diff(times)
            self.ordered = not len(steps) or bool((steps < 0).mean() <= BACKWARD)
        before = np.concatenate([[self._last], times[:-1]])
        if len(times):
            self._last = times[-1]
        found: Array = np.isnan(before) | (np.abs(times - before) > SILENCE)
        return found


def _flows(path: Path, piece: Piece, streams: Streams, clock: _Clock) -> Flows:
    table = piece.table
    blank = table["label"].isna() & (table["attack_cat"].fillna("").str.strip() == "") & (table["proto"].fillna("") == "")
    table = table[~blank]
    wrong = ~table["label"].isin([0.0, 1.0])
    if wrong.any():
        # A row without a label, or with another than 0 and 1, must not pass as benign.
        raise TrainError(f"{path}:{wrong.index[wrong][0]}: 'label' is neither 0 nor 1", hint="correct or remove the line")
    kinds = known(path, table["attack_cat"].fillna("").str.strip(), _NAMES, "the category").to_numpy(dtype=str)
    attack = table["label"].to_numpy() == 1
    if ((kinds == "Normal") & attack).any():
        kinds = np.where((kinds == "Normal") & attack, "unnamed", kinds)
    raw = piece.layout.name == "raw"
    values = _values(table, raw=raw)
    times = table["stime"].to_numpy() if raw else np.zeros(len(table))
    breaks = clock.breaks(times)
    return Flows(
        columns=FEATURES,
        values=values,
        stream=streams.of(len(table), ordered=raw and clock.ordered is not False, breaks=breaks, begins=False),
        kinds=kinds,
        attack=attack,
        digest="",
        version="",
        dropped={"blank line": int(blank.sum())} if blank.any() else {},
        group=hashed(table["srcip"], table["dstip"], table["stime"] // 60) if raw else vectors(values),
        categorical=WORDS,
        categories=categories(),
    )


def _values(table: pd.DataFrame, *, raw: bool) -> Array:
    found = {name: table[name].to_numpy(dtype=np.float64) for name in FEATURES if name in table.columns and name not in WORDS}
    if raw:
        packets = found["spkts"] + found["dpkts"] - 1
        found["rate"] = np.divide(packets, found["dur"], out=np.zeros_like(packets), where=found["dur"] > 0)
    for name in SOMETIMES_EMPTY:
        found[name] = np.nan_to_num(found[name], nan=0.0)
    found |= {name: codes(table[name], vocabulary) for name, vocabulary in categories().items()}
    return np.column_stack([found[name] for name in FEATURES]) if len(table) else np.empty((0, len(FEATURES)))
