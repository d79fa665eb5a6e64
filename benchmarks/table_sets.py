"""The tables that benchmarks of accuracy run on: a folder of PMLB's, and the sets of ``peer_sets``.

Tables of equal targets count once. Those whose name has an even SHA-256 are for choices, the others for the report, so
that what is reported was not chosen on.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import chainrule as cr


def tables(folder: Path, choose: bool) -> Iterator[tuple[str, cr.Table, str]]:
    """Name, table and target of the tables for choices or for the report, each content once."""
    seen = set()
    for path in sorted(folder.glob("*.tsv.gz")):
        name, table = path.name.removesuffix(".tsv.gz"), cr.Table.of(path)
        target = next((column for column in ("target", "class") if column in table.names), None)
        if target is None:
            continue
        content, even = content_of(table[target]), hashlib.sha256(name.encode()).digest()[-1] % 2 == 0
        if content not in seen and even == choose:
            yield name, table, target
        seen.add(content)


def content_of(y: np.ndarray) -> tuple:
    """What tells one set from another whatever its columns, classes and units are called."""
    counts = np.unique(y.astype(str), return_counts=True)[1]
    if len(counts) <= 20:
        return len(y), tuple(sorted(counts.tolist()))
    return len(y), tuple(np.sort((y - y.mean()) / y.std()).round(2).tolist())


def peer_sets(data: Path) -> Iterator[tuple[str, cr.Table, str]]:
    """The six sets on which other libraries were measured; ``data`` has the folders series and messy."""
    for name in ("wine", "breast_cancer", "digits", "diabetes"):
        table = cr.Table.of(name)
        yield f"{name} (scikit-learn)", table, table.names[-1]
    weather = cr.Table.of(data / "series" / "seattle-weather.csv")
    day = np.array([np.datetime64(str(d)[:10]) for d in weather["date"]])
    angle = 2 * np.pi * ((day - day.astype("datetime64[Y]").astype("datetime64[D]")).astype(int) + 1) / 365.25
    rain = np.asarray(weather["precipitation"], float)
    columns = {name: np.asarray(weather[name], float) for name in ("temp_max", "temp_min", "wind")}
    columns |= {"sin_doy": np.sin(angle), "cos_doy": np.cos(angle), "rain_yesterday": np.r_[0.0, rain[:-1]]}
    yield "rain", cr.Table.of(columns | {"rain": np.where(rain > 0, "wet", "dry")}), "rain"
    houses = cr.Table.of(data / "messy" / "california-housing.csv")
    whole = np.flatnonzero(~np.isnan(np.asarray(houses["total_bedrooms"], float)))
    yield (
        "california_5000",
        houses.take(np.random.default_rng(0).permutation(whole)[:5000]),
        "median_house_value",
    )
