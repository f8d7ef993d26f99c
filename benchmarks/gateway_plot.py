"""The added latency of the proxy as a picture for the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLOT = Path(__file__).resolve().parents[1] / "docs" / "gateway_latency.svg"


def plot(rows: Sequence[Mapping[str, Any]]) -> None:
    """Draws added latency over connections.

    Args:
        rows: Of `benchmarks/results/gateway_latency.json`.
    """
    import matplotlib as mpl

    mpl.use("svg")
    # The same figures give the same file.
    mpl.rcParams["svg.hashsalt"] = "strandline"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for case, colour in (("stock", "#b5651d"), ("strandline", "#1d6fb5")):
        of_case = [row for row in rows if row["case"] == case]
        connections = [row["connections"] for row in of_case]
        for percentile, style in (("p50", "-"), ("p99", "--")):
            values = [row[f"added_{percentile}_ms"] for row in of_case]
            axes.plot(connections, values, style, marker="o", color=colour, label=f"{case}, {percentile}")
    ticks = sorted({row["connections"] for row in rows})
    axes.set(xscale="log", yscale="log", xlabel="connections at once", ylabel="added to the upstream's time, ms")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})
