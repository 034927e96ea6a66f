"""UNSW-NB15 (Moustafa, Slay 2015): the owners' partitions, 45 columns, and their raw captures, 49 columns without a head.

Both give the 42 features of the partitions; ``rate`` of a raw flow is computed as theirs is: packets but one by the duration. ``id`` is
the row's number, addresses and ports are identities: none is a feature. Three columns are words, coded by ``categories.json``: 0 for any
other word. Partitions stand in no order of capture that may be used, so their rows have no context, and groups are equal feature
vectors; the official ones are told by how many rows of each kind they have, whatever the file is called. A raw file in order of its
start times is a stream, a new one after an hour without a flow; groups are who talked to whom in which minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from train.datasets.categories import codes, published
from train.datasets.layout import Layout, Piece
from train.datasets.rows import Array, Clock, Streams, hashed, known
from train.datasets.table import pieces
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
TITLES = tuple(
    """srcip,sport,dstip,dsport,proto,state,dur,sbytes,dbytes,sttl,dttl,sloss,dloss,service,Sload,Dload,Spkts,Dpkts,swin,dwin,stcpb,\
dtcpb,smeansz,dmeansz,trans_depth,res_bdy_len,Sjit,Djit,Stime,Ltime,Sintpkt,Dintpkt,tcprtt,synack,ackdat,is_sm_ips_ports,ct_state_ttl,\
ct_flw_http_mthd,is_ftp_login,ct_ftp_cmd,ct_srv_src,ct_srv_dst,ct_dst_ltm,ct_src_ ltm,ct_src_dport_ltm,ct_dst_sport_ltm,\
ct_dst_src_ltm,attack_cat,Label""".split(",")  # noqa: SIM905 - the owners' list of columns, as some put it above their captures
)
WORDS = ("proto", "service", "state")
FEATURES = tuple(name for name in COLUMNS if name not in {"id", "attack_cat", "label"})
SOMETIMES_EMPTY = ("ct_flw_http_mthd", "is_ftp_login", "ct_ftp_cmd")
"""Counts that some raw captures leave empty where others write 0: an empty one is 0."""
_RAW_NUMBERS = (*(name for name in FEATURES if name not in {*WORDS, "rate"}), "stime", "label")
LAYOUTS = (
    Layout("partition", COLUMNS, (*(name for name in FEATURES if name not in WORDS), "label")),
    Layout("raw", RAW, _RAW_NUMBERS, head=False),
    Layout("raw", RAW, _RAW_NUMBERS, titles=TITLES),
    # Tools that write a table without names elsewhere, Parquet above all, number its columns.
    Layout("raw", RAW, _RAW_NUMBERS, titles=tuple(map(str, range(len(RAW))))),
)
CATEGORIES = ("Normal", "Analysis", "Backdoor", "DoS", "Exploits", "Fuzzers", "Generic", "Reconnaissance", "Shellcode", "Worms")
_NAMES = {name.casefold(): name for name in CATEGORIES} | {"backdoors": "Backdoor", "": "Normal"}
SILENCE = 3600.0
"""Seconds without a flow after which a new capture has begun."""
OFFICIAL = {(56_000, 119_341): "training", (37_000, 45_332): "testing"}
"""Normal rows and attacks of the partitions as the owners made them."""


@lru_cache(maxsize=1)
def categories() -> dict[str, tuple[str, ...]]:
    """The words that codes stand for, by column."""
    return published(WORDS)


def parts(paths: list[Path]) -> Iterator[Flows]:
    """The rows of files, piece by piece. Raises TrainError."""
    streams = Streams()
    layout: Layout | None = None
    for path in paths:
        clock, rows, attacks = Clock(back=SILENCE, ahead=SILENCE), 0, 0
        last: Flows | None = None
        for piece in pieces(path, LAYOUTS, "utf-8-sig"):
            layout = layout or piece.layout
            if piece.layout.name != layout.name:
                raise TrainError(f"{path}: a {piece.layout.name} beside a {layout.name}", hint="give files of one format")
            last = _flows(path, piece, streams, clock)
            rows, attacks = rows + len(last), attacks + int(last.attack.sum())
            yield last
        if last is not None and layout is not None and layout.name == "partition":
            yield replace(last.take(np.arange(0)), dropped={}, notes=_swapped(path, rows - attacks, attacks))


def _swapped(path: Path, normal: int, attacks: int) -> tuple[str, ...]:
    """What to tell of an official partition that bears the other one's name."""
    held = OFFICIAL.get((normal, attacks))
    other = {"training": "testing", "testing": "training"}.get(held or "")
    if other is None or other not in path.name.lower():
        return ()
    return (f"{path.name} holds the official {held} set ({normal:,} normal rows, {attacks:,} attacks): its name is swapped",)


