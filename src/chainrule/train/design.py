"""Design: everything that fixes a run, each choice with its reason."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import spec
from chainrule.errors import ChainruleError, DesignError, LoadError
from chainrule.layers.layer import Layer, as_layer
from chainrule.maths.losses import Loss, loss_named
from chainrule.maths.row_metrics import row_metric
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

    def __post_init__(self) -> None:
        for name in ("choice", "because", "source"):
            if not isinstance(getattr(self, name), str):
                raise DesignError(f"Reason: {name}={getattr(self, name)!r}: text is expected.")

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

    def __post_init__(self) -> None:
        if not isinstance(self.recipe, Recipe):
            raise DesignError(f"Design: recipe={self.recipe!r}: a cr.Recipe is expected.")
        loss = loss_named(self.loss) if isinstance(self.loss, str) else self.loss
        if not callable(loss) or isinstance(loss, type):
            raise DesignError(
                f"Design: loss={loss!r}: a loss such as cr.cross_entropy, its name, or a function (z, y) is expected."
            )
        if self.encoder is not None and not callable(getattr(self.encoder, "encode", None)):
            raise DesignError(f"Design: encoder={self.encoder!r}: what cr.design wrote there is expected.")
        reasons = tuple(self.reasons) if isinstance(self.reasons, tuple | list) else self.reasons
        if not isinstance(reasons, tuple) or not all(isinstance(reason, Reason) for reason in reasons):
            raise DesignError(f"Design: reasons={reasons!r}: a tuple of Reason(choice, because) is expected.")
        for metric in self.recipe.metrics:
            if isinstance(metric, str) and isinstance(loss, Loss):
                row_metric(metric, loss)  # refuses a metric that does not suit the loss
        spec.freeze(self, network=as_layer(self.network), loss=loss, reasons=reasons)

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
        except RecursionError as e:
            raise LoadError(f"{path} is not a design: its lists are too deep.") from e
        except (json.JSONDecodeError, UnicodeDecodeError) as e:
            raise LoadError(f"{path} is not a design: {e}. `chainrule design DATA -o design.json` writes one.") from e
        except ChainruleError as e:
            raise type(e)(f"{path}: {e}") from e

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
