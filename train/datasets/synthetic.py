"""Synthetic flows in CICIDS2017's format, the same bytes for a seed on any machine.

Two kinds of attack show in a single flow (``PortScan``, ``DoS Hulk``). Two show only in the sequence (``Bot``, ``SSH-Patator``): each
of their flows is drawn as a benign one is, but a burst repeats nearly the same flow, as a beacon or a password guesser does.
Only ``random.random()`` and exact arithmetic are used, and values are rounded: both are the same everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from train.datasets.cicids2017 import COLUMNS

HEAD = ",".join(name if name in {"Flow Bytes/s", "Flow IAT Mean"} else f" {name}" for name in COLUMNS)
SCAN, FLOOD, BEACON = 0.42, 0.84, 0.92
"""Cumulated shares of the attacks; the rest guesses passwords."""
RATES, DURATIONS = 0.01, 0.005
"""Shares of the rows with these defects."""
BENIGN = ("web", "dns", "shell", "mail")
# packets forward, packets backward, bytes per packet forward and backward, microseconds per packet, port: each (least, most)
PROFILES: dict[str, tuple[tuple[float, float], ...]] = {
    "web": ((3, 14), (3, 18), (60, 500), (200, 1400), (2e3, 9e4), (80, 443)),
    "dns": ((1, 2), (1, 2), (30, 60), (60, 180), (1e3, 4e4), (53, 53)),
    "shell": ((8, 24), (8, 30), (40, 140), (60, 260), (5e3, 2e5), (22, 22)),
    "mail": ((5, 16), (5, 14), (80, 900), (40, 120), (4e3, 1.2e5), (25, 587)),
    "scan": ((1, 1), (1, 1), (0, 2), (0, 6), (2e1, 9e1), (1, 1024)),
    "flood": ((4, 9), (1, 6), (30, 70), (900, 3000), (6e5, 4e6), (80, 80)),
}


def write(path: Path, *, rows: int, seed: int, defects: bool = False) -> None:
    """Write ``rows`` flows as plain CSV whose lines end with a line feed alone; on request with the owners' defects."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = random.Random(seed + 1)  # noqa: S311 - reproducible rows, no secrets
    with path.open("w", encoding="cp1252" if defects else "ascii", newline="") as file:
        file.write(HEAD + "\n")
        for line in islice(lines(seed), rows):
            file.write((_defective(line, source) if defects else line) + "\n")


def _defective(line: str, source: random.Random) -> str:
    """What the owners' files hold here and there: infinite and undefined rates, negative durations, a dash of cp1252 in a label."""
    cells = line.split(",")
    if source.random() < RATES:
        value = "Infinity" if source.random() < 0.5 else "NaN"  # noqa: PLR2004 - either
        for name in ("Flow Bytes/s", "Flow Packets/s"):
            cells[COLUMNS.index(name)] = value
    if source.random() < DURATIONS:
        cells[COLUMNS.index("Flow Duration")] = "-1"
    cells[-1] = {"SSH-Patator": "Web Attack – Brute Force"}.get(cells[-1], cells[-1])
    return ",".join(cells)


def lines(seed: int) -> Iterator[str]:
    """Flows without end, in capture order: stretches of benign flows, single attacks, bursts."""
    source = random.Random(seed)  # noqa: S311 - reproducible rows, no secrets
    while True:
        for _ in range(int(_between(source, (6, 30)))):
            yield _flow(source, BENIGN[int(source.random() * len(BENIGN))], "BENIGN")
        choice = source.random()
        if choice < SCAN:
            for _ in range(int(_between(source, (4, 12)))):
                yield _flow(source, "scan", "PortScan")
        elif choice < FLOOD:
            for _ in range(int(_between(source, (4, 12)))):
                yield _flow(source, "flood", "DoS Hulk")
        elif choice < BEACON:
            yield from _burst(source, "web", "Bot")
        else:
            yield from _burst(source, "shell", "SSH-Patator")


def _burst(source: random.Random, profile: str, label: str) -> Iterator[str]:
    """Nearly the same flow again and again: each alone is one that a benign stretch could hold."""
    drawn = _draw(source, profile)
    for _ in range(int(_between(source, (8, 18)))):
        repeated = [drawn[0], drawn[1], *(value * (1 + 0.01 * (source.random() - 0.5)) for value in drawn[2:5]), drawn[5]]
        yield _line(source, repeated, label)


def _flow(source: random.Random, profile: str, label: str) -> str:
    return _line(source, _draw(source, profile), label)


def _draw(source: random.Random, profile: str) -> list[float]:
    return [_between(source, limits) for limits in PROFILES[profile]]


def _between(source: random.Random, limits: tuple[float, float]) -> float:
    least, most = limits
    return least + (most - least) * source.random()


def _line(source: random.Random, drawn: list[float], label: str) -> str:
    forward, backward = max(1, round(drawn[0])), max(1, round(drawn[1]))
    there, back, gap = drawn[2], drawn[3], drawn[4]
    packets = forward + backward
    duration = round(gap * packets)
    sent, answered = round(there * forward), round(back * backward)
    seconds = max(duration, 1) / 1e6
    spread = 0.2 + 0.1 * source.random()
    mean = (sent + answered) / packets
    values: dict[str, float] = dict.fromkeys(COLUMNS[:-1], 0)
    values |= {
        "Destination Port": round(drawn[5]), "Flow Duration": duration, "Total Fwd Packets": forward, "Total Backward Packets": backward,
        "Total Length of Fwd Packets": sent, "Total Length of Bwd Packets": answered,
        "Fwd Packet Length Max": there * (1 + spread), "Fwd Packet Length Min": there * (1 - spread), "Fwd Packet Length Mean": there,
        "Fwd Packet Length Std": there * spread / 2, "Bwd Packet Length Max": back * (1 + spread),
        "Bwd Packet Length Min": back * (1 - spread),
        "Bwd Packet Length Mean": back, "Bwd Packet Length Std": back * spread / 2,
        "Flow Bytes/s": (sent + answered) / seconds, "Flow Packets/s": packets / seconds, "Flow IAT Mean": gap,
        "Flow IAT Std": gap * spread,
        "Flow IAT Max": gap * (1 + 2 * spread), "Flow IAT Min": gap * (1 - spread), "Fwd IAT Total": duration, "Fwd IAT Mean": gap * 2,
        "Bwd IAT Total": duration, "Bwd IAT Mean": gap * 2, "Fwd PSH Flags": int(forward > 2), "Fwd Header Length": 20 * forward,
        "Bwd Header Length": 20 * backward, "Fwd Packets/s": forward / seconds, "Bwd Packets/s": backward / seconds,
        "Min Packet Length": min(there, back) * (1 - spread), "Max Packet Length": max(there, back) * (1 + spread),
        "Packet Length Mean": mean,
        "PSH Flag Count": int(packets > 6), "ACK Flag Count": int(packets > 2), "Down/Up Ratio": backward // forward,
        "Average Packet Size": mean * 1.05, "Avg Fwd Segment Size": there, "Avg Bwd Segment Size": back, "Subflow Fwd Packets": forward,
        "Subflow Fwd Bytes": sent, "Subflow Bwd Packets": backward, "Subflow Bwd Bytes": answered,
        "act_data_pkt_fwd": max(0, forward - 2), "min_seg_size_forward": 20,
    }  # fmt: skip
    return ",".join([*(_text(values[name]) for name in COLUMNS[:-1]), label])


def _text(value: float) -> str:
    """Whole numbers as such, others with three decimals: what another machine's last bit cannot change."""
    return str(value) if isinstance(value, int) else f"{value:.3f}"
