"""Formulas: the equations of the network, checked, as ``cr.explain`` shows them."""

from chainrule.data.table import Table
from chainrule.equations.explain import explain
from chainrule.errors import CannotExplain
from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, folded, paragraph, section

LONG = 12
"""More lines than this are folded."""


def equations(facts: Facts) -> Html:
    """Every line of the forward and backward pass; long ones open on demand."""
    title = "The equations"
    try:
        rows, target = facts.rows, facts.run.design.encoder.target
        y = None if isinstance(rows.inputs, Table) else target.decode(rows.truth)
        found = explain(facts.run, rows.inputs, y)
    except CannotExplain as e:
        return section("equations", title, paragraph(f"They cannot be derived: {e}"))
    count = len(found)
    page = Html(found._repr_html_())
    lead = paragraph("What the network computes, and what its gradients are, by the chain rule. ", found.verdict)
    return section("equations", title, lead, folded(f"The {count} lines", page, is_open=count <= LONG))
