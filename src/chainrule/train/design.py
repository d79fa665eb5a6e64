"""Design: everything that fixes a run, each choice with its reason."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import spec
from chainrule.errors import DesignError, LoadError
from chainrule.layers.layer import Layer
from chainrule.train import vocabulary
from chainrule.train.directory import write_json
from chainrule.train.recipe import Recipe


@spec.register
@dataclass(frozen=True)
class Reason:
    """One choice in one line: what was chosen, why, and who says so."""

    choice: str
    because: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.choice}: {self.because}" + (f" [{self.source}]" if self.source else "")


@spec.register
@dataclass(frozen=True)
class Design:
    """What goes in, the network, the loss and the recipe. JSON and back; edit it by hand and fit it.

    ``encoder`` turns a table or arrays into what the network reads, and knows the target.
    """

    network: Layer
    loss: Any
    recipe: Recipe
    encoder: Any = None
    reasons: tuple[Reason, ...] = ()

    def to_data(self) -> dict:
        """Plain JSON data."""
        return spec.to_data(self)

    @classmethod
    def from_data(cls, data: Any, custom: Mapping[str, Any] | None = None, **rest: Any) -> "Design":
        """The design of such data; ``custom`` supplies your own parts by name."""
        vocabulary.complete()
        design = spec.from_data(data, custom, **rest)
        if not isinstance(design, cls):
            raise LoadError(f"A design is expected, as design.save(path) writes it, and this came: {str(data)[:80]}.")
        return design

    def save(self, path: str | Path) -> None:
        """Write the design as JSON, to be read and edited."""
        try:
            write_json(Path(path), self.to_data())
        except OSError as e:
            raise LoadError(f"{path} cannot be written: {e.strerror or e}.") from e

    @classmethod
    def load(cls, path: str | Path, custom: Mapping[str, Any] | None = None) -> "Design":
        """Read a design that ``save`` wrote, edited by hand or not."""
        try:
            return cls.from_data(json.loads(Path(path).read_text(encoding="utf-8")), custom)
        except OSError as e:
            raise LoadError(f"{path}: the design cannot be read: {e.strerror or e}.") from e
        except (json.JSONDecodeError, UnicodeDecodeError) as e:
            raise LoadError(f"{path} is not a design: {e}. `chainrule design DATA -o design.json` writes one.") from e
        except DesignError as e:
            raise DesignError(f"{path}: {e}") from e

    def __str__(self) -> str:
        lines = [
            f"network    {self.network!r}",
            f"loss       {self.loss!r}",
            f"optimizer  {self.recipe.optimizer!r}",
        ]
        if self.reasons:
            lines += ["", "Why:"]
            for reason in self.reasons:
                lines += textwrap.wrap(str(reason), 98, initial_indent="- ", subsequent_indent="  ")
        return "\n".join(lines)
