"""Everything that people read is said in one place, so that a translation is one file."""

import ast
import re
from pathlib import Path

import handlers

HOME = Path(handlers.__file__).parent
WORDS = HOME / "render" / "words.py"
# two words in a row, or a word and its colon before what is filled in
PROSE = re.compile(r"[A-Za-z]{2,}[,.:;!?…]? [A-Za-z*{]|[A-Za-z]{2,}[:,] $|[a-z]{2,} $|^ [a-z]{2,}")
NOT_SHOWN = {"upper left", "offset points", "not read", "new key", " at "}
SILENT = {"debug", "info", "warning", "error", "exception", "compile", "Counter", "Gauge", "Histogram", "RuntimeError"}


def sentences(path):
    """Every literal that reads like prose and may be shown: not what is logged, a pattern, a docstring or a name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in SILENT:
            hidden |= {id(each) for each in ast.walk(node)}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            hidden.add(id(node.value))
    return [
        (path.relative_to(HOME).as_posix(), node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in hidden
        if PROSE.search(node.value)
    ]


def _name(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_no_listener_and_no_renderer_has_a_sentence_of_its_own():
    """Whoever translates finds all of them in ``handlers/render/words.py``."""
    files = [path for path in sorted(HOME.rglob("*.py")) if path != WORDS]
    assert [found for path in files for found in sentences(path) if not _is_code(found)] == []


def _is_code(found):
    """What no person reads: a style sheet, markup, places in a chart, a fact's own value, pages for machines."""
    name, _, text = found
    if name in {"bolt.py", "manifest.py", "health.py", "socket.py", "web.py", "metrics.py"}:
        return True
    return text.startswith(("\nbody {", "<meta ", "<!doctype ")) or text in NOT_SHOWN


def test_a_sentence_in_a_renderer_would_be_found(tmp_path, monkeypatch):
    """Whole, or in pieces around what is filled in; what is logged is not shown."""
    monkeypatch.setattr("tests.handlers.test_wording.HOME", tmp_path)
    written = 'log.info("not shown to people")\nsection("Nothing to do.")\nsection(f"Since {at}")\nsection("one_word")'
    (tmp_path / "renderer.py").write_text(written, encoding="utf-8")
    assert [text for _, _, text in sentences(tmp_path / "renderer.py")] == ["Nothing to do.", "Since "]
