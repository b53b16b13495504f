"""The form that every benchmark's result takes.

A report holds figures (repeated measurements with their median and spread), ratios between figures, and bars
(a target and whether it holds). It goes to ``benches/results/<name>.json``, a markdown table and a plot, and the
bars are printed last. Spread is always (min, max) over the repetitions: with three of them anything finer lies.
"""

from __future__ import annotations

import datetime as dt
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benches.common import machine

RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Figure:
    """One measured quantity.

    Parameters
    ----------
    case, who
        What was done and by whom, such as ``gbdt100`` and ``firesteel``.
    unit
        Such as ``rows/s`` or ``µs/batch``.
    values
        One value per timed repetition, in the order in which they ran.
    """

    case: str
    who: str
    unit: str
    values: tuple[float, ...]
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Middle of the repetitions."""
        return statistics.median(self.values)

    def to_json(self) -> dict[str, Any]:
        """Everything, with median and spread spelled out."""
        return {
            "case": self.case,
            "who": self.who,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": list(self.values),
            **({"detail": self.detail} if self.detail else {}),
        }


@dataclass(frozen=True)
class Ratio:
    """Firesteel over a peer, formed inside each repetition, so that a slow minute of the machine hits both sides."""

    case: str
    over: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Middle of the per-repetition ratios."""
        return statistics.median(self.values)

    def to_json(self) -> dict[str, Any]:
        """Everything, with median and spread spelled out."""
        return {
            "case": self.case,
            "over": self.over,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": list(self.values),
        }


@dataclass(frozen=True)
class Bar:
    """A promise with its target. `target` is text with its direction, such as ``>= 1.5`` or ``<= 40 µs``."""

    name: str
    target: str
    value: float
    holds: bool

    @staticmethod
    def at_least(name: str, target: float, value: float) -> Bar:
        """Holds when `value` reaches `target`."""
        return Bar(name, f">= {target:g}", value, value >= target)

    @staticmethod
    def at_most(name: str, target: float, value: float) -> Bar:
        """Holds when `value` does not pass `target`."""
        return Bar(name, f"<= {target:g}", value, value <= target)

    @staticmethod
    def below(name: str, target: float, value: float) -> Bar:
        """Holds when `value` stays under `target`."""
        return Bar(name, f"< {target:g}", value, value < target)


