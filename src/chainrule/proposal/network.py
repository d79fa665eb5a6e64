"""Network: a linear model and, beside it, a deep one that reads numbers in bins; from the size of the table.

Sources: Cheng et al. 2016 (a linear model beside a deep one); Gorishniy et al. 2021 (the deep one) and 2022 (the bins);
Elfwing et al. 2018 (silu); He et al. 2015, equation 10 (the start); Srivastava et al. 2014 (dropout). What each part
gains was measured on real tables: docs/decisions/0006-default-design.md.
"""

from collections.abc import Mapping

from chainrule.layers.chain import Chain
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.embedding import Embedding
from chainrule.layers.join import Add, Concatenate, Select
from chainrule.layers.layer import Layer
from chainrule.layers.parallel import Parallel
from chainrule.layers.piecewise_linear import PiecewiseLinear
from chainrule.maths.activations import silu
from chainrule.maths.initializers import RandomNormal, he_normal
from chainrule.proposal.columns import embedding_size
from chainrule.train.design import Reason

SMALL_START = RandomNormal(std=0.01)
"""On both outputs, so that training starts at the loss of knowing nothing."""
DEPTH, DROPOUT = 2, 0.1
BINS, ROWS_OF_A_BIN, LEAST_BINNED = 8, 20, 100
"""At most 8 bins, of 20 rows at least; a table of fewer than 100 rows has none."""
MOST_BINNED = 128
"""Number columns that are cut into bins; of more of them the first layer would have thousands of inputs."""


def width_of(rows: int, outputs: int) -> int:
    """Units of a hidden layer: 64, up to 256 for many rows, and never fewer than twice the outputs.

    >>> [width_of(rows, 2) for rows in (100, 1_000, 20_000, 1_000_000)]
    [64, 64, 128, 256]
    """
    by_rows = 64 if rows < 10_000 else 128 if rows < 100_000 else 256
    return max(by_rows, min(256, 2 * outputs))


def bins_of(rows: int, numbers: int) -> int:
    """Bins of each number: 8, fewer where they would hold less than 20 rows each; 0 stands for none.

    >>> [bins_of(rows, 5) for rows in (50, 100, 140, 1_000)], bins_of(1_000, 500)
    ([0, 5, 7, 8], 0)
    """
    return min(BINS, rows // ROWS_OF_A_BIN) if rows >= LEAST_BINNED and 0 < numbers <= MOST_BINNED else 0


def entrance(embedded: Mapping[str, int], others: bool) -> tuple:
    """What joins embedded columns and the other features to one array; nothing where no column is embedded."""
    if not embedded:
        return ()
    points = tuple(Chain(Select(name), Embedding(codes, embedding_size(codes))) for name, codes in embedded.items())
    return (Parallel(*([Select("numbers")] if others else []), *points), Concatenate())


def deep(bins: int, numbers: int, width: int, outputs: int) -> Chain:
    """The deep branch; its first ``numbers`` features are those that are cut into bins."""
    cut = (PiecewiseLinear(bins, features=numbers),) if bins else ()
    hidden = (Dense(width, init=he_normal), silu, Dropout(DROPOUT)) * DEPTH
    return Chain(*cut, *hidden, Dense(outputs, init=SMALL_START))


def network_of(
    rows: int, columns: int, numbers: int, outputs: int, embedded: Mapping[str, int], start: str
) -> tuple[Layer, tuple[Reason, ...]]:
    """The network for a table of so many rows and columns, and why.

    ``numbers`` counts the columns of numbers, ``start`` says what the first loss is.
    """
    width, bins = width_of(rows, outputs), bins_of(rows, numbers)
    net = Chain(
        *entrance(embedded, others=columns > len(embedded)),
        Parallel(deep(bins, numbers, width, outputs), Dense(outputs, init=SMALL_START)),
        Add(),
    )
    return net, (
        Reason("a linear model beside it", "hard to beat on small tables; the rest bends it", "Cheng et al. 2016"),
        *_bins(rows, numbers, bins),
        Reason(f"{DEPTH} hidden layers of {width} units", _size(rows, width, outputs), "Gorishniy et al. 2021"),
        Reason("silu between them", "smooth, and its units do not die as those of relu can", "Elfwing et al. 2018"),
        Reason("he_normal starts", "variance 2/inputs keeps the signal where half is cut off", "He et al. 2015"),
        Reason(f"{SMALL_START} on the outputs", f"the first loss is {start}"),
        Reason(
            f"dropout {DROPOUT}",
            "units that rest cannot learn rows by heart",
            "Srivastava et al. 2014",
        ),
    )


def _bins(rows: int, numbers: int, bins: int) -> tuple[Reason, ...]:
    if bins:
        many = f"{numbers:,} number{'' if numbers == 1 else 's'}"
        because = f"bends at their quantiles; {rows // bins:,} rows a bin"
        return (Reason(f"{many} in {bins} bins each", because, "Gorishniy et al. 2022"),)
    if not numbers:
        return ()
    because = f"{numbers:,} would be too many inputs" if numbers > MOST_BINNED else f"{rows} rows are too few"
    return (Reason("numbers are not cut into bins", because),)


def _size(rows: int, width: int, outputs: int) -> str:
    if width > width_of(rows, 1):
        return f"twice the {outputs} outputs" if width == 2 * outputs else f"wide, for {outputs:,} outputs"
    return f"for interactions; {rows:,} rows feed {'no more' if rows < 10_000 else 'them'}"
