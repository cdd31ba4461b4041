"""Where networks can compute."""

from importlib import import_module

from robomtl.doctor.finding import Finding


def check_devices() -> Finding:
    """Torch's devices. A processor is enough; a card that torch cannot use is worth a warning."""
    try:
        torch = import_module("torch")
    except (ImportError, OSError) as error:  # OSError: a shared library of it is missing
        return Finding(
            name="devices",
            status="fault",
            detail=f"torch cannot be imported: {error}",
            remedy="pip install --force-reinstall torch",
        )
    cpu = f"cpu (threads: {torch.get_num_threads()})"
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        cards = ", ".join(torch.cuda.get_device_name(index) for index in range(count))
        return Finding(name="devices", status="ok", detail=f"cuda ({cards}), {cpu}")
    if torch.backends.mps.is_available():
        return Finding(name="devices", status="ok", detail=f"mps, {cpu}")
    built = torch.version.cuda or torch.version.hip
    if built:
        return Finding(
            name="devices",
            status="warning",
            detail=f"{cpu}; torch was built for a card ({built}) but finds none, or no driver",
            remedy="nvidia-smi" if torch.version.cuda else "rocm-smi",
        )
    return Finding(name="devices", status="ok", detail=cpu)