def _flows(path: Path, piece: Piece, streams: Streams, clock: Clock) -> Flows:
    table = piece.table
    blank = table["label"].isna() & (table["attack_cat"].fillna("").str.strip() == "") & (table["proto"].fillna("") == "")
    table, lost = table[~blank], piece.blank + int(blank.sum())
    wrong = ~table["label"].isin([0.0, 1.0])
    if wrong.any():
        # A row without a label, or with another than 0 and 1, must not pass as benign.
        raise TrainError(f"{path}:{wrong.index[wrong][0]}: 'label' is neither 0 nor 1", hint="correct or remove the line")
    kinds, attack = _truth(path, table)
    raw = piece.layout.name == "raw"
    values = _values(table, raw=raw)
    breaks = clock.breaks(_times(path, table)) if raw else np.zeros(len(table), dtype=bool)
    return Flows(
        columns=FEATURES,
        values=values,
        stream=streams.of(np.full(len(table), raw and clock.ordered), breaks),
        kinds=kinds,
        attack=attack,
        digest="",
        version="",
        dropped={"blank line": lost} if lost else {},
        group=hashed(table["srcip"], table["dstip"], table["stime"] // 60) if raw else vectors(values),
        categorical=WORDS,
        categories=categories(),
    )


def _truth(path: Path, table: pd.DataFrame) -> tuple[Array, Array]:
    """(N,) categories and whether a row is an attack. Raises TrainError where the two columns say different things."""
    given = table["attack_cat"].fillna("").str.strip()
    kinds = known(path, given, _NAMES, "the category")
    attack = table["label"] == 1
    wrong = ((kinds != "Normal") & ~attack) | ((kinds == "Normal") & (given != "") & attack)
    if wrong.any():
        line = wrong.index[wrong][0]
        raise TrainError(
            f"{path}:{line}: 'label' is {int(attack[line])} but 'attack_cat' is {kinds[line]}", hint="correct or remove the line"
        )
    return np.where((given == "") & attack, "unnamed", kinds).astype(str), attack.to_numpy()


def _times(path: Path, table: pd.DataFrame) -> Array:
    missing = table["stime"].isna()
    if missing.any():
        raise TrainError(f"{path}:{missing.index[missing][0]}: 'stime' is empty", hint="correct or remove the line")
    found: Array = table["stime"].to_numpy(dtype=np.float64)
    return found


def _values(table: pd.DataFrame, *, raw: bool) -> Array:
    found = {name: table[name].to_numpy(dtype=np.float64) for name in FEATURES if name in table.columns and name not in WORDS}
    if raw:
        packets = found["spkts"] + found["dpkts"] - 1
        found["rate"] = np.divide(packets, found["dur"], out=np.zeros_like(packets), where=found["dur"] > 0)
    for name in SOMETIMES_EMPTY:
        found[name] = np.nan_to_num(found[name], nan=0.0)
    found |= {name: codes(table[name], vocabulary) for name, vocabulary in categories().items()}
    return np.column_stack([found[name] for name in FEATURES]) if len(table) else np.empty((0, len(FEATURES)))
