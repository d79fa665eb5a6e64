"""Models of other libraries: each becomes a function of its parameters and inputs, under the names that it has.

Equinox and Flax models are such functions already: see docs/guides/other-libraries.md.
"""

from chainrule.adapt.keras_models import keras as keras
from chainrule.adapt.torch_modules import torch as torch
from chainrule.trace.model import Model as Model
