"""The source of a running sweep is a copy, taken while other threads still import."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from nnexp.sweep.source import frozen_source, import_from, loaded_from


def test_it_is_frozen_while_another_thread_imports(tmp_path: Path) -> None:
    over = threading.Event()

    def importing() -> None:
        number = 0
        while not over.is_set():
            name = f"nnexp_test_module_{number % 1000}"
            number += 1
            sys.modules[name] = ModuleType(name)
            if number > 500:
                sys.modules.pop(f"nnexp_test_module_{(number - 500) % 1000}", None)

    code = tmp_path / "code"
    with frozen_source(code, {}, anew=True):
        assert (code / "nnexp" / "run.py").exists()
    thread = threading.Thread(target=importing)
    before, interval = dict(sys.modules), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for _ in range(100):
            with loaded_from(code):
                assert str(code) in sys.path
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(interval)
        for name in set(sys.modules) - set(before):
            if name.startswith("nnexp_test_module_"):
                del sys.modules[name]


def test_modules_from_outside_are_copied_and_loaded_from_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab" / "deep_lab").mkdir(parents=True)
    files = {"deep_lab/__init__.py": "", "deep_lab/part.py": "VERSION = 1\n"}
    for name, text in files.items():
        (tmp_path / "lab" / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "lab")
    before, copy = list(sys.path), str(tmp_path / "code")
    try:
        with frozen_source(tmp_path / "code", {name: tmp_path / "lab" / name for name in files}, anew=True):
            pass
        assert sys.path == before
        assert importlib.import_module("deep_lab.part").__file__ == str(
            tmp_path / "lab" / "deep_lab" / "part.py"
        )
        (tmp_path / "lab" / "deep_lab" / "part.py").write_text("VERSION = 2\n", encoding="utf-8")
        import_from(copy, list(files))
        part = importlib.import_module("deep_lab.part")
        assert (part.__file__, part.VERSION) == (f"{copy}/deep_lab/part.py", 1)
        import_from(copy, list(files))
        assert importlib.import_module("deep_lab.part") is part
    finally:
        sys.path[:] = before
        for name in [name for name in sys.modules if name.partition(".")[0] == "deep_lab"]:
            del sys.modules[name]


def test_later_batches_have_the_source_that_the_first_one_found(tmp_path: Path) -> None:
    module = tmp_path / "lab" / "method.py"
    module.parent.mkdir()
    module.write_text("STEP = 1\n")
    found = []
    # The first one finds what another command left there.
    for anew, more in ((True, {}), (False, {}), (False, {"other.py": module}), (True, {})):
        with frozen_source(tmp_path / "code", {"method.py": module, **more}, anew):
            found.append((tmp_path / "code" / "method.py").read_text())
            assert (tmp_path / "code" / "nnexp" / "run.py").is_file()
        module.write_text("STEP = 2\n")
    assert found == ["STEP = 1\n"] * 3 + ["STEP = 2\n"]
    assert (tmp_path / "code" / "other.py").read_text() == "STEP = 2\n"
