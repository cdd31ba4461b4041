"""A pickle is a program. Nothing of one that does anything but hold a demonstration is run."""

import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robomtl.data import CorruptDemoError, UnsafePickleError, read_rlbench_demo
from robomtl.data.rlbench.stand_ins import SavedDemo, SavedObservation
from robomtl.data.rlbench.unpickling import unpickle

DEMO = b"crlbench.demo\nDemo\n"
DTYPE = b"cnumpy\ndtype\n"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n"
SCALAR = b"cnumpy.core.multiarray\nscalar\n"
FRESH = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"  # an array
LAUGHS = b"".join(b"q%c(" % i + b"h%c" % i * 9 + b"t" for i in range(99))  # a tuple of 9 ** 99
MEGABYTE = 2**20


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def program(body: bytes, protocol: int = 4) -> bytes:
    return b"\x80" + bytes([protocol]) + body + b"."


def stack_global(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("function", [os.system, subprocess.call, eval, exec, getattr, print])
def test_no_function_is_called(
    function: Callable[..., Any], protocol: int, episode: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    argument = f"touch {marker}" if function is os.system else f"open({str(marker)!r}, 'w')"
    for name in ("low_dim_obs.pkl", "../../variation_descriptions.pkl"):
        (episode / "checksums.sha256").unlink(missing_ok=True)
        file = episode / name
        before = file.read_bytes()
        file.write_bytes(pickle.dumps(Calls(function, argument), protocol))
        with pytest.raises(UnsafePickleError) as error:
            read_rlbench_demo(episode)
        assert str(file) in str(error.value)
        if protocol in (2, 3, 4, 5):
            assert function.__name__ in str(error.value)
        file.write_bytes(before)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("os", "system"),
        ("posix", "system"),
        ("numpy", "load"),
        ("numpy", "ndarray.tofile"),
        ("rlbench.demo", "Demo.restore_state"),
        ("rlbench.demo", "Demo.__init__.__globals__"),
        ("rlbench", "demo.Demo"),
        ("rlbench.demo", "Observation"),
        ("rlbench.demo.Demo", ""),
        ("numpy.core.multiarray", "fromfile"),
        ("copyreg", "_reconstructor"),
        ("robomtl.data.rlbench.stand_ins", "SavedDemo"),
    ],
)
def test_a_name_that_is_no_part_of_the_format_is_named_in_the_error(module: str, name: str) -> None:
    for body in (stack_global(module, name), f"c{module}\n{name}\n".encode()):
        with pytest.raises(UnsafePickleError, match=f"asks for {module}.{name}, which is no part"):
            unpickle(program(body))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("EXT1", b"\x82\x01"),
        ("EXT2", b"\x83\x01\x00"),
        ("EXT4", b"\x84\x01\x00\x00\x00"),
        ("PERSID", b"Pthing\n"),
        ("BINPERSID", b"K\x01Q"),
        ("INST", b"(ios\nsystem\n"),
        ("OBJ", b"(" + DEMO + b"o"),
        ("NEWOBJ_EX", DEMO + b")}\x92"),
        ("NEXT_BUFFER", b"\x97"),
        ("READONLY_BUFFER", b"N\x98"),
        ("STRING", b"S'text'\n"),
        ("DUP", b"N2"),
    ],
)
def test_operations_that_the_format_does_not_need_are_refused(name: str, body: bytes) -> None:
    with pytest.raises(UnsafePickleError, match=f"its operation {name} is no part"):
        unpickle(program(body, 5))


