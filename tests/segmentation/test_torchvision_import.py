"""Serving loads torchvision without torch's compiler, which is there all the same for whoever asks."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
from fittingroom.tryon.models import Champions
class Stop(Exception): ...
class NoServing:
    def segmenter(self): raise Stop
try: Champions(NoServing()).segmenter()
except Stop: pass
roi_align = sys.modules["torchvision.ops.roi_align"]
assert "fittingroom.segmentation.predict" in sys.modules
assert not {"torch._dynamo", "torch._dynamo.utils", "sympy"} & set(sys.modules), "loaded torch's compiler"
from torch._dynamo.utils import is_compile_supported
assert roi_align.is_compile_supported is not is_compile_supported
assert roi_align.is_compile_supported("cpu") == is_compile_supported("cpu")
"""


OTHER = """
import sys, types
from fittingroom.segmentation.torchvision_import import import_torchvision_light
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":  # a version that asks the compiler for more
            import torch._dynamo.utils as seen
            from torch._dynamo.utils import counters
            assert type(seen).__name__ == "module" and counters is not None
            sys.meta_path.remove(self)
sys.meta_path.insert(0, Finder())
import_torchvision_light()
import torch._dynamo.utils
assert torch._dynamo.utils.is_compile_supported.__module__ == "torch._dynamo.utils"
assert "torchvision.ops.roi_align" in sys.modules
"""


@pytest.mark.parametrize("code", [CODE, OTHER], ids=["as it is", "another torchvision"])
def test_a_segmenter_is_loaded_without_the_compiler_and_leaves_the_real_one(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
