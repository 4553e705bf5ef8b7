"""Where and how exactly to compute: device and precision, chosen by themselves and said in words."""

from __future__ import annotations

import torch

from fittingroom.errors import SettingError

AUTO = "auto"


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        SettingError: a device that is unknown or not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name not in available:
        raise SettingError("device", name, "auto, cpu, cuda or mps")
    if not available[name]:
        raise SettingError(
            "device", name, "a device that this machine has: " + ", ".join(k for k in available if available[k])
        )
    return torch.device(name)


def choose_preset(name: str, device: str = "auto") -> str:
    """``auto`` gives the preset that fits the device: ``cpu`` on a CPU, ``standard`` on a GPU; others stay.

    Raises:
        SettingError: a device that is unknown or not there.
    """
    if name != AUTO:
        return name
    return "cpu" if choose_device(device).type == "cpu" else "standard"


def choose_precision(name: str, device: torch.device) -> str:
    """``auto`` gives Accelerate's ``bf16`` where the hardware multiplies bfloat16 fast, else ``no`` (float32).

    On a CPU that means AMX or AVX512-BF16: elsewhere bfloat16 is emulated and slower than float32.

    Raises:
        SettingError: unknown name.
    """
    if name not in ("auto", "no", "bf16"):
        raise SettingError("precision", name, "auto, no or bf16")
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    if device.type == "cpu":
        capability = torch.backends.cpu.get_cpu_capability()  # what torch goes by, which a person may set lower
        fast = "AVX512" in capability and torch.cpu.get_capabilities().get("avx512_bf16", False)
        return "bf16" if fast else "no"
    return "no"
