"""What is aimed at, and whether it was met: a bound on the median of what was measured."""

from dataclasses import dataclass
from statistics import median

from table import TIE, Section, columns


@dataclass(frozen=True)
class Aim:
    """A bound on a number that the section of a workload measured."""

    workload: str
    name: str
    bound: float
    unit: str = ""
    at_most: bool = False

    def row(self, sections: dict[str, Section]) -> tuple[str, ...]:
        """The cells: what, the bound, what was measured, and the judgment."""
        relation = "at most" if self.at_most else "at least"
        said = f"({self.workload}) {self.name}", f"{relation} {self.bound}{self.unit}"
        values = sections[self.workload].measured.get(self.name)
        if not values:
            return *said, "not measured", ""
        value = median(values)
        met = value <= self.bound if self.at_most else value >= self.bound
        return *said, f"{value:.2f}{self.unit}", "met" if met else "**missed**"


AIMS = (
    Aim("a", "PyTorch, fused Adam", 8.0),
    Aim("b", "PyTorch, fused Adam", 1.4),
    Aim("c", "PyTorch, fused Adam", TIE[0]),
    Aim("d", "scikit-learn", 1.5),
    Aim("d", "PyTorch, fused Adam", 4.0),
    Aim("e", "16 networks", 12.0, at_most=True),
    Aim("f", "import chainrule", 0.3, " s", at_most=True),
    Aim("f", "chainrule --help", 0.5, " s", at_most=True),
    Aim("g", "a dense network of 10 layers", 1.0, " s", at_most=True),
    Aim("g", "a residual network of 100 layers", 5.0, " s", at_most=True),
    Aim("g", "a transformer of 12 blocks, width 64, 4 heads, 16 tokens", 20.0, " s", at_most=True),
    Aim("g", "growth with depth", 1.1, at_most=True),
)


def judged(sections: dict[str, Section]) -> str:
    """The table of the aims of these sections."""
    rows = [aim.row(sections) for aim in AIMS if aim.workload in sections]
    return columns(("aim", "bound", "measured", ""), rows)
