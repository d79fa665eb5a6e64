"""The order of axes: a product that every reader turns round, as einsum leaves it, is written as it is read."""

from dataclasses import replace

from chainrule.trace.graph import Graph, Lookup, Node, View, along, moved, reachable


def arranged(graph: Graph) -> Graph:
    """The graph with the axes of each product in the order in which all its readers have them."""
    orders: dict[Node, set[tuple[int, ...] | None]] = {}
    nodes = reachable(graph.outputs, graph.links)
    readings = [*graph.outputs, *graph.links.values(), *(v for n in nodes for v in n.args)]
    readings += [i.view for v in readings for i in v.index if isinstance(i, Lookup)]
    for view in readings:
        places = view.plain
        order = None if places is None else tuple(sorted(range(len(places)), key=places.__getitem__))
        orders.setdefault(view.node, set()).add(order)
    turned = _Turned()
    for node in [*graph.inputs, *nodes]:
        turned.add(node, orders.get(node, set()))
    result = Graph([turned.new[n] for n in graph.inputs], [turned.view(v) for v in graph.outputs])
    result.links = {turned.new[c]: turned.view(v) for c, v in graph.links.items() if c in turned.new}
    for node, (key, view) in graph.traced.items():
        if node in turned.new:
            result.traced.setdefault(turned.new[node], (key, turned.view(view)))
    result.twins = {
        turned.new[n]: tuple((key, turned.view(view)) for key, view in variables)
        for n, variables in graph.twins.items()
        if n in turned.new
    }
    return result


class _Turned:
    def __init__(self) -> None:
        self.new: dict[Node, Node] = {}
        self.order: dict[Node, tuple[int, ...]] = {}

    def add(self, node: Node, orders: set[tuple[int, ...] | None]) -> None:
        """The node that stands for this one: axis k of it is axis ``order[k]`` of the old one."""
        order = next(iter(orders)) if len(orders) == 1 else None
        args = tuple(map(self.view, node.args))
        if node.op == "contract" and order is not None and order != tuple(range(len(node.shape))):
            rank = len(node.shape)
            at = {p: along(order.index(p) if p < rank else p) for p in range(len(args[0].shape))}
            space = (*(node.shape[a] for a in order), *args[0].shape[rank:])
            args = tuple(v.put(at, space) for v in args)
            self.order[node] = order
            self.new[node] = replace(node, args=args, shape=tuple(node.shape[a] for a in order))
        elif node.op == "contract" and len(args) == 1 and args[0].whole and args[0].shape == node.shape:
            self.new[node] = args[0].node  # a copy in another order, and now the order is the same
        elif node.op == "reshape" and order is not None and order != tuple(range(len(node.shape))):
            shape = tuple(node.shape[a] for a in order)
            read = View(moved(node, args), tuple(along(order.index(a)) for a in range(len(order))), shape)
            self.order[node] = order
            self.new[node] = Node("contract", (read,), shape, node.kind, place=node.place)
        else:
            self.new[node] = moved(node, args)

    def view(self, view: View) -> View:
        """The same reading of the node that stands for another."""
        index = tuple(Lookup(self.view(i.view)) if isinstance(i, Lookup) else i for i in view.index)
        order = self.order.get(view.node)
        if order is not None:
            index = tuple(index[a] for a in order)
        if self.new[view.node] is view.node and index == view.index:
            return view
        return View(self.new[view.node], index, view.shape)
