"""Keras models: Keras' own stateless call, with the trained variables as nested dicts under their paths."""

import inspect
from functools import partial
from importlib import import_module
from typing import Any

from chainrule.adapt.names import at, nested, paths
from chainrule.errors import DesignError
from chainrule.trace.model import Model


def keras(model: Any) -> Model:
    """A Keras 3 model (Sequential, functional or a class of its own) as a function of its trained variables.

    ``params`` is nested as the variables' paths are: "dense/kernel" is ``params["dense"]["kernel"]``. What is not
    trained (statistics of batch norm, frozen layers, seeds) keeps the values that it has now. ``training`` is the
    pass with a batch's own statistics and with dropout, its noise from the seeds as they stand.

    Errors
        DesignError when Keras runs on another backend than JAX, or the model is not built
    """
    if not callable(getattr(model, "stateless_call", None)):
        raise DesignError(
            f"cr.adapt.keras takes a model of Keras 3, and {type(model).__name__} of {type(model).__module__} came."
            + " Load it with Keras 3: keras.saving.load_model(path)." * ("keras" in type(model).__module__)
        )
    backend = import_module("keras").config.backend()  # imported by name: type checks pass where Keras is absent
    if backend != "jax":
        raise DesignError(
            f"Keras runs on {backend} here, and only its JAX backend can be traced. Set KERAS_BACKEND=jax before the "
            'import: os.environ["KERAS_BACKEND"] = "jax" above `import keras`; load the weights of a saved model there.'
        )
    if not model.built:
        raise DesignError(
            f"The Keras model {model.name!r} is not built, so it has no variables yet. Call it once on an example, "
            "model(x[:1]), or give it its shape, model.build(x.shape)."
        )
    trained = list(model.trainable_variables)
    places = paths(_names(model.name, [v.path for v in trained]), "/")
    fixed = [v.value for v in model.non_trainable_variables]

    noisy = "training" in inspect.signature(model.call).parameters  # else training is the exact pass

    def run(training: bool, params: Any, x: Any) -> Any:
        mode = {"training": training} if noisy else {}
        return model.stateless_call([at(params, place) for place in places], fixed, x, **mode)[0]

    params = nested(places, [v.value for v in trained])
    title = f"Keras {type(model).__name__} {model.name}"
    return Model(partial(run, False), params, title, partial(run, True) if noisy else None)


def _names(model: str, names: list[str]) -> list[str]:
    """Paths without the model's own name, which some kinds of model put before all of them."""
    own = f"{model}/"
    return [name.removeprefix(own) for name in names] if all(name.startswith(own) for name in names) else names
