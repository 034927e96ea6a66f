"""CICIDS2017, ``MachineLearningCVE``: 79 columns (Sharafaldin, Lashkari, Ghorbani 2018).

The owners' files have leading spaces in the names, ``Fwd Header Length`` twice, ``Infinity`` and ``NaN`` in the rates, and a cp1252
dash in some labels. The port is an identity and is not a feature. A file is one stream in capture order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from train.datasets.table import numbers, read
from train.flows import Flows, digest

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
BENIGN_LABEL = "BENIGN"
DASH = "–|�|â€“|ï¿½"
"""The dash of ``Web Attack – XSS`` as cp1252, and as what copies in UTF-8 make of it when they are read as cp1252."""


def load(paths: list[Path], name: str = "cicids2017") -> Flows:
    """Read files, each a stream of its own; rows without a label are dropped and counted. Raises TrainError."""
    tables, streams, dropped = [], [], 0
    for index, path in enumerate(paths):
        table = read(path, COLUMNS, "cp1252")
        kept = table["Label"].str.strip() != ""
        dropped += int((~kept).sum())
        features = numbers(path, table, list(FEATURES))[kept.to_numpy()]
        tables.append(features.assign(Label=table["Label"].str.strip()[kept].to_numpy()))
        streams.append(np.full(len(features), index, dtype=np.int64))
    rows = pd.concat(tables, ignore_index=True)
    kinds = rows["Label"].str.replace(DASH, "-", regex=True).to_numpy(dtype=str)
    found = digest(paths)
    return Flows(
        columns=FEATURES,
        values=rows[list(FEATURES)].to_numpy(dtype=np.float64),
        stream=np.concatenate(streams),
        kinds=kinds,
        attack=kinds != BENIGN_LABEL,
        digest=found,
        version=f"{name}-{found[:12]}",
        dropped={"no label": dropped} if dropped else {},
    )
