"""Every error and warning of chainrule, in one small tree.

    ValueError
      ChainruleError        catches them all
        ShapeError          arrays that cannot meet
        DataError           rows, columns, labels or weights that cannot be used
        DesignError         a network, loss or recipe that cannot work
        CannotExplain       a program without an equation
        LoadError           a file that is absent, damaged, foreign or newer
    UserWarning
      ChainruleWarning      something was accepted, and may not be what you meant

A message says where, what came, what was expected, and what to do.
"""


class ChainruleError(ValueError):
    """The parent of every error that chainrule raises on purpose."""


class ShapeError(ChainruleError):
    """Arrays that cannot meet."""


class DataError(ChainruleError):
    """Rows, columns, labels or weights that cannot be used."""


class DesignError(ChainruleError):
    """A network, loss or recipe that cannot work."""


class CannotExplain(ChainruleError):
    """A program without an equation."""


class LoadError(ChainruleError):
    """A file that is absent, damaged, foreign or newer than this version, or that cannot be written."""


class ChainruleWarning(UserWarning):
    """Something was accepted, and may not be what you meant."""
