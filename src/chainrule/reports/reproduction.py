"""Reproduction: the design to copy, the command that trains it again, versions, and hashes to compare."""

import json
import platform
import shlex
from importlib.metadata import version

from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, folded, paragraph, section, table, tag
from chainrule.train.record import hash_of
from chainrule.train.saved import versions


def reproduction(facts: Facts) -> Html:
    """How to get the same bytes again."""
    run = facts.run
    record = run.record
    if record.path is not None:
        read = "".join(f" --{'no-header' if (k, v) == ('header', False) else f'{k} {v}'}" for k, v in record.options)
        command = f"chainrule fit {shlex.quote(record.path)}{read} --design design.json"
        how = [paragraph("Save the design below as design.json, and train it again:"), tag("pre", command)]
    else:
        code = 'design = cr.Design.load("design.json")\nrun = cr.fit(design, X, y)'
        how = [
            paragraph("It was trained on arrays in memory. Save the design below as design.json, and in Python:"),
            tag("pre", code),
        ]
    source = "arrays in memory" if record.path is None else record.path
    rows = [
        ("data", source),
        ("rows of the data", f"{record.rows:,}"),
        ("SHA-256 of the data", tag("code", record.sha256)),
        ("SHA-256 of the parameters", tag("code", hash_of(run.params))),
        ("seed", str(run.design.recipe.seed)),
        ("this page was made with", f"chainrule {version('chainrule')}, Python {platform.python_version()}"),
        *((name, said) for name, said in versions().items()),
    ]
    design = json.dumps(run.design.to_data(), indent=1, ensure_ascii=False)
    facts_of = table(("what", "which"), rows, "Data, versions and hashes", wraps=True)
    lead = paragraph("Equal data, design, versions and device give the same parameters, byte for byte.")
    return section("reproduce", "How to get it again", *how, lead, facts_of, folded("design.json", tag("pre", design)))
