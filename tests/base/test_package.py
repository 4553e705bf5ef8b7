"""The package itself: light to import, free of Prefect."""

import json
import subprocess
import sys


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}; import sys, json; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    return set(json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout))


def test_import_is_light() -> None:
    assert not loaded_by("import fittingroom") & {"torch", "numpy", "prefect", "cv2", "mlflow", "pydantic"}


def test_the_command_line_loads_no_torch_until_it_is_needed() -> None:
    assert not loaded_by("import fittingroom.cli") & {"torch", "prefect", "mlflow", "torchvision"}


def test_the_map_in_the_docstring_names_every_part() -> None:
    import pkgutil

    import fittingroom

    parts = {module.name for module in pkgutil.iter_modules(fittingroom.__path__)}
    missing = {part for part in parts if part not in (fittingroom.__doc__ or "")}
    assert not missing
