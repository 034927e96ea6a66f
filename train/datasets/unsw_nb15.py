"""UNSW-NB15, the owners' partitions: 45 columns (Moustafa, Slay 2015).

``id`` is the row's number and is dropped. Three columns are words: they become codes of the table below, -1 for any other word.
Rows of a partition stand in no order of capture that may be used, so they have no context.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from train.datasets.table import numbers, read
from train.errors import TrainError
from train.flows import NO_CONTEXT, Flows, digest

COLUMNS = tuple(
    """id,dur,proto,service,state,spkts,dpkts,sbytes,dbytes,rate,sttl,dttl,sload,dload,sloss,dloss,sinpkt,dinpkt,sjit,djit,swin,\
stcpb,dtcpb,dwin,tcprtt,synack,ackdat,smean,dmean,trans_depth,response_body_len,ct_srv_src,ct_state_ttl,ct_dst_ltm,\
ct_src_dport_ltm,ct_dst_sport_ltm,ct_dst_src_ltm,is_ftp_login,ct_ftp_cmd,ct_flw_http_mthd,ct_src_ltm,ct_srv_dst,is_sm_ips_ports,\
attack_cat,label""".split(",")  # noqa: SIM905 - as the owners write it
)
CODES = {
    "proto": ("tcp", "udp", "arp", "ospf", "icmp", "igmp", "rtp", "unas", "sctp", "gre", "any", "ipv6", "esp", "mobile", "sun-nd", "swipe"),
    "service": ("-", "dns", "http", "ftp", "ftp-data", "smtp", "pop3", "ssh", "ssl", "snmp", "dhcp", "radius", "irc"),
    "state": ("FIN", "CON", "INT", "REQ", "RST", "ECO", "PAR", "URN", "no", "ACC", "CLO"),
}
"""Version 1 of the categories: a word's code is its place."""
FEATURES = tuple(name for name in COLUMNS if name not in {"id", "attack_cat", "label"})


def load(paths: list[Path], name: str = "unsw-nb15") -> Flows:
    """Read partitions. Raises TrainError."""
    tables = []
    for path in paths:
        table = read(path, COLUMNS, "utf-8-sig")
        table = table[(table["id"] != "") | (table["label"] != "")]
        found = numbers(path, table, [column for column in FEATURES if column not in CODES] + ["label"])
        _check_labels(path, found["label"])
        for column, words in CODES.items():
            codes = {word: float(code) for code, word in enumerate(words)}
            found[column] = table[column].str.strip().map(codes).fillna(-1.0)
        tables.append(found.assign(kind=table["attack_cat"].str.strip()))
    rows = pd.concat(tables, ignore_index=True)
    total = digest(paths)
    return Flows(
        columns=FEATURES,
        values=rows[list(FEATURES)].to_numpy(dtype=np.float64),
        stream=np.full(len(rows), NO_CONTEXT, dtype=np.int64),
        kinds=rows["kind"].replace("", "Normal").to_numpy(dtype=str),
        attack=rows["label"].to_numpy() == 1,
        digest=total,
        version=f"{name}-{total[:12]}",
    )


def _check_labels(path: Path, labels: pd.Series) -> None:
    """A row without a label, or with another than 0 and 1, must not pass as benign."""
    wrong = ~labels.isin([0.0, 1.0])
    if wrong.any():
        line = wrong.index[wrong][0] + 2
        raise TrainError(f"{path}:{line}: 'label' is neither 0 nor 1", hint="correct or remove the line")
