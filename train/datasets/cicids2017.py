"""CICIDS2017 (Sharafaldin, Lashkari, Ghorbani 2018): ``MachineLearningCVE``, 79 columns, and ``TrafficLabelling``, 85.

The owners' files have leading spaces in the names, ``Fwd Header Length`` twice, ``Infinity`` and ``NaN`` in the rates, and a cp1252
dash in some labels. Both formats give the same features: ids, addresses, ports and times are identities, not features.

Streams: a file with times is in order unless they jump to and fro; a new stream begins where time goes back or stands still for an
hour. A file without times is one stream, but for stretches of a thousand rows that are plainly in no order (neighbours share no more
ports than chance has it); a new stream begins after them. Rows in no order have no context. Groups: who talked to whom in which minute
where addresses are there, else bursts of one label, else equal feature vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from train.datasets.layout import Layout, Piece
from train.datasets.rows import Array, Bursts, Clock, Order, Streams, hashed, known
from train.datasets.table import pieces
from train.errors import TrainError
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
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?$"
_TIME = r"^(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})\s+" + _CLOCK
_ISO = r"^(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[ T]" + _CLOCK
MORNING, HALF_A_DAY = 8, 12 * 3600


def parts(paths: list[Path]) -> Iterator[Flows]:
    """The rows of files, piece by piece. Rows without a label are dropped and counted. Raises TrainError."""
    streams = Streams()
    for number, path in enumerate(paths):
        place = _Place(streams, Bursts(number), Clock(back=60, ahead=3600))
        for piece in pieces(path, LAYOUTS, "cp1252"):
            yield _flows(path, piece, place)


class _Place:
    """Streams and groups of the rows of one file."""

    def __init__(self, streams: Streams, bursts: Bursts, clock: Clock) -> None:
        self._streams, self._bursts, self._clock = streams, bursts, clock
        self._order = Order()

    def timed(self, path: Path, table: pd.DataFrame) -> tuple[Array, Array]:
        """(N,) streams and groups of rows with times and addresses."""
        times = seconds(path, table["Timestamp"])
        breaks = self._clock.breaks(times)
        groups = hashed(table["Source IP"], table["Destination IP"], pd.Series(times // 60))
        return self._streams.of(np.full(len(table), self._clock.ordered), breaks), groups

    def untimed(self, table: pd.DataFrame, kinds: Array, values: Array) -> tuple[Array, Array]:
        """The same of rows that have neither."""
        ordered, begins = self._order.of(table["Destination Port"].to_numpy(dtype=str))
        groups = self._bursts.of(kinds) if self._order.whole else vectors(values)
        return self._streams.of(ordered, begins), groups


def seconds(path: Path, stamps: pd.Series) -> Array:
    """(N,) float64 seconds of the owners' ``day/month/year hour:minute``, or of ISO times. Raises TrainError with the line.

    Their clock has twelve hours and no mark: the captures ran from 8 in the morning to 6 in the evening, so 1 to 7 are afternoons.
    """
    words = stamps.str.strip()
    distinct = pd.Series(words.unique(), dtype=object)
    parts = distinct.str.extract(_TIME)
    iso = distinct.str.extract(_ISO)
    parts = parts.where(parts["year"].notna(), iso[list(parts.columns)])
    moments = pd.to_datetime(parts.assign(second=parts["second"].fillna(0)).astype("float64"), errors="coerce")
    wrong = words.isin(distinct[moments.isna()])
    if wrong.any():
        line = wrong.index[wrong][0]
        raise TrainError(f"{path}:{line}: 'Timestamp' holds {stamps[line]!r}, which is no time", hint="correct or remove the line")
    since = (moments - pd.Timestamp(2017, 1, 1)).dt.total_seconds()
    since += np.where(moments.dt.hour < MORNING, HALF_A_DAY, 0)
    found: Array = words.map(dict(zip(distinct, since, strict=True))).to_numpy(dtype=np.float64)
    return found


def _flows(path: Path, piece: Piece, place: _Place) -> Flows:
    labels = piece.table["Label"].fillna("").str.strip()
    kept = (labels != "").to_numpy()
    table = piece.table[kept]
    kinds = known(path, labels[kept].str.replace(DASH, "-", regex=True), _NAMES, "the label").to_numpy(dtype=str)
    values = table[list(FEATURES)].to_numpy(dtype=np.float64)
    dropped = {"no label": int((~kept).sum()), "blank line": piece.blank}
    stream, group = place.timed(path, table) if piece.layout.columns == LABELLED else place.untimed(table, kinds, values)
    return Flows(
        columns=FEATURES,
        values=values,
        stream=stream,
        kinds=kinds,
        attack=kinds != BENIGN_LABEL,
        digest="",
        version="",
        dropped={reason: count for reason, count in dropped.items() if count},
        group=group,
    )
