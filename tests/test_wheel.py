"""The wheel, as a stranger gets it: built, installed in an environment of its own, and run from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import recollect

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    # Nothing of the checkout may help: not its path, not the folder the tests were started in.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts folder of an environment with the wheel in it; the dependencies are borrowed from this one."""
    home = tmp_path_factory.mktemp("elsewhere")
    venv.create(home / "env", with_pip=False, symlinks=os.name != "nt")
    place = {"base": str(home / "env"), "platbase": str(home / "env")}
    packages = Path(sysconfig.get_path("purelib", "venv", place))
    scripts = Path(sysconfig.get_path("scripts", "venv", place))
    run(sys.executable, "-m", "pip", "--python", scripts / "python", "install", "--no-deps", "--quiet", wheel, cwd=home)
    # A path file's own path files are not read, so an editable install of the checkout stays out.
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "borrowed.pth").write_text("\n".join(sorted(borrowed)))
    return scripts


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "recollect"
    expected = {f"recollect/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    assert expected | {"recollect/py.typed"} <= inside
    info = f"recollect-{recollect.__version__}.dist-info"
    assert {name.split("/")[0] for name in inside} == {"recollect", info}
    assert any(name.endswith("LICENSE") for name in inside)


def test_the_installed_package_is_the_wheels(elsewhere: Path, tmp_path: Path) -> None:
    code = "import recollect; print(recollect.__version__, recollect.__file__); recollect.EventLog"
    version, file = run(elsewhere / "python", "-c", code, cwd=tmp_path).split()
    assert version == recollect.__version__
    assert Path(file).is_relative_to(elsewhere.parent)


@pytest.mark.parametrize("arguments", [["--help"], ["models"], ["data", "inspect", "--help"]])
def test_the_command_runs_in_another_folder(elsewhere: Path, tmp_path: Path, arguments: list[str]) -> None:
    printed = run(elsewhere / "recollect", *arguments, cwd=tmp_path)
    assert ("xlstm-lsr" if arguments == ["models"] else "Usage") in printed
    assert list(tmp_path.iterdir()) == []


def test_dependencies_have_lower_bounds_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    for line in [*project["dependencies"], *(line for extra in extras for line in extra)]:
        assert ">=" in line and not any(sign in line for sign in ("<", "==", "~=", "!=")), line
