"""How well triage judged, held against known right answers (the sandbox writes them for its own orders)."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

LANES = ("regular", "to_confirm", "abnormal", "")
NAMES = {"": "not judged"}
MANUAL = frozenset({"to_confirm", "abnormal"})
CLUSTER_FROM = 5
"""Orders of one IP before which starter rule 9 cannot know of the cluster."""


@dataclass(slots=True)
class Quality:
    """Counts over all orders that both files know."""

    matrix: Counter[tuple[str, str]] = field(default_factory=Counter)
    urgent: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    early: int = 0
    """Misses that nobody could have seen yet: the first orders of an IP cluster."""
    missed: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    """Decisions without a label."""
    undecided: int = 0
    """Labels without a decision."""

    @property
    def orders(self) -> int:
        """Orders compared."""
        return sum(self.matrix.values())

    @property
    def accuracy(self) -> float:
        """Share of orders in the right lane."""
        return _share(sum(n for (right, got), n in self.matrix.items() if right == got), self.orders)

    def lane_share(self, lanes: Iterable[str]) -> float:
        """Share of judged orders that triage sent to one of `lanes`."""
        wanted = set(lanes)
        judged = sum(n for (_right, got), n in self.matrix.items() if got)
        return _share(sum(n for (_right, got), n in self.matrix.items() if got in wanted), judged)

    def precision(self, lane: str) -> float:
        """Share of orders in `lane` that belong there."""
        return _share(self.matrix[lane, lane], sum(n for (_right, got), n in self.matrix.items() if got == lane))

    def recall(self, lane: str) -> float:
        """Share of orders that belong in `lane` and are there."""
        return _share(self.matrix[lane, lane], sum(n for (right, _got), n in self.matrix.items() if right == lane))

    @property
    def urgent_precision(self) -> float:
        """Share of orders marked urgent that are."""
        return _share(self.urgent[True, True], self.urgent[True, True] + self.urgent[False, True])

    @property
    def urgent_recall(self) -> float:
        """Share of urgent orders that are marked."""
        return _share(self.urgent[True, True], self.urgent[True, True] + self.urgent[True, False])


def read_lines(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of an NDJSON file. Raises ValueError with the line number of a bad one."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = json.loads(line)
        if not isinstance(row, dict) or "external_no" not in row or "lane" not in row:
            raise ValueError(f"line {number}: needs external_no and lane")
        yield row


def judge(labels: Iterable[Mapping[str, Any]], decisions: Iterable[Mapping[str, Any]]) -> Quality:
    """Compare decisions with labels by order number; of several labels of one order the last counts.

    Urgency is compared on orders that are judged: an unpaid order has no lane and no urgency yet.
    """
    right = {row["external_no"]: row for row in labels}
    quality = Quality()
    seen = set()
    for decision in decisions:
        label = right.get(decision["external_no"])
        if label is None:
            quality.unknown += 1
            continue
        seen.add(decision["external_no"])
        _compare(quality, label, decision)
    quality.undecided = len(right.keys() - seen)
    return quality


def _compare(quality: Quality, label: Mapping[str, Any], decision: Mapping[str, Any]) -> None:
    wanted, got = label["lane"], decision["lane"]
    quality.matrix[wanted, got] += 1
    if wanted:
        quality.urgent[bool(label.get("urgent")), bool(decision.get("urgent"))] += 1
    if wanted == got:
        return
    kinds = label.get("kinds") or ["none"]
    if "same_ip" in kinds and label.get("nth", 0) < CLUSTER_FROM:
        quality.early += 1
    else:
        quality.missed[f"{'+'.join(kinds)}: {NAMES.get(wanted, wanted)} → {NAMES.get(got, got)}"] += 1


def report(quality: Quality) -> str:
    """Return the figures as Markdown."""
    head = "| right answer ↓ / triage → | " + " | ".join(NAMES.get(lane, lane) for lane in LANES) + " | recall |"
    rows = [head, "|" + "---|" * (len(LANES) + 2)]
    for lane in LANES:
        cells = " | ".join(f"{quality.matrix[lane, got]:,}" for got in LANES)
        rows.append(f"| {NAMES.get(lane, lane)} | {cells} | {_percent(quality.recall(lane))} |")
    rows.append("| precision | " + " | ".join(_percent(quality.precision(lane)) for lane in LANES) + " | |")
    figures = [
        ("orders compared", f"{quality.orders:,}"),
        ("in the right lane", _percent(quality.accuracy)),
        ("urgent: precision / recall", f"{_percent(quality.urgent_precision)} / {_percent(quality.urgent_recall)}"),
        ("manual share (to confirm + abnormal)", _percent(quality.lane_share(MANUAL))),
        ("abnormal share", _percent(quality.lane_share({"abnormal"}))),
        ("first orders of an IP cluster, before it can be known", f"{quality.early:,}"),
        ("other misses", f"{sum(quality.missed.values()):,}"),
        ("decisions without label / labels without decision", f"{quality.unknown:,} / {quality.undecided:,}"),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in figures)
    misses = "\n".join(f"- {count:,} × {what}" for what, count in quality.missed.most_common(20))
    return "\n".join([*rows, "", "| figure | value |", "|---|---|", table, *(["", misses] if misses else []), ""])


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _percent(share: float) -> str:
    return "—" if share != share else f"{share * 100:.2f} %"
