"""Importing torchvision for serving, without torch's compiler.

``torchvision.ops.roi_align`` imports ``torch._dynamo.utils`` for one function, which it calls on a GPU in deterministic
mode only; with it come sympy and a thousand modules that no try-on needs: a third of a first try-on's time, and 150 MB.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

_LOCK = threading.Lock()


def import_torchvision_light() -> None:
    """Import what finding garments needs of torchvision; torch's compiler is loaded when something first asks for it.

    To be called before anything else imports torchvision; later it changes nothing.
    """
    import torch  # noqa: F401  # whole, before a part of it has a stand-in

    with _LOCK:
        if "torch._dynamo" in sys.modules or "torchvision" in sys.modules:
            return
        package, utils = ModuleType("torch._dynamo"), ModuleType("torch._dynamo.utils")
        stand_ins = {"torch._dynamo": package, "torch._dynamo.utils": utils}

        def leave() -> None:
            for name, module in stand_ins.items():
                if sys.modules.get(name) is module:
                    del sys.modules[name]

        def real(name: str) -> Any:
            """What another version of torchvision may import besides."""
            if name.startswith("__"):  # the import system's own questions
                raise AttributeError(name)
            leave()
            from torch._dynamo import utils as compiler

            return getattr(compiler, name)

        vars(utils).update(is_compile_supported=_is_compile_supported, __getattr__=real)
        sys.modules.update(stand_ins)
        try:
            import torchvision.ops.roi_align  # noqa: F401
        finally:
            leave()


def _is_compile_supported(device_type: Any) -> Any:
    from torch._dynamo.utils import is_compile_supported  # the real one by now

    return is_compile_supported(device_type)