@pytest.mark.parametrize(
    "body",
    [
        # numpy's functions, called with anything but what numpy writes
        pytest.param(ARRAY + DEMO + b"K\x00\x85C\x01b\x87R", id="array of a demo"),
        pytest.param(ARRAY + b")R", id="array of nothing"),
        pytest.param(DTYPE + text("O") + b"\x85R", id="objects"),
        pytest.param(DTYPE + text("O8") + b"\x89\x88\x87R", id="objects, numpy's way"),
        pytest.param(DTYPE + text("V8") + b"\x85R", id="structure"),
        pytest.param(DTYPE + text("U9") + b"\x85R", id="texts"),
        pytest.param(DTYPE + text("f8,O") + b"\x85R", id="numbers and objects"),
        pytest.param(DTYPE + b"]\x85R", id="structure as a list"),
        pytest.param(SCALAR + DTYPE + text("O8") + b"\x85RC\x01x\x86R", id="object alone"),
        pytest.param(SCALAR + b"NC\x01x\x86R", id="number without a type"),
        # changing what is there
        pytest.param(DEMO + b"}" + text("x") + b"K\x01sb", id="a class"),
        pytest.param(DEMO + b"N}" + text("x") + b"K\x01s\x86b", id="a class, by its slots"),
        pytest.param(DEMO + b")\x81N}" + text("x") + b"K\x01s\x86b", id="slots of a demo"),
        pytest.param(ARRAY + b"}" + text("call") + b"K\x01sb", id="a function"),
        pytest.param(b"}}" + text("x") + b"K\x01sb", id="a dict"),
        # making and calling what is not to be made and called
        pytest.param(ARRAY + b")\x81", id="new function"),
        pytest.param(DEMO + b"K\x01\x85\x81", id="new demo of arguments"),
        pytest.param(DEMO + b")R", id="calling a class"),
        pytest.param(text("x") + b")R", id="calling a text"),
        pytest.param(FRESH + b")R", id="calling an array"),
        pytest.param(b"}K\x01K\x02s", id="key that is no name"),
        pytest.param(b"N" + text("x") + b"K\x02s", id="entry of nothing"),
    ],
)
def test_nothing_is_made_called_or_changed_but_a_demonstration(body: bytes) -> None:
    names = set(vars(SavedDemo)), set(vars(SavedObservation))
    with pytest.raises(CorruptDemoError):
        unpickle(program(body))
    assert names == (set(vars(SavedDemo)), set(vars(SavedObservation)))


@pytest.mark.parametrize(
    "state",
    [
        (1, (2,), "f8", False, b"12345678" * 2),  # the type is a text
        (1, (2,), None, False, b"12345678" * 2),
        (1, (2, 2), np.dtype("f8"), False, b"12345678" * 2),
        (1, (10**12,), np.dtype("f8"), False, b"12345678"),
        (1, (2**62, 2**62), np.dtype("f8"), False, b""),
        (1, (-1,), np.dtype("f8"), False, b"12345678"),
        (1, (2.0,), np.dtype("f8"), False, b"12345678" * 2),
        (1, [1], np.dtype("f8"), False, b"12345678"),
        (1, (1,), np.dtype("f8"), False, [None]),
        (1, (1,), np.dtype("f8"), False, b"1234567"),
        (1, (1,), np.dtype("f8"), False),
        None,
    ],
)
def test_an_array_is_no_larger_than_the_file_has_numbers_for(state: Any) -> None:
    protocol_3 = pickle.dumps(state, 3)[2:-1]
    with pytest.raises(CorruptDemoError):
        unpickle(program(FRESH + protocol_3 + b"b"))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"Nr\xff\xff\xff\xff", id="index"),
        pytest.param(b"\x96" + struct.pack("<Q", 2**40) + b"x", id="bytearray"),
        pytest.param(b"\x8e" + struct.pack("<Q", 2**40) + b"x", id="bytes"),
        pytest.param(b"\x8d" + struct.pack("<Q", 2**40) + b"x", id="text"),
        pytest.param(b"B\xff\xff\xff\xff", id="short bytes"),
        pytest.param(b"N" + LAUGHS + b"}b", id="tuples of tuples"),
        pytest.param(b"}N" + LAUGHS + b"Ns", id="tuples as a key"),
    ],
)
def test_a_small_file_takes_little_memory_and_time(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CorruptDemoError):
            unpickle(program(body) + b"x")
        assert tracemalloc.get_traced_memory()[1] < MEGABYTE
    finally:
        tracemalloc.stop()


def test_nothing_of_rlbench_is_imported(episode: Path) -> None:
    code = f"""
import sys
from robomtl.data import read_rlbench_demo
demo = read_rlbench_demo({str(episode)!r})
assert len(demo) == 3
print(*[name for name in sys.modules if name.split(".")[0] in ("rlbench", "pyrep", "torch", "cv2")])
"""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", code]
    finished = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (finished.stdout.strip(), finished.stderr) == ("", "")


def test_something_after_the_end_is_refused(episode: Path) -> None:
    content = (episode / "low_dim_obs.pkl").read_bytes()
    with pytest.raises(CorruptDemoError, match="something follows its end"):
        unpickle(content + content)
