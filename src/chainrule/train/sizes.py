"""Sizes to which rows are padded, so that tables of about one size share a compiled program."""


def bucket(rows: int) -> int:
    """The least of 32, 40, 48, 56, 64, 80, 96, 112, 128, … that is not smaller: at most a quarter is padding.

    >>> [bucket(rows) for rows in (7, 33, 64, 65, 1_000, 16_512)]
    [32, 40, 64, 80, 1024, 20480]
    """
    step = 2 ** max(3, (rows - 1).bit_length() - 3)
    return max(32, -(-rows // step) * step)
