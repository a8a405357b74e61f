"""Stubs, cut from the library's own source.

The function's name marks the place, the end of its docstring where the student's part begins.
What unpacks the cache stays. Where only a part is to be written, comments in the source mark it,
from `# student:` to `# end of the student's part` or the end. In ops/, which is to be read without
them, a third entry of the exercise's place is the beginning of the student's first line.
"""

import ast
import re
import textwrap
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
BEGIN, END = "# student:", "# end of the student's part"
TODO = "raise NotImplementedError"


def source(place):
    """(text of the file, node of the function) of (file below numpycnn/, function)."""
    text = (PACKAGE / place[0]).read_text(encoding="utf-8")
    functions = (n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef))
    node = next((n for n in functions if n.name == place[1]), None)
    if node is None:
        raise LookupError(f"there is no function {place[1]} in {place[0]}")
    return text, node


def function(place, decorated=True):
    """The text of a function as it stands in the library."""
    text, node = source(place)
    lines = text.splitlines()
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return "\n".join(lines[(first if decorated else node.lineno) - 1 : node.end_lineno])


def line(place):
    """ "ops/dense.py:33": where the function stands."""
    return f"numpycnn/{place[0]}:{source(place)[1].lineno}"


def parts(place):
    """(head, kept lines, what is cut) of a function: the stub is the first two."""
    _, node = source(place)
    whole = function(place, decorated=False).splitlines()
    head_end = node.body[0].end_lineno if ast.get_docstring(node) else node.body[0].lineno - 1
    head_end += 1 - node.lineno
    head, body = whole[:head_end], whole[head_end:]
    if len(place) > 2:
        begin = next(i for i, one in enumerate(body) if one.strip().startswith(place[2]))
        return head, (body[:begin], []), body[begin:]
    marks = [i for i, one in enumerate(body) if one.strip().startswith((BEGIN, END))]
    if marks:
        begin, end = [*marks, len(body)][:2]
        kept = body[:begin], body[end + 1 :]
        return head, kept, body[begin + 1 : end]
    unpack = next((i for i, one in enumerate(body) if re.search(r" = cache\b", one)), -1)
    if unpack >= 0 and not any(one.strip() for one in body[:unpack]):
        return head, (body[: unpack + 1], []), body[unpack + 1 :]
    return head, ([], []), body


def stub(place, equation=""):
    """The function without the student's part; `equation` stands for the docstring's own."""
    head, (before, after), answer = parts(place)
    first = next(one for one in answer if one.strip())
    indent = first[: len(first) - len(first.lstrip())]
    text = "\n".join([*head, *before, indent + TODO, *after])
    if equation:
        _, _node = source(place)
        old = ast.get_source_segment(
            "\n".join(head), ast.parse("\n".join(head) + "\n    pass").body[0].body[0]
        )
        text = text.replace(old, _docstring(equation), 1)
    return text


def _docstring(equation):
    return (
        '"""' + textwrap.indent("\n".join(re.split(r" {4,}|\n", equation)), "    ").strip() + '"""'
    )


def imports(code, place):
    """The import lines that `code`, cut from `place`, needs to run by itself."""
    tree = ast.parse((PACKAGE / place[0]).read_text(encoding="utf-8"))
    defined = {n.name for n in ast.walk(ast.parse(code)) if isinstance(n, ast.FunctionDef)}
    used = {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)} - defined
    known = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            known.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            known |= {(a.asname or a.name).split(".")[0] for a in node.names}
        elif isinstance(node, ast.Assign):
            known |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    names = sorted(used & known - {"np", "ops"})
    module = "numpycnn." + place[0].removesuffix(".py").replace("/", ".")
    return [f"from {module} import {', '.join(names)}"] if names else []
