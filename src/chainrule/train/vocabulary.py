"""The names that a file may hold: the closed table of specifications is complete once these modules are imported."""

from importlib import import_module

MODULES = (
    "chainrule.data.array_encoder",
    "chainrule.data.category_column",
    "chainrule.data.date_column",
    "chainrule.data.encoders",
    "chainrule.data.number_column",
    "chainrule.data.targets",
    "chainrule.layers.batch_norm",
    "chainrule.layers.chain",
    "chainrule.layers.dense",
    "chainrule.layers.dropout",
    "chainrule.layers.embedding",
    "chainrule.layers.join",
    "chainrule.layers.layer_norm",
    "chainrule.layers.parallel",
    "chainrule.layers.piecewise_linear",
    "chainrule.layers.residual",
    "chainrule.layers.scale",
    "chainrule.layers.shape",
    "chainrule.layers.standardize",
    "chainrule.maths.activations",
    "chainrule.maths.initializers",
    "chainrule.maths.losses",
    "chainrule.maths.penalties",
    "chainrule.maths.row_metrics",
    "chainrule.train.design",
    "chainrule.train.record",
    "chainrule.train.optimizers",
    "chainrule.train.recipe",
    "chainrule.train.schedules",
)


def complete() -> None:
    """Import them all: a process that only loads a file has imported few."""
    for module in MODULES:
        import_module(module)