@dataclass
class Report:
    """A benchmark's result while it grows. `name` is also the name of its files."""

    name: str
    title: str
    settings: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    started: str = field(default_factory=lambda: dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))

    def figure(self, case: str, who: str) -> Figure | None:
        """The figure of one case and one contender, if it was measured."""
        return next((f for f in self.figures if f.case == case and f.who == who), None)

    def median(self, case: str, who: str) -> float:
        """The median of a figure that must be there."""
        found = self.figure(case, who)
        if found is None:
            raise KeyError(f"{self.name}: no figure for {who} in {case}")
        return found.median

    def ratio(self, case: str, us: str, peer: str, *, named: str | None = None) -> Ratio:
        """Adds and returns `us` over `peer` in `case`, paired by repetition; `named` if we are there more than once."""
        ours, theirs = self.figure(case, us), self.figure(case, peer)
        if ours is None or theirs is None:
            raise KeyError(f"{self.name}: no figure for {us} or {peer} in {case}")
        ratio = Ratio(named or case, peer, tuple(a / b for a, b in zip(ours.values, theirs.values, strict=True)))
        self.ratios.append(ratio)
        return ratio

    def best(self, case: str, who: Sequence[str], *, lowest: bool = False) -> str | None:
        """The contender with the best median in `case` among `who`; None if none of them was measured."""
        found = [f for f in self.figures if f.case == case and f.who in who]
        if not found:
            return None
        pick = min if lowest else max
        return pick(found, key=lambda f: f.median).who

    def to_json(self) -> dict[str, Any]:
        """The content of ``results/<name>.json``."""
        return {
            "benchmark": self.name,
            "title": self.title,
            "started": self.started,
            "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "command": machine.command(),
            "machine": machine.describe(),
            "versions": machine.versions(),
            "settings": self.settings,
            "figures": [f.to_json() for f in self.figures],
            "ratios": [r.to_json() for r in self.ratios],
            "bars": [asdict(b) for b in self.bars],
            "notes": self.notes,
        }

    def to_markdown(self) -> str:
        """The table that README files link to."""
        lines = [f"# {self.title}", ""]
        host = machine.describe()
        lines += [
            f"{self.started} · {host['cpu']}, {host['cores']} cores, {host['memory_gib']} GiB · `{machine.command()}`",
            "",
            "| case | who | median | min to max | unit |",
            "|---|---|---:|---:|---|",
        ]
        for f in self.figures:
            spread = f"{pretty(min(f.values))} to {pretty(max(f.values))}"
            lines.append(f"| {f.case} | {f.who} | {pretty(f.median)} | {spread} | {f.unit} |")
        if self.ratios:
            lines += ["", "| case | Firesteel over | ratio | min to max |", "|---|---|---:|---:|"]
            for r in self.ratios:
                lines.append(f"| {r.case} | {r.over} | {r.median:.2f} | {min(r.values):.2f} to {max(r.values):.2f} |")
        if self.bars:
            lines += ["", "| bar | target | value | holds |", "|---|---|---:|---|"]
            for b in self.bars:
                lines.append(f"| {b.name} | {b.target} | {pretty(b.value)} | {'yes' if b.holds else '**no**'} |")
        if self.settings:
            lines += ["", "Settings: " + "; ".join(f"{k} {v}" for k, v in self.settings.items()) + "."]
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def write(self, plot: Callable[[Report, Path], None] | None = None, folder: Path = RESULTS) -> None:
        """Writes the JSON, the table and the plot, and prints the table and then the bars."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.json").write_text(json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")
        (folder / f"{self.name}.md").write_text(self.to_markdown())
        (plot or plot_grouped)(self, folder / f"{self.name}.png")
        print(self.to_markdown())

    def print_bars(self) -> None:
        """One line per bar, for the end of a run."""
        for b in self.bars:
            print(f"{'holds ' if b.holds else 'MISSED'}  {self.name}: {b.name}: {pretty(b.value)} (target {b.target})")


def pretty(value: float) -> str:
    """Three significant digits, thousands grouped."""
    if abs(value) >= 1000:
        digits = max(0, len(str(int(abs(value)))) - 3)
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"


def plot_grouped(report: Report, path: Path) -> None:
    """Bars grouped by case, one colour per contender, whiskers from min to max; figures of the first one's unit."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = [f for f in report.figures if f.unit == report.figures[0].unit]
    cases = list(dict.fromkeys(f.case for f in shown))
    names = list(dict.fromkeys(f.who for f in shown))
    width = 0.8 / max(1, len(names))
    ours = {"native": "black", "native_store": "darkslategrey"}
    ours["firesteel"] = "dimgrey" if "native" in names else "black"
    figure, axes = plt.subplots(figsize=(1.6 + 2.6 * max(1, len(cases)), 4.2), layout="constrained")
    for n, who in enumerate(names):
        found = [(c, f) for c, case in enumerate(cases) if (f := report.figure(case, who)) is not None]
        if not found:
            continue
        middle = [f.median for _, f in found]
        low = [f.median - min(f.values) for _, f in found]
        high = [max(f.values) - f.median for _, f in found]
        axes.bar(
            [c + (n - (len(names) - 1) / 2) * width for c, _ in found],
            middle,
            width * 0.92,
            yerr=[low, high],
            label=who,
            color=ours.get(who.partition("@")[0]) or plt.get_cmap("tab10")(n % 10),
            error_kw={"elinewidth": 1, "ecolor": "grey"},
        )
    axes.set_xticks(range(len(cases)), cases)
    axes.set_ylabel(report.figures[0].unit if report.figures else "")
    axes.set_title(report.title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7, frameon=False, ncols=2)
    figure.savefig(path, dpi=130)
    plt.close(figure)
