"""What is handed in is not written to: no function of nets and reference assigns into a parameter, or into a view of one."""

import ast

import pytest

WRITERS = {"append", "extend", "insert", "pop", "remove", "discard", "clear", "sort", "reverse", "update", "setdefault", "popitem",
           "fill", "put", "itemset", "resize", "partition", "setflags", "copy_", "add_", "mul_", "sub_", "div_", "zero_", "fill_"}
VIEWS = {"reshape", "ravel", "transpose", "view", "swapaxes", "squeeze", "permute_dims", "matrix_transpose", "broadcast_to",
         "diagonal", "zip", "enumerate", "reversed", "items", "values"}


def root_name(node):
    """The name at the left end of a.b[0].T, or of a view of it: xp.reshape(a, …), a.ravel(), zip(a, …)."""
    while True:
        match node:
            case ast.Name(id):
                return id
            case ast.Attribute(value) | ast.Subscript(value) | ast.Starred(value):
                node = value
            case ast.Call(func=ast.Attribute(value=value, attr=attr), args=args) if attr in VIEWS:
                node = args[0] if args and isinstance(value, ast.Name) and value.id in ("xp", "np") else value
            case ast.Call(func=ast.Name(id), args=[first, *_]) if id in VIEWS:
                node = first
            case _:
                return None


def leaves(target):
    """The single targets of a, (b[0], *c) = …"""
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from leaves(element)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def targets(node):
    """The single targets that a statement assigns to or deletes."""
    match node:
        case ast.Assign(targets=found) | ast.Delete(targets=found):
            pass
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target) | ast.For(target=target):
            found = [target]
        case _:
            found = []
    return [leaf for target in found for leaf in leaves(target)]


def own(function):
    """Every node of a function but those of the functions inside it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from own(child)


def shared_names(function, outer):
    """Parameters, and names bound to a part or view of one (whatever else is bound to them)."""
    arguments = function.args
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    shared = outer | {argument.arg for argument in listed if argument}
    bindings = [(target, node.value) for node in own(function) if isinstance(node, ast.Assign) for target in node.targets]
    bindings += [(node.target, node.iter) for node in own(function) if isinstance(node, ast.For)]
    bindings += [(node.target, node.value) for node in own(function) if isinstance(node, ast.NamedExpr | ast.AnnAssign)]
    size = -1
    while size != len(shared):
        size = len(shared)
        for target, value in bindings:
            roots = {root_name(value)}
            if isinstance(value, ast.Tuple | ast.List):
                roots = {root_name(element) for element in value.elts}
            elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in VIEWS:
                roots = {root_name(argument) for argument in value.args}
            if roots & shared:
                shared |= {leaf.id for leaf in leaves(target) if isinstance(leaf, ast.Name)}
    return shared


def writes(source):
    """Complaints about statements that may change what a caller handed in."""
    def visit(node, outer):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                shared = shared_names(child, outer)
                if not isinstance(child, ast.Lambda):
                    yield from complaints(child, shared)
                yield from visit(child, shared)
            else:
                yield from visit(child, outer)

    def complaints(function, shared):
        for node in own(function):
            for target in targets(node):
                into = isinstance(target, ast.Attribute | ast.Subscript)
                if (into or isinstance(node, ast.AugAssign)) and root_name(target) in shared:
                    yield node, f"assigns into {ast.unparse(target)}"
            if isinstance(node, ast.Call):
                if any(keyword.arg == "out" for keyword in node.keywords):
                    yield node, "writes through out="
                if isinstance(node.func, ast.Attribute) and node.func.attr in WRITERS and root_name(node.func.value) in shared:
                    yield node, f"calls {ast.unparse(node.func)}, which writes"

    for node, what in visit(source.tree, set()):
        yield f"{source.path}:{node.lineno}: {what}; make a new array: what callers hand in is never written to"


def test_no_function_writes_to_what_it_is_handed(sources):
    broken = [line for source in sources if source.path.startswith(("nets/", "reference/")) for line in writes(source)]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("body", [
    "x[0] = 1", "x += 1", "x.W = 1", "state.H[0][1] = 2", "x[0] += 1", "x[0], k = 1, 2", "del x[0]", "x.sort()",
    "state.pairs.append(1)", "xp.add(x, x, out=x)", "v = x\n    v += 1", "v = x.T\n    v[0] = 1", "v, w = x, 1\n    v *= 2",
    "W, b = x[0]\n    b += 1", "v = x.reshape(-1)\n    v[0] = 1", "v = xp.reshape(x, (-1,))\n    v += 1",
    "for row in x:\n        row += 1", "for i, row in enumerate(x):\n        row[0] = i",
    "for a, b in zip(state, x):\n        b += a", "def inner():\n        x[0] = 1", "if (v := x) is not None:\n        v += 1",
])
def test_a_write_is_seen(source_of, body):
    assert list(writes(source_of("nets/a.py", f"def f(x, *, state=None):\n    {body}\n    return x")))


@pytest.mark.parametrize("body", [
    "v = [None] * 3\n    v[0] = x", "g = []\n    g.append(x)", "total = 0\n    total += len(x)", "x = x + 1",
    "v = x @ x\n    v += 1", "v: int\n    v = 1", "v = x.copy()\n    v[0] = 1",
    "l = len(x) - 1\n    l -= 1", "v = {key: x for key in x}\n    v.update(a=1)",
])
def test_new_arrays_may_be_filled(source_of, body):
    assert not list(writes(source_of("nets/a.py", f"def f(x, *, state=None):\n    {body}\n    return x")))
