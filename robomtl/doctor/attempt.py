"""Build a scene, and draw it if asked to: what a process of its own tries out for the doctor.

    python -m robomtl.doctor.attempt scene|picture

It ends with one line of JSON on standard output. OpenGL is chosen by MUJOCO_GL when MuJoCo is first
imported, and a broken driver may end the process; so each attempt has one to itself.
"""

import json
import sys
import time


def main(what: str) -> None:
    """Tries, and prints how long it took and who drew."""
    start = time.perf_counter()
    from robomtl import envs

    env = envs.make("reach_target", cameras=("front",) if what == "picture" else ())
    observation, _ = env.reset(seed=0)
    found: dict[str, object] = {"seconds": time.perf_counter() - start}
    if what == "picture":
        if observation["front_rgb"].std() < 1:
            raise RuntimeError("the picture is empty")
        found["renderer"] = _renderer()
    env.close()
    print(json.dumps(found))


def _renderer() -> str:
    """OpenGL's own name of what draws, such as a graphics card or "llvmpipe"."""
    from OpenGL import GL

    return str(GL.glGetString(GL.GL_RENDERER).decode())


if __name__ == "__main__":
    main(sys.argv[1])
