"""Training: designs, recipes, the step and its drivers, runs and what is written of them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.train.own_loop import step as step


def __getattr__(name: str) -> Any:
    if name == "step":
        from chainrule.train.own_loop import step

        return step
    raise AttributeError(f"chainrule.train has no {name!r}.")
