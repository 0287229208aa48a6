"""The source of a running sweep is a copy, taken while other threads still import."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import ModuleType

from nnexp.sweep.source import frozen_source


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

    thread = threading.Thread(target=importing)
    before, interval = dict(sys.modules), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for _ in range(10):
            with frozen_source(tmp_path / "code"):
                assert str(tmp_path / "code") in sys.path
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(interval)
        for name in set(sys.modules) - set(before):
            if name.startswith("nnexp_test_module_"):
                del sys.modules[name]
    assert (tmp_path / "code" / "nnexp" / "run.py").exists()
