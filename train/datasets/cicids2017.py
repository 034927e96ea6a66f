"""CICIDS2017 (Sharafaldin, Lashkari, Ghorbani 2018): ``MachineLearningCVE``, 79 columns, and ``TrafficLabelling``, 85.

The owners' files have leading spaces in the names, ``Fwd Header Length`` twice, ``Infinity`` and ``NaN`` in the rates, and a cp1252
dash in some labels. Both formats give the same features: ids, addresses, ports and times are identities, not features. A file is one
stream in capture order, unless its rows are plainly in none (neighbours share no more ports than chance has it): then no row has
context. Groups: who talked to whom in which minute where addresses are there, else bursts of one label, else equal feature vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from train.datasets.rows import Array, Bursts, Streams, hashed, in_order, known
from train.datasets.table import Layout, Piece, pieces
from train.flows import Flows, vectors

COLUMNS = tuple(
    """Destination Port,Flow Duration,Total Fwd Packets,Total Backward Packets,Total Length of Fwd Packets,Total Length of Bwd Packets,\
Fwd Packet Length Max,Fwd Packet Length Min,Fwd Packet Length Mean,Fwd Packet Length Std,Bwd Packet Length Max,Bwd Packet Length Min,\
Bwd Packet Length Mean,Bwd Packet Length Std,Flow Bytes/s,Flow Packets/s,Flow IAT Mean,Flow IAT Std,Flow IAT Max,Flow IAT Min,\
Fwd IAT Total,Fwd IAT Mean,Fwd IAT Std,Fwd IAT Max,Fwd IAT Min,Bwd IAT Total,Bwd IAT Mean,Bwd IAT Std,Bwd IAT Max,Bwd IAT Min,\
Fwd PSH Flags,Bwd PSH Flags,Fwd URG Flags,Bwd URG Flags,Fwd Header Length,Bwd Header Length,Fwd Packets/s,Bwd Packets/s,\
Min Packet Length,Max Packet Length,Packet Length Mean,Packet Length Std,Packet Length Variance,FIN Flag Count,SYN Flag Count,\
RST Flag Count,PSH Flag Count,ACK Flag Count,URG Flag Count,CWE Flag Count,ECE Flag Count,Down/Up Ratio,Average Packet Size,\
Avg Fwd Segment Size,Avg Bwd Segment Size,Fwd Header Length,Fwd Avg Bytes/Bulk,Fwd Avg Packets/Bulk,Fwd Avg Bulk Rate,\
Bwd Avg Bytes/Bulk,Bwd Avg Packets/Bulk,Bwd Avg Bulk Rate,Subflow Fwd Packets,Subflow Fwd Bytes,Subflow Bwd Packets,\
Subflow Bwd Bytes,Init_Win_bytes_forward,Init_Win_bytes_backward,act_data_pkt_fwd,min_seg_size_forward,Active Mean,Active Std,\
Active Max,Active Min,Idle Mean,Idle Std,Idle Max,Idle Min,Label""".split(",")  # noqa: SIM905 - as the owners write it
)
FEATURES = tuple(name for name in dict.fromkeys(COLUMNS) if name not in {"Destination Port", "Label"})
IDENTITIES = ("Flow ID", "Source IP", "Source Port", "Destination IP", "Destination Port", "Protocol", "Timestamp")
LABELLED = (*IDENTITIES, *COLUMNS[1:])
LAYOUTS = (Layout("MachineLearningCVE", COLUMNS, FEATURES), Layout("TrafficLabelling", LABELLED, FEATURES))
BENIGN_LABEL = "BENIGN"
LABELS = (
    *("BENIGN", "Bot", "DDoS", "DoS GoldenEye", "DoS Hulk", "DoS Slowhttptest", "DoS slowloris", "FTP-Patator", "Heartbleed"),
    *("Infiltration", "PortScan", "SSH-Patator", "Web Attack - Brute Force", "Web Attack - Sql Injection", "Web Attack - XSS"),
)
DASH = "–|�|â€“|ï¿½"
"""The dash of ``Web Attack – XSS`` as cp1252, and as what copies in UTF-8 make of it when they are read as cp1252."""
_NAMES = {name.casefold(): name for name in LABELS}


def parts(paths: list[Path]) -> Iterator[Flows]:
    """The rows of files, piece by piece. Rows without a label are dropped and counted. Raises TrainError."""
    streams = Streams()
    for number, path in enumerate(paths):
        bursts = Bursts(number)
        ordered: bool | None = None
        for piece in pieces(path, LAYOUTS, "cp1252"):
            begins = ordered is None
            if ordered is None:
                ordered = in_order(piece.table["Destination Port"].to_numpy(dtype=str))
            yield _flows(path, piece, streams, bursts, ordered=ordered, begins=begins)


def _flows(path: Path, piece: Piece, streams: Streams, bursts: Bursts, *, ordered: bool, begins: bool) -> Flows:
    labels = piece.table["Label"].fillna("").str.strip()
    kept = (labels != "").to_numpy()
    table = piece.table[kept]
    kinds = known(path, labels[kept].str.replace(DASH, "-", regex=True), _NAMES, "the label").to_numpy(dtype=str)
    values = table[list(FEATURES)].to_numpy(dtype=np.float64)
    lost = int((~kept).sum())
    return Flows(
        columns=FEATURES,
        values=values,
        stream=streams.of(len(table), ordered=ordered, begins=begins),
        kinds=kinds,
        attack=kinds != BENIGN_LABEL,
        digest="",
        version="",
        dropped={"no label": lost} if lost else {},
        group=_groups(table, piece.layout, kinds, values, bursts, ordered=ordered),
    )


def _groups(table: pd.DataFrame, layout: Layout, kinds: Array, values: Array, bursts: Bursts, *, ordered: bool) -> Array:
    if layout.columns == LABELLED:
        return hashed(table["Source IP"], table["Destination IP"], table["Timestamp"])
    return bursts.of(kinds) if ordered else vectors(values)
