"""Choices: the design of a run, each choice with its reason."""

from chainrule import spec
from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, joined, paragraph, section, table, tag


def design(facts: Facts) -> Html:
    """Network, loss and optimizer as the code that builds them, then why."""
    made = facts.run.design
    recipe = made.recipe
    parts = [
        ("network", spec.show(made.network)),
        ("loss", spec.show(made.loss)),
        ("optimizer", spec.show(recipe.optimizer)),
        ("batch size", str(recipe.batch_size)),
        ("held out", spec.show(recipe.split)),
        ("networks", f"{recipe.ensemble}, their answers averaged" if recipe.ensemble > 1 else "1"),
        ("penalty", "none" if recipe.penalty is None else spec.show(recipe.penalty)),
        ("seed", str(recipe.seed)),
    ]
    rows = [(name, tag("code", said)) for name, said in parts]
    why = [tag("li", tag("b", r.choice), f": {r.because} ", tag("span", r.source)) for r in made.reasons]
    reasons = joined([paragraph("Each choice with its reason:"), tag("ul", *why, class_="reasons")]) if why else ""
    parts_of = table(("part", "as it is written"), rows, "What was trained", wraps=True)
    return section("design", "The design", parts_of, reasons)
